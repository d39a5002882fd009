"""The data set that a crawl works on: its folder, its catalog, and how complete it is."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from twisted.python.failure import Failure

from timecoverspider.dataset.catalog import COMPLETE, Catalog, Cover
from timecoverspider.dataset.database import set_aside_if_corrupt
from timecoverspider.dataset.files import clear_incoming
from timecoverspider.dataset.lock import claim, lock
from timecoverspider.exceptions import CatalogError, DatasetError
from timecoverspider.items import MagazineCover
from timecoverspider.text import one_line

logger = logging.getLogger(__name__)

_COMMIT_INTERVAL = 0.05  # seconds; a transaction for each cover would take as long as the rest of the crawl


class Dataset:
    """The data set of one crawl: an extension that the other components get from the crawler.

    Enabled by DATASET_ENABLED, which only ``scrapy crawl`` sets. Raises DatasetError when it cannot be opened.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._settings = crawler.settings
        self.folder = Path(self._settings["FILES_STORE"]).resolve()
        #: Covers whose row and picture are here, by page URL.
        self.known: set[str] = set()
        #: Covers whose picture is gone or has another size, by page URL.
        self.damaged: dict[str, Cover] = {}
        #: Covers that were found but could not be had, by page URL, with the reason.
        self.failed: dict[str, str] = {}
        #: Covers whose pages have been asked for, by page URL, until they are here or have failed.
        self.awaited: set[str] = set()
        self.new = 0  # covers that were not here before
        self.unreadable = ""  # why the archive could not be read
        self.broken = ""  # why the crawl could not go on
        self.walked_whole = False  # to the last listing page
        self.signal = 0  # that asked the crawl to stop
        self.ending = asyncio.Event()  # from when on nothing new is begun
        self._unsaved: dict[str, Cover] = {}
        self._next_write: asyncio.Future[None] | None = None
        self._writing = asyncio.Lock()
        self.refresh = self._asked("refresh")
        #: Whether just what is damaged is fetched. It is no crawl for the catalog, which would take it for a whole one.
        self.repairs = self.walked_enough = self._settings["REPAIR"] is not None
        self._loop = asyncio.get_running_loop()
        with ExitStack() as held:
            held.callback(_leave_when_interrupted)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._interrupted)  # what Scrapy's are told before the engine runs gets lost
            self.catalog = self._open(held)
            self.may_stop_early = self._survey()
            self._number = None if self.repairs else self.catalog.begin_crawl(self._settings["ARCHIVE"])
            self._held = held.pop_all()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("DATASET_ENABLED"):
            raise NotConfigured
        dataset = cls(crawler)
        crawler.signals.connect(dataset.engine_started, signals.engine_started)
        crawler.signals.connect(dataset.item_error, signals.item_error)
        crawler.signals.connect(dataset.spider_closed, signals.spider_closed)
        crawler.signals.connect(dataset.engine_stopped, signals.engine_stopped)
        return dataset

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The data set of a crawl. Raises NotConfigured, which leaves the caller out, in a command that has none."""
        dataset = crawler.get_extension(cls)
        if dataset is None:
            raise NotConfigured
        return dataset

    def _open(self, held: ExitStack) -> Catalog:
        """Take the folder and open its catalog; *held* lets go of them."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held.callback(os.close, lock(self.folder))
            claim(self.folder, self._settings["ARCHIVE"])
            clear_incoming(self.folder)
            file = self.folder / "catalog.db"
            if not self._settings["CATALOG_URL"] and (aside := set_aside_if_corrupt(file)):
                logger.warning("The catalog could not be read. It is now %s, and a new one is made.", aside)
        except OSError as error:
            raise DatasetError(f"cannot use {self.folder}: {error.strerror}") from error
        catalog = Catalog(self._settings["CATALOG_URL"] or file)
        held.callback(catalog.close)
        return catalog

    def _survey(self) -> bool:
        """See which covers are here; tells whether the walk may stop where it meets only these."""
        to_repair = set(self._settings.getlist("REPAIR"))
        for cover in self.catalog.covers():
            if self.size(cover.path) == cover.bytes and cover.page_url not in to_repair:
                self.known.add(cover.page_url)
            else:
                self.damaged[cover.page_url] = cover
        last_audit = self.catalog.last_whole_walk()
        valid = timedelta(days=self._settings.getfloat("AUDIT_EVERY_DAYS"))
        audited = last_audit is not None and datetime.now(UTC) - last_audit < valid
        return audited and self.catalog.last_crawl_was_complete() and not self._asked("full") and not self.refresh

    def _asked(self, argument: str) -> bool:
        return getattr(self._crawler.spider, argument, "0") == "1"

    def size(self, path: str) -> int | None:
        """The size of a stored picture in bytes, or None where there is none."""
        try:
            return os.stat(f"{self.folder}/{path}").st_size  # noqa: PTH116 (pathlib takes thrice as long)
        except OSError:
            return None

    def covers(self) -> Iterator[Cover]:
        """The covers that are here, row and picture, newest first."""
        return (cover for cover in self.catalog.covers() if cover.page_url not in self.damaged)

    async def save(self, cover: Cover) -> None:
        """Write a cover to the catalog; on return it is on disk.

        Covers that come while others are being written go into one transaction. Raises CatalogError.
        """
        self._unsaved[cover.page_url] = cover
        if self._next_write is None:
            self._next_write = asyncio.ensure_future(self._write())
        await asyncio.shield(self._next_write)
        if cover.page_url not in self.known and cover.page_url not in self.damaged:
            self.new += 1
        self.known.add(cover.page_url)
        self.damaged.pop(cover.page_url, None)
        self.awaited.discard(cover.page_url)

    async def _write(self) -> None:
        async with self._writing:
            await asyncio.sleep(_COMMIT_INTERVAL)
            batch, self._unsaved, self._next_write = self._unsaved, {}, None
            await asyncio.to_thread(self.catalog.save, batch.values())

    def miss(self, page_url: str, reason: str) -> None:
        """Note that a cover could not be had: one line of the log and the stat ``covers/failed``."""
        if page_url not in self.failed:
            reason = one_line(reason)
            self.failed[page_url] = reason
            self.awaited.discard(page_url)
            self._crawler.stats.inc_value("covers/failed")
            logger.error("Missing: <%s>: %s", page_url, reason)

    def misread(self, reason: str) -> None:
        """Note why the archive cannot be read; the first reason is the one that counts."""
        reason = one_line(reason)
        logger.error("The archive cannot be read: %s", reason)
        self.unreadable = self.unreadable or reason

    def give_up(self, reason: str) -> None:
        """Note why there is no sense in going on, and end the crawl."""
        if not self.broken:
            self.broken = reason
            if self._crawler.engine.running:
                self.end_early("broken")

    def end_early(self, reason: str) -> None:
        """Close the spider as soon as what is in flight has arrived."""
        self.ending.set()
        self._closing = asyncio.ensure_future(self._close(reason))

    async def _close(self, reason: str) -> None:
        with suppress(RuntimeError):  # it is closed already
            await self._crawler.engine.close_spider_async(reason=reason)

    @property
    def missing(self) -> dict[str, str]:
        """Covers that were found and are not here, by page URL, with the reason."""
        gone = dict.fromkeys(self.damaged, "its picture is gone from the folder")
        return gone | dict.fromkeys(self.awaited, "it was asked for and never came") | self.failed

    @property
    def exit_status(self) -> int:
        """What ``scrapy crawl`` exits with: 0 only where the data set is complete. The README has the list."""
        if self.broken:
            return 1
        if self.signal:
            return 128 + self.signal
        if self.unreadable:
            return 4
        return 0 if (self.walked_whole or self.walked_enough) and not self.missing else 3

    def item_error(self, item: MagazineCover, failure: Failure) -> None:
        """Miss a cover that met a bug, of which Scrapy logs the traceback."""
        self.miss(item.page_url, str(failure.value))

    def spider_closed(self) -> None:
        if self._number is None:
            return
        outcomes = {0: COMPLETE, 1: "broken off", 3: "covers missing", 4: "archive unreadable"}
        try:
            self.catalog.end_crawl(
                self._number,
                outcome=outcomes.get(self.exit_status, "interrupted"),
                whole_walk=self.walked_whole,
                known=len(self.known) - self.new,
                new=self.new,
                failed=len(self.missing),
                requests=self._crawler.stats.get_value("downloader/request_count", 0),
            )
        except CatalogError as error:
            self.broken = self.broken or str(error)

    def engine_stopped(self) -> None:
        self._held.close()

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._loop.call_soon_threadsafe(self._shut_down)
        _leave_when_interrupted()  # Scrapy would wait for what is in flight

    def _shut_down(self) -> None:
        logger.info("%s: what is on its way is awaited; another one ends it at once", signal.Signals(self.signal).name)
        self.ending.set()
        if self._crawler.engine and self._crawler.engine.running:
            self.end_early("shutdown")

    def engine_started(self) -> None:
        if self.signal:  # it came while the crawl was starting
            self.end_early("shutdown")


def _leave_when_interrupted() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os._exit(128 + number))
