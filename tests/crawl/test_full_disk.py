"""Crawls that are out of space."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from data_set import assert_complete, feed, records
from mock_archive import MockArchive
from scrapy_command import crawl_arguments, environment, last_line
from serving import serving

from timecoverspider.replica.issues import issue_dates

pytestmark = pytest.mark.slow


def test_disk_without_room_for_the_catalog_aborts_the_crawl_and_harms_nothing(tmp_path: Path) -> None:
    _fill_the_disk(tmp_path, 120_000, "catalog")  # an image has room, but not all rows


@pytest.mark.slow
def test_disk_without_room_for_images_aborts_the_crawl_and_harms_nothing(tmp_path: Path, database: str) -> None:
    _fill_the_disk(tmp_path, 30_000, "output", "-s", f"CATALOG_URL={database}")  # which is not on this disk


def _fill_the_disk(folder: Path, limit: int, said: str, *arguments: str) -> None:
    """Crawl with room for files of *limit* bytes, and then with enough."""
    archive = MockArchive(issue_dates(400))
    with serving(archive.app) as address:
        done = _limited(folder, address, limit, *arguments)
    assert done.returncode == 1, done.stderr
    assert said in last_line(done).partition(" covers in ")[0]
    assert "Traceback" not in done.stderr
    assert_complete(folder)
    report = json.loads((folder / "output" / "report.json").read_bytes())
    assert report["crawls"][-1]["outcome"] == "aborted"
    assert len(archive.requests_to("content.time.com")) < 350
    done = archive.crawl(folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(records(folder)) == 400
    assert_complete(folder)


def test_full_disk_leaves_the_feed_as_it_was(folder: Path, database: str) -> None:
    arguments = ["-s", f"CATALOG_URL={database}"]  # which is not on this disk
    assert MockArchive().crawl(folder, *arguments).returncode == 0
    with (folder / "output.json").open("ab") as file:
        file.write(b"\n")
    before = feed(folder)
    with serving(MockArchive().app) as address:
        done = _limited(folder, address, len(before) - 100, *arguments)
    assert done.returncode == 1
    assert "output.json: File too large" in last_line(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before
    assert not list(folder.glob(".output*"))


def _limited(folder: Path, address: str, limit: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Crawl if no file may grow beyond *limit* bytes, as on a full disk; coverage would need files too."""
    code = (
        "import resource, runpy, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv[0] = 'scrapy'\n"
        "runpy.run_module('scrapy', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, *crawl_arguments(folder), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(http_proxy=address, COVERAGE_PROCESS_CONFIG=""),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
