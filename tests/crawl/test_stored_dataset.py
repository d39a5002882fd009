"""What a crawl makes of the data set that it finds: damaged, deleted, moved, elsewhere, in use."""

import asyncio
import hashlib
import json
import re
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from data_set import feed, image_path, records, rows
from mock_archive import DAYS, MockArchive
from scrapy_command import SPIDER, last_line, run_program, run_scrapy, start_crawl
from serving import serving
from yarl import URL

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url, image_url, listing_url


def test_catalog_has_a_row_for_each_cover_page_and_crawl(folder: Path) -> None:
    file = image_path(folder, DAYS[0])
    content, path = file.read_bytes(), f"full/{file.name}"
    [row] = rows(folder, f"SELECT * FROM images WHERE path = '{path}'")
    assert row[1:6] == (image_url(DAYS[0]), hashlib.md5(content).hexdigest(), 600, 790, len(content))
    assert row[7] == "Mon, 10 Mar 2014 00:00:00 GMT"
    assert datetime.fromisoformat(row[8]).timestamp() == pytest.approx(file.stat().st_mtime)  # when it was stored
    [row] = rows(folder, f"SELECT * FROM records WHERE page_url = '{cover_url(DAYS[0])}'")
    assert json.loads(row[1]) == ["2014-03-10", [image_url(DAYS[0])]]
    assert json.loads(row[2]) == records(folder)[0]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", time) for time in row[6:8])
    assert rows(folder, "SELECT count(*), sum(records), sum(requests) FROM pages") == [(44, 40, 43)]
    assert rows(folder, f"SELECT value FROM dataset WHERE name = 'spider' AND value = '{SPIDER}'")
    assert [(Path(path).name, count) for path, count in rows(folder, "SELECT path, records FROM feeds")] == [
        ("output.json", 40)
    ]
    MockArchive().crawl(folder)
    found = rows(folder, "SELECT outcome, complete_walk, known, new, failed, requests FROM crawls ORDER BY id")
    assert found == [("complete", 1, 0, 40, 0, 87), ("complete", 0, 40, 0, 0, 3)]


def test_damaged_images_are_fetched_again_and_nothing_else(folder: Path, filled: Path) -> None:
    deleted, cut, one, other = (image_path(folder, day) for day in DAYS[20:24])
    deleted.unlink()
    cut.write_bytes(cut.read_bytes()[:5000])
    swapped = one.read_bytes(), other.read_bytes()
    other.write_bytes(swapped[0])
    one.write_bytes(swapped[1])
    archive = MockArchive()
    done = archive.crawl(folder)
    assert done.returncode == 0, done.stderr
    assert sorted(archive.requests_to("img.timeinc.net")) == sorted(map(image_url, DAYS[20:24]))
    assert not archive.requests_to("content.time.com")
    for day in DAYS[20:24]:
        assert image_path(folder, day).read_bytes() == draw_cover(day, 600)
    assert feed(folder) == feed(filled)


def test_deleted_feed_is_written_again_for_three_requests(folder: Path, filled: Path) -> None:
    (folder / "output.json").unlink()
    archive = MockArchive()
    assert archive.crawl(folder).returncode == 0
    assert len(archive.requests) == 3
    assert feed(folder) == feed(filled)


