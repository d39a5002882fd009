"""Crawls that are killed at any instant."""

import json
import random
import sqlite3
import subprocess
from pathlib import Path
from time import monotonic

import pytest
from data_set import assert_complete, feed, image_path, records, rows
from mock_archive import DAYS, MockArchive
from scrapy_command import start_crawl
from serving import serving

from timecoverspider.dataset.tables import TABLES
from timecoverspider.replica.pages import image_url


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a crawl takes, in seconds."""
    started = monotonic()
    MockArchive().crawl(tmp_path_factory.mktemp("timed"))
    return monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_crawl_that_is_killed_at_any_instant_loses_nothing(
    tmp_path: Path, filled: Path, duration: float, seed: int
) -> None:
    archive = MockArchive()
    with serving(archive.app) as address:
        process = start_crawl(tmp_path, address)
        try:
            process.communicate(timeout=random.Random(seed).uniform(0.3, 1.05) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    assert_complete(tmp_path)
    if (report := tmp_path / "output" / "report.json").exists():
        assert json.loads(report.read_bytes())["records"] == 40
    stored = 0
    if (tmp_path / "output" / "catalog.db").exists():
        tables = {name for (name,) in rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables in (set(), set(TABLES))
        stored = rows(tmp_path, "SELECT count(*) FROM records")[0][0] if tables else 0
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(archive.requests_to("content.time.com")) == 40 - stored
    assert feed(tmp_path) == feed(filled)
    assert not list((tmp_path / "output" / ".incoming").iterdir())


@pytest.mark.slow
def test_crawl_that_is_killed_ten_times_in_a_row_is_complete_in_the_end(
    tmp_path: Path, filled: Path, duration: float
) -> None:
    chance = random.Random(10)
    for _ in range(10):
        with serving(MockArchive().app) as address:
            process = start_crawl(tmp_path, address)
            try:
                process.communicate(timeout=chance.uniform(0.5, 0.9) * duration)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        assert_complete(tmp_path)
    assert MockArchive().crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_refresh_that_is_killed_while_images_change_leaves_no_wrong_checksum(
    folder: Path, duration: float, seed: int
) -> None:
    archive = MockArchive()
    archive.answers = {image_url(day): _changed(image_path(folder, day)) for day in DAYS}
    with serving(archive.app) as address:
        process = start_crawl(folder, address, "-a", "refresh=1")
        try:
            process.communicate(timeout=random.Random(seed).uniform(0.5, 0.95) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    done = archive.crawl(folder)
    assert done.returncode == 0, done.stderr
    assert_complete(folder)
    assert len(records(folder)) == 40


def _changed(file: Path) -> bytes:
    """Return an image of the same size as a file, with another byte in its first segment."""
    content = bytearray(file.read_bytes())
    content[13] ^= 1  # the units of its density
    return bytes(content)


def test_records_whose_pages_were_not_written_down_do_not_count_as_gone_from_the_listings(
    folder: Path, filled: Path
) -> None:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    with connection:  # as if the crawl had been killed before it wrote these
        connection.execute("DELETE FROM pages WHERE url IN (SELECT url FROM pages WHERE records = 1 LIMIT 10)")
    connection.close()
    archive = MockArchive()
    done = archive.crawl(folder, "-a", "full=1")
    assert done.returncode == 0, done.stderr
    assert len(archive.requests_to("content.time.com")) == 10
    assert feed(folder) == feed(filled)
