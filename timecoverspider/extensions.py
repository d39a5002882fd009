"""What a crawl shows while it runs and when it ends."""

import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import NoReturn, Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.utils.asyncio import create_looping_call
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

logger = logging.getLogger(__name__)

_ARCHIVES = {
    "replica": "the replica that this project carries: its pictures are drawn, they are not TIME's",
    "live": "the live one",
}


class Progress:
    """Counts covers found and stored, shows them, and closes the log with one line.

    A cover is found when its page is about to be asked for, and missing when no item came of it
    (stats ``covers/found``, ``covers/missing``). On a terminal there is a bar, elsewhere a line
    every LOGSTATS_INTERVAL seconds; neither before a cover is found, so not in ``scrapy fetch``.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._stats = crawler.stats
        self._settings = crawler.settings
        self._started = monotonic()
        self._screen = ExitStack()
        self._bar: tqdm[NoReturn] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        progress = cls(crawler)
        crawler.signals.connect(progress.spider_opened, signals.spider_opened)
        crawler.signals.connect(progress.request_scheduled, signals.request_scheduled)
        crawler.signals.connect(progress.request_dropped, signals.request_dropped)
        crawler.signals.connect(progress.item_scraped, signals.item_scraped)
        crawler.signals.connect(progress.spider_closed, signals.spider_closed)
        crawler.signals.connect(progress.engine_stopped, signals.engine_stopped)
        return progress

    def spider_opened(self) -> None:
        archive = self._settings["ARCHIVE"]
        logger.info("The archive is %s (ARCHIVE=%s).", _ARCHIVES[archive], archive)
        interval = self._settings.getfloat("LOGSTATS_INTERVAL")
        if interval and not sys.stderr.isatty():
            lines = create_looping_call(self._log)
            lines.start(interval)
            self._screen.callback(lines.stop)

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        self._find(request, spider, 1)

    def request_dropped(self, request: Request, spider: Spider) -> None:
        self._find(request, spider, -1)  # it had been found before

    def _find(self, request: Request, spider: Spider, count: int) -> None:
        if request.callback == getattr(spider, "parse_covers", None):
            self._stats.inc_value("covers/found", count)
            if self._bar is None and sys.stderr.isatty():
                self._open_bar()
            if self._bar is not None:
                self._bar.total = self._stats.get_value("covers/found")

    def _open_bar(self) -> None:
        self._screen.enter_context(logging_redirect_tqdm())
        logging.root.handlers[-1].setLevel(self._settings["LOG_LEVEL"])  # which the redirection forgets
        self._bar = self._screen.enter_context(tqdm(desc="covers", unit="cover", dynamic_ncols=True, leave=False))

    def item_scraped(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def spider_closed(self) -> None:
        found, stored = self._count()
        self._stats.set_value("covers/missing", found - stored)
        self._screen.close()

    def engine_stopped(self) -> None:
        """Say how it ended, after everything else has been said."""
        found, stored = self._count()
        if not found:
            return
        feeds = " and ".join(self._settings.getdict("FEEDS")) or "no feed"
        missing = f", {found - stored:,} missing" if found > stored else ""
        pictures = Path(os.path.relpath(self._settings["FILES_STORE"])) / "full"
        requests = self._stats.get_value("downloader/request_count", 0)
        logger.info(
            f"{stored:,} covers in {feeds}, {stored:,} pictures in {pictures}{missing}: "
            f"{requests:,} requests, {monotonic() - self._started:.0f} s"
        )

    def _count(self) -> tuple[int, int]:
        return self._stats.get_value("covers/found", 0), self._stats.get_value("item_scraped_count", 0)

    def _log(self) -> None:
        found, stored = self._count()
        if found:
            rate = stored / (monotonic() - self._started)
            logger.info("%s of %s covers found so far are stored, %.0f a second", f"{stored:,}", f"{found:,}", rate)
