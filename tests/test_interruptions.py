"""Crawls that are killed, interrupted, locked out, or out of space."""

import asyncio
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web
from conftest import (
    DAYS,
    INDEX,
    Site,
    assert_whole,
    closing,
    crawl_arguments,
    environment,
    feed,
    records,
    rows,
    run_scrapy,
    serving,
    start,
)

from timecoverspider.dataset.tables import TABLES
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, image_url


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a whole crawl takes, in seconds."""
    started = monotonic()
    Site(DAYS).crawl(tmp_path_factory.mktemp("timed"))
    return monotonic() - started


@pytest.mark.parametrize("seed", range(30))
def test_killed_at_any_instant_nothing_is_lost(tmp_path: Path, filled: Path, duration: float, seed: int) -> None:
    site = Site(DAYS)
    with serving(site.app) as address:
        process = start(tmp_path, address)
        try:
            process.communicate(timeout=random.Random(seed).uniform(0.3, 1.05) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    assert_whole(tmp_path)
    stored = 0
    if (tmp_path / "output" / "catalog.db").exists():
        tables = {name for (name,) in rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables in (set(), set(TABLES))
        stored = rows(tmp_path, "SELECT count(*) FROM records")[0][0] if tables else 0
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(site.asked_of("content.time.com")) == 40 - stored
    assert feed(tmp_path) == feed(filled)
    assert not list((tmp_path / "output" / ".incoming").iterdir())


def test_killed_ten_times_in_a_row_it_still_gets_there(tmp_path: Path, filled: Path, duration: float) -> None:
    chance = random.Random(10)
    for _ in range(10):
        with serving(Site(DAYS).app) as address:
            process = start(tmp_path, address)
            try:
                process.communicate(timeout=chance.uniform(0.5, 0.9) * duration)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        assert_whole(tmp_path)
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def hanging(site: Site, day: date, process: list["subprocess.Popen[str]"], *numbers: int) -> None:
    """Have the site send signals to the crawl when it is asked for a cover."""

    async def interrupt(request: web.Request) -> web.StreamResponse:
        for number in numbers:
            process[0].send_signal(number)
        return web.Response(text=cover_page(day), content_type="text/html")

    site.instead[cover_url(day)] = interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once_it_publishes_what_it_has(tmp_path: Path, filled: Path, number: int) -> None:
    site, process = Site(DAYS, latency=0.02), []
    hanging(site, DAYS[20], process, number)
    with serving(site.app) as address:
        process.append(start(tmp_path, address))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 128 + number
    assert "Interrupted" in log.splitlines()[-1]
    assert "Traceback" not in log
    assert 0 < len(records(tmp_path)) == rows(tmp_path, "SELECT count(*) FROM records")[0][0]
    assert rows(tmp_path, "SELECT outcome FROM crawls") == [("interrupted",)]
    assert_whole(tmp_path)
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


@pytest.mark.parametrize("line", ["The archive is the live one", "Spider opened", "Closing spider (finished)"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_begins_or_ends(tmp_path: Path, filled: Path, number: int, line: str) -> None:
    log = []
    with serving(Site(DAYS).app) as address, start(tmp_path, address) as process:
        assert process.stderr
        for said in process.stderr:
            log.append(said)
            if line in said:
                process.send_signal(number)
    assert process.returncode == 128 + number
    assert "Interrupted" in log[-1]
    assert "Traceback" not in "".join(log)
    assert rows(tmp_path, "SELECT outcome FROM crawls") == [("interrupted",)]
    assert len(records(tmp_path)) == rows(tmp_path, "SELECT count(*) FROM records")[0][0]
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_sigterm_for_the_whole_group_loses_nothing_on_its_way(tmp_path: Path, filled: Path) -> None:
    site, process = Site(DAYS, latency=0.02), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        pid = process[0].pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        process[0].send_signal(signal.SIGTERM)
        return web.Response(text=cover_page(DAYS[20]), content_type="text/html")

    site.instead[cover_url(DAYS[20])] = interrupt
    with serving(site.app) as address:
        process.append(start(tmp_path, address))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 143, log
    assert "Missing" not in log
    assert_whole(tmp_path)
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_interrupted_twice_it_stops_at_once(tmp_path: Path, filled: Path) -> None:
    site, process = Site(DAYS, latency=0.02), []

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

    site.instead[cover_url(DAYS[20])] = hang
    with serving(site.app) as address:
        process.append(start(tmp_path, address))
        process[0].wait(60)
    assert process[0].returncode == 143
    assert not (tmp_path / "output.json").exists()
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_a_second_crawl_is_told_who_is_at_work(folder: Path) -> None:
    site, second = Site(DAYS), []

    async def crawl_too(request: web.Request) -> web.StreamResponse:
        before = sorted(path for path in folder.rglob("*"))
        second.append(run_scrapy(*crawl_arguments(folder), cwd=folder))
        assert sorted(path for path in folder.rglob("*")) == before
        return web.Response(status=404)

    site.instead[INDEX] = crawl_too
    with serving(site.app) as address:
        first = start(folder, address)
        first.communicate(timeout=60)
    assert second[0].returncode == 5
    assert re.search(rf"in use by process {first.pid} since \d{{4}}-", closing(second[0]))
    assert Site(DAYS).crawl(folder).returncode == 0  # the lock of a process that is gone does not block


# Room for files of so many bytes: too few for an image, if the catalog is on another disk, or for the catalog's rows.
@pytest.mark.parametrize(("limit", "said"), [(30_000, "cannot write to"), (120_000, "cannot use the catalog")])
def test_a_full_disk_ends_the_crawl_and_harms_nothing(tmp_path: Path, database: str, limit: int, said: str) -> None:
    site = Site(issue_dates(400))
    arguments = ["-s", f"CATALOG_URL={database}"] if said == "cannot write to" else []
    with serving(site.app) as address:
        done = _limited(tmp_path, address, limit, *arguments)
    assert done.returncode == 1, done.stderr
    assert f"Broken off, {said}" in closing(done)
    assert "Traceback" not in done.stderr
    assert_whole(tmp_path)
    assert len(site.asked_of("content.time.com")) < 350
    done = site.crawl(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 400
    assert_whole(tmp_path)


def test_a_full_disk_leaves_the_feed_as_it_was(folder: Path, database: str) -> None:
    arguments = ["-s", f"CATALOG_URL={database}"]  # which is not on this disk
    assert Site(DAYS).crawl(folder, *arguments).returncode == 0
    with (folder / "output.json").open("ab") as file:
        file.write(b"\n")
    before = feed(folder)
    with serving(Site(DAYS).app) as address:
        done = _limited(folder, address, len(before) - 100, *arguments)
    assert done.returncode == 1
    assert "Broken off, cannot write output.json: File too large" in closing(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before
    assert not list(folder.glob(".output*"))


def _limited(folder: Path, address: str, limit: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Crawl where no file may grow beyond *limit* bytes, as on a disk that is full."""
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
        env=environment(http_proxy=address),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_one_interrupt_ends_the_fetching_of_damaged_images(folder: Path, filled: Path) -> None:
    for image in (folder / "output" / "full").iterdir():
        image.unlink()
    site, process = Site(DAYS, latency=0.1), []

    async def interrupt(request: web.Request) -> web.StreamResponse:
        process[0].send_signal(signal.SIGINT)
        return web.Response(status=503)

    site.instead[image_url(DAYS[0])] = interrupt
    with serving(site.app) as address:
        process.append(start(folder, address, "-s", "RETRY_BACKOFF=5"))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 130, log
    assert len(site.asked_of("img.timeinc.net")) < 40
    assert feed(folder) == feed(filled)  # a failed crawl removes nothing
    assert Site(DAYS).crawl(folder).returncode == 0
    assert feed(folder) == feed(filled)


def test_records_whose_pages_were_not_written_down_are_not_missed_in_the_listings(folder: Path, filled: Path) -> None:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    with connection:  # as if the crawl had been killed before it wrote these
        connection.execute("DELETE FROM pages WHERE url IN (SELECT url FROM pages WHERE records = 1 LIMIT 10)")
    connection.close()
    site = Site(DAYS)
    done = site.crawl(folder, "-a", "full=1")
    assert done.returncode == 0, done.stderr
    assert len(site.asked_of("content.time.com")) == 10
    assert feed(folder) == feed(filled)
