"""Crawls that are interrupted by a signal, or locked out by another crawl."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest
from aiohttp import web
from data_set import assert_complete, feed, records, rows
from mock_archive import DAYS, INDEX, MockArchive, page
from scrapy_command import crawl_arguments, last_line, run_scrapy, start_crawl
from serving import serving

from timecoverspider.replica.pages import cover_page, cover_url, image_url

pytestmark = pytest.mark.slow


def test_crawl_that_is_interrupted_once_publishes_what_is_stored(tmp_path: Path, filled: Path) -> None:
    archive, process = MockArchive(latency=0.02), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        process[0].send_signal(signal.SIGINT)
        return page(cover_page(DAYS[20]))

    archive.answers[cover_url(DAYS[20])] = interrupt
    with serving(archive.app) as address:
        process.append(start_crawl(tmp_path, address))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 130
    assert "Traceback" not in log
    assert 0 < len(records(tmp_path)) == rows(tmp_path, "SELECT count(*) FROM records")[0][0]
    assert rows(tmp_path, "SELECT outcome FROM crawls") == [("interrupted",)]
    assert_complete(tmp_path)
    assert MockArchive().crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


@pytest.mark.parametrize("line", ["ARCHIVE=live", "Spider opened", "Closing spider (finished)"])
def test_crawl_that_is_interrupted_while_it_begins_or_ends_publishes_what_is_stored(
    tmp_path: Path, filled: Path, line: str
) -> None:
    log = []
    with serving(MockArchive().app) as address, start_crawl(tmp_path, address) as process:
        assert process.stderr
        for said in process.stderr:
            log.append(said)
            if line in said:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert "Traceback" not in "".join(log)
    assert rows(tmp_path, "SELECT outcome FROM crawls") == [("interrupted",)]
    assert len(records(tmp_path)) == rows(tmp_path, "SELECT count(*) FROM records")[0][0]
    assert MockArchive().crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_sigterm_for_the_process_group_loses_no_image_that_is_being_stored(tmp_path: Path, filled: Path) -> None:
    archive, process = MockArchive(latency=0.02), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        pid = process[0].pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        process[0].send_signal(signal.SIGTERM)
        return page(cover_page(DAYS[20]))

    archive.answers[cover_url(DAYS[20])] = interrupt
    with serving(archive.app) as address:
        process.append(start_crawl(tmp_path, address))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 143, log
    assert "Missing" not in log
    assert_complete(tmp_path)
    assert MockArchive().crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_crawl_that_is_interrupted_twice_stops_at_once(tmp_path: Path, filled: Path) -> None:
    archive, process = MockArchive(latency=0.02), []

    def interrupt_twice() -> None:
        process[0].send_signal(signal.SIGTERM)
        assert process[0].stderr
        for line in process[0].stderr:
            if "Closing spider (shutdown)" in line:
                process[0].send_signal(signal.SIGTERM)
        process[0].wait(60)  # it does not wait for an answer

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(interrupt_twice)
        return web.Response()

    archive.answers[cover_url(DAYS[20])] = hang
    with serving(archive.app) as address:
        process.append(start_crawl(tmp_path, address))
        process[0].wait(60)
    assert process[0].returncode == 143
    assert not (tmp_path / "output.json").exists()
    assert MockArchive().crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_second_crawl_is_refused_and_named_the_process_at_work(folder: Path) -> None:
    archive, second = MockArchive(), []

    async def crawl_too(request: web.Request) -> web.StreamResponse:
        before = sorted(path for path in folder.rglob("*"))
        second.append(run_scrapy(*crawl_arguments(folder), cwd=folder))
        assert sorted(path for path in folder.rglob("*")) == before
        return web.Response(status=404)

    archive.answers[INDEX] = crawl_too
    with serving(archive.app) as address:
        first = start_crawl(folder, address)
        first.communicate(timeout=60)
    assert second[0].returncode == 5
    assert re.search(rf"in use by process {first.pid} since \d{{4}}-", last_line(second[0]))
    assert MockArchive().crawl(folder).returncode == 0  # the lock of a process that is gone does not block


def test_interrupt_ends_the_fetching_of_damaged_images(folder: Path, filled: Path) -> None:
    for image in (folder / "output" / "full").iterdir():
        image.unlink()
    archive, process = MockArchive(latency=0.1), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        process[0].send_signal(signal.SIGINT)
        return web.Response(status=503)

    archive.answers[image_url(DAYS[0])] = interrupt
    with serving(archive.app) as address:
        process.append(start_crawl(folder, address, "-s", "RETRY_BACKOFF=5"))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 130, log
    assert len(archive.requests_to("img.timeinc.net")) < 40
    assert feed(folder) == feed(filled)  # a failed crawl removes nothing
    assert MockArchive().crawl(folder).returncode == 0
    assert feed(folder) == feed(filled)
