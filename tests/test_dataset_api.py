"""The data set as a person uses it: from Python, beside a crawl, from another program."""

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from conftest import DAYS, INDEX, SPIDER, Site, environment, picture, records, serving, start

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exceptions import DatasetError, DatasetLockedError


def snapshot(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_reading_takes_no_lock_and_changes_nothing(folder: Path) -> None:
    (folder / "output" / ".incoming").mkdir(exist_ok=True)
    (folder / "output" / ".incoming" / "draft").write_text("half")
    before = snapshot(folder)
    with Dataset(folder / "output") as dataset:
        found = list(dataset.records())
        assert [record.item for record in found] == records(folder)
        assert all((dataset.folder / image.path).stat().st_size == image.bytes for image in dataset.images())
        assert [(Path(feed.path).name, feed.records) for feed in dataset.feeds()] == [("output.json", 40)]
        assert [crawl.outcome for crawl in dataset.crawls()] == ["complete"]
        assert dataset.catalog.spider == SPIDER
    assert snapshot(folder) == before


def test_reading_where_there_is_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no catalog at .*/output/catalog\.db"):
        Dataset(tmp_path / "output")
    assert not list(tmp_path.iterdir())


def test_writing_is_for_one_at_a_time_and_reading_for_all(folder: Path) -> None:
    with Dataset(folder / "output", write=True, archive="live"):
        with pytest.raises(DatasetLockedError, match=f"in use by process {os.getpid()}"):
            Dataset(folder / "output", write=True, archive="live")
        with Dataset(folder / "output") as reader:
            assert reader.catalog.count() == 40
    Dataset(folder / "output", write=True, archive="live").close()


def test_a_survey_tells_what_is_stored(folder: Path) -> None:
    picture(folder, DAYS[3]).unlink()
    with Dataset(folder / "output") as dataset:
        found = dataset.survey()
        assert (found.records, len(found.pages)) == (40, 40)
        [image] = found.damaged
        assert image.path == f"full/{picture(folder, DAYS[3]).name}"
        assert len(list(dataset.complete_records(found))) == 39


def test_threads_read_beside_a_running_crawl(tmp_path: Path) -> None:
    site, counts = Site(DAYS), []

    def read() -> None:
        with Dataset(tmp_path / "output") as dataset:
            reader = dataset.records()
            next(reader, None)  # and is not in a hurry
            counts.append(dataset.catalog.count())

    async def look(request: web.Request) -> web.StreamResponse:
        await asyncio.gather(*(asyncio.to_thread(read) for _ in range(4)))
        return web.Response(status=404)

    site.instead[f"{INDEX.partition('?')[0]}?N=46+30&Ns=p_date_range%7C1&Nty=1&No=15"] = look
    with serving(site.app) as address:
        process = start(tmp_path, address)
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


def test_a_host_program_crawls_in_a_thread_and_keeps_its_signals(tmp_path: Path) -> None:
    with serving(Site(DAYS).app) as address:
        done = subprocess.run(
            [sys.executable, "-c", HOST],
            cwd=tmp_path,
            env=environment(http_proxy=address),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout.splitlines() == ["None", "True"], done.stderr
    assert len(records(tmp_path)) == 40


def test_a_data_set_that_is_forgotten_holds_no_lock(tmp_path: Path) -> None:
    Dataset(tmp_path / "output", write=True, archive="live")  # as by a crawl that could not start
    gc.collect()
    Dataset(tmp_path / "output", write=True, archive="live").close()
