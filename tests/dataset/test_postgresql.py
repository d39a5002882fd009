"""A PostgreSQL server that does not answer, or is gone, ends a crawl in one line."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from aiohttp import web
from mock_archive import DAYS, MockArchive, page, serving
from sample_dataset import record, save
from scrapy_command import start_crawl

from timecoverspider.dataset import postgresql
from timecoverspider.dataset.catalog import Catalog
from timecoverspider.exceptions import CatalogError
from timecoverspider.replica.pages import cover_page, cover_url

pytestmark = pytest.mark.slow

Process = subprocess.Popen[str]


def processes(server: str) -> list[int]:
    """Return the processes of a server; the first has started the others."""
    [folder] = parse_qs(urlsplit(server).query)["host"]
    pid = int(Path(folder, "postmaster.pid").read_text().splitlines()[0])
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def freeze(server: str) -> list[int]:
    frozen = processes(server)
    for pid in frozen:
        with suppress(ProcessLookupError):  # the process of a connection that was just closed
            os.kill(pid, signal.SIGSTOP)
    return frozen


def thaw(frozen: list[int]) -> None:
    for pid in frozen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen_server(server: str) -> Iterator[None]:
    frozen = freeze(server)
    try:
        yield
    finally:
        thaw(frozen)


def test_server_that_is_frozen_is_waited_for_with_a_line_and_given_up(
    server: str, database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_NOTICE", 1)
    with closing(Catalog(database, write=True)) as catalog:
        catalog._database.patience = 2
        with frozen_server(server):
            for _ in range(2):  # the second time, it is not waited for
                with pytest.raises(CatalogError, match=r"the server has not answered for 2 s$"):
                    catalog.count()
            with pytest.raises(CatalogError):
                list(catalog.stored_pages())
    [line] = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert line.startswith("Waiting for the catalog postgresql://")
    assert "postgres:@" not in line


def test_server_that_is_frozen_while_rows_are_streamed_is_given_up(server: str, database: str) -> None:
    with closing(Catalog(database, write=True)) as catalog:
        save(catalog, *(record(f"p{number}", urls=(f"i{number}",)) for number in range(2500)))
        catalog._database.patience = 2
        rows = catalog.files()
        next(rows)
        with frozen_server(server), pytest.raises(CatalogError, match=r"the server has not answered for 2 s$"):
            list(rows)


def test_server_that_is_slow_and_answers_is_not_given_up(
    server: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed = threading.Event()
    monkeypatch.setattr(postgresql, "_NOTICE", 1)
    monkeypatch.setattr(postgresql.logger, "warning", lambda *_: noticed.set())
    with closing(Catalog(database, write=True)) as catalog:
        frozen = freeze(server)
        helper = threading.Thread(target=lambda: (noticed.wait(30), thaw(frozen)))
        helper.start()
        assert catalog.count() == 0
        helper.join()
        assert noticed.is_set()
        assert save(catalog, record("p")) == [True]


def crawl(folder: Path, database: str, when: str, do: Callable[[Process], None]) -> tuple[int, str]:
    """Crawl with the catalog in a database; return the exit status and the log. *do* is called with the process."""
    archive, process = MockArchive(DAYS[:20]), []

    async def act(request: web.Request) -> web.StreamResponse:
        do(process[0])
        return page(cover_page(DAYS[3]))

    archive.answers[when] = act
    with serving(archive.app) as address:
        process.append(start_crawl(folder, address, "-s", f"CATALOG_URL={database}"))
        log = process[0].communicate(timeout=60)[1]
    return process[0].returncode, log


def test_one_interrupt_ends_a_crawl_whose_server_is_frozen(tmp_path: Path, server: str, database: str) -> None:
    frozen: list[int] = []

    def act(process: Process) -> None:
        frozen.extend(freeze(server))
        process.send_signal(signal.SIGINT)

    try:
        status, log = crawl(tmp_path, database, cover_url(DAYS[3]), act)
    finally:
        thaw(frozen)
    assert status in (1, 130)
    assert "the server has not answered for 3 s" in log.splitlines()[-1]
    assert "in output.json" not in log.splitlines()[-1]
    assert "Traceback" not in log
    assert MockArchive(DAYS[:20]).crawl(tmp_path, "-s", f"CATALOG_URL={database}").returncode == 0


def test_one_interrupt_ends_a_crawl_that_waits_for_a_frozen_server_before_it_starts(
    tmp_path: Path, server: str, database: str
) -> None:
    with frozen_server(server):
        process = start_crawl(tmp_path, "http://127.0.0.1:9", "-s", f"CATALOG_URL={database}")
        lock = tmp_path / "output" / ".lock"
        while not lock.exists() or not lock.read_bytes():  # it takes the lock before it opens the catalog
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        log = process.communicate(timeout=20)[1]  # less than the time-out of a connection
    assert process.returncode == 130
    assert "interrupted by SIGINT" in log.splitlines()[-1]
    assert "Traceback" not in log


def test_server_that_ends_the_connection_aborts_the_crawl_and_no_feed_is_named(
    tmp_path: Path, server: str, database: str
) -> None:
    def act(process: Process) -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [urlsplit(database).path[1:]],
            )

    status, log = crawl(tmp_path, database, cover_url(DAYS[3]), act)
    assert status == 1
    assert "Aborted: cannot use the catalog postgresql://" in log.splitlines()[-1]
    assert "in output.json" not in log.splitlines()[-1]
    assert "Traceback" not in log
    assert not (tmp_path / "output.json").exists()
    assert MockArchive(DAYS[:20]).crawl(tmp_path, "-s", f"CATALOG_URL={database}").returncode == 0