def test_deleted_catalog_is_made_again_without_downloading_valid_images(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    image_path(folder, DAYS[7]).write_bytes(image_path(folder, DAYS[7]).read_bytes()[:-2])  # not complete
    image_path(folder, DAYS[8]).unlink()
    done = MockArchive().crawl(folder, "-s", "STATS_DUMP=1", "-L", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert "'file_status_count/uptodate': 38" in done.stderr
    assert "'file_status_count/downloaded': 2" in done.stderr
    assert feed(folder) == feed(filled)


def test_corrupt_catalog_is_set_aside_and_made_again(folder: Path, filled: Path) -> None:
    catalog = folder / "output" / "catalog.db"
    catalog.write_bytes(catalog.read_bytes()[:5000] + b"\xff" * 3000)
    done = MockArchive().crawl(folder)
    assert done.returncode == 0, done.stderr
    assert feed(folder) == feed(filled)
    [aside] = (folder / "output").glob("catalog.db.corrupt-*")
    assert aside.name in done.stderr
    assert "Traceback" not in done.stderr


def test_refused_catalog_is_one_line_before_anything_is_requested(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "output" / "catalog.db", isolation_level=None)) as connection:
        connection.execute("UPDATE timecoverspider SET schema_version = 99")
    archive = MockArchive()
    done = archive.crawl(folder)
    assert done.returncode == 1
    assert "catalog.db" in last_line(done)
    assert "Traceback" not in done.stderr
    assert not archive.requests


def test_moved_dataset_is_complete_where_it_is_now(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere, archive = tmp_path_factory.mktemp("elsewhere"), MockArchive()
    shutil.move(folder / "output", elsewhere / "output")
    assert archive.crawl(elsewhere).returncode == 0
    assert len(archive.requests) == 3
    assert len(records(elsewhere)) == 40


def test_dataset_of_another_archive_is_refused(folder: Path) -> None:
    done = run_scrapy("crawl", SPIDER, "-s", f"FILES_STORE={folder / 'output'}", cwd=folder)  # the replica
    assert done.returncode == 1
    assert "ARCHIVE=live" in last_line(done)
    assert len(rows(folder, "SELECT * FROM records")) == 40


def test_catalog_in_postgresql_gives_the_same_feed(tmp_path: Path, filled: Path, database: str) -> None:
    arguments = ["-s", f"CATALOG_URL={database}"]
    assert MockArchive(DAYS[2:]).crawl(tmp_path, *arguments).returncode == 0
    archive = MockArchive()
    done = archive.crawl(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(archive.requests_to("content.time.com")) == 2
    assert feed(tmp_path) == feed(filled)
    assert not (tmp_path / "output" / "catalog.db").exists()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (40,)


def test_catalog_out_of_reach_is_one_line_without_the_password(tmp_path: Path) -> None:
    done = MockArchive().crawl(tmp_path, "-s", "CATALOG_URL=postgresql+psycopg://u:secret@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "postgresql://127.0.0.1:1/x" in last_line(done)
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_threads_read_beside_a_running_crawl(tmp_path: Path) -> None:
    archive, counts = MockArchive(), []

    def read() -> None:
        with Dataset(tmp_path / "output") as dataset:
            reader = dataset.records()
            next(reader, None)  # which is still open while the crawl goes on
            counts.append(dataset.catalog.count())

    async def look(request: web.Request) -> web.StreamResponse:
        await asyncio.gather(*(asyncio.to_thread(read) for _ in range(4)))
        return web.Response(status=404)

    archive.answers[str(URL(listing_url(offset=15)))] = look
    with serving(archive.app) as address:
        process = start_crawl(tmp_path, address)
        log = process.communicate(timeout=60)[1]
    assert process.returncode == 4, log  # the second listing is gone
    assert len(counts) == 4
    assert len(records(tmp_path)) == 15


HOST = """
import asyncio, signal, sys, threading
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.utils.project import get_project_settings
from timecoverspider.extensions.crawl_state import CrawlState

async def crawl():
    settings = get_project_settings()
    settings.setdict({"DATASET_ENABLED": True, "FILES_STORE": "output", "FEEDS": {"output.json": {"format": "json"}}})
    settings.setdict({"ARCHIVE": "live", "DOWNLOAD_DELAY": 0, "AUTOTHROTTLE_ENABLED": False}, priority="cmdline")
    runner = AsyncCrawlerRunner(settings)
    crawler = runner.create_crawler("pyimagesearch-cover-spider")
    await runner.crawl(crawler)
    print(crawler.get_extension(CrawlState).outcome)

before = signal.getsignal(signal.SIGINT)
thread = threading.Thread(target=asyncio.run, args=(crawl(),))
thread.start()
thread.join()
print(signal.getsignal(signal.SIGINT) is before)
"""


def test_host_program_crawls_in_a_thread_and_keeps_its_signal_handlers(tmp_path: Path) -> None:
    with serving(MockArchive().app) as address:
        done = run_program(sys.executable, "-c", HOST, cwd=tmp_path, http_proxy=address)
    assert done.stdout.splitlines() == ["None", "True"], done.stderr
    assert len(records(tmp_path)) == 40
