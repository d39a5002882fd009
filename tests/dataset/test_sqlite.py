"""An SQLite file that somebody else reads or writes."""

import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from mock_archive import DAYS, MockArchive, page, serving
from sample_dataset import record, save
from scrapy_command import start_crawl

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.exceptions import CatalogError
from timecoverspider.replica.pages import cover_page, cover_url

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE"])
def test_catalog_that_somebody_looks_at_for_long_is_waited_for(tmp_path: Path, begin: str) -> None:
    file = tmp_path / "catalog.db"
    new: list[bool] = []
    with closing(Catalog(file, write=True)) as catalog, closing(sqlite3.connect(file)) as other:
        save(catalog, record("p", urls=("i",)))
        other.isolation_level = None
        other.execute(begin)
        other.execute("SELECT * FROM records").fetchone()
        writer = threading.Thread(target=lambda: new.extend(save(catalog, record("q", urls=("j",)))))
        writer.start()
        writer.join(7)  # Python waits for 5 s, unless it is told otherwise
        assert writer.is_alive()
        other.execute("ROLLBACK")
        writer.join(30)
        assert new == [True]
        assert catalog.count() == 2


def test_catalog_that_is_locked_is_given_up_after_the_patience_is_over(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    with closing(Catalog(file, write=True)) as catalog, closing(sqlite3.connect(file)) as other:
        other.isolation_level = None
        other.execute("BEGIN EXCLUSIVE")
        catalog.hurry()
        for work in (lambda: save(catalog, record("p")), catalog.count, lambda: list(catalog.stored_pages())):
            with pytest.raises(CatalogError, match=r"catalog\.db: database is locked$"):
                work()
        other.execute("ROLLBACK")
        assert save(catalog, record("p")) == [True]


def test_one_interrupt_ends_a_crawl_whose_catalog_is_locked(tmp_path: Path) -> None:
    archive, process, locks = MockArchive(DAYS[:20]), [], []

    async def lock(request: web.Request) -> web.StreamResponse:
        locks.append(sqlite3.connect(tmp_path / "output" / "catalog.db", isolation_level=None, check_same_thread=False))
        locks[0].execute("BEGIN IMMEDIATE")
        process[0].send_signal(signal.SIGINT)
        return page(cover_page(DAYS[3]))

    archive.answers[cover_url(DAYS[3])] = lock
    with serving(archive.app) as address:
        process.append(start_crawl(tmp_path, address))
        log = process[0].communicate(timeout=50)[1]
    locks[0].close()
    assert process[0].returncode in (1, 130)
    assert "database is locked" in log.splitlines()[-1]
    assert "Traceback" not in log
    assert MockArchive(DAYS[:20]).crawl(tmp_path).returncode == 0
