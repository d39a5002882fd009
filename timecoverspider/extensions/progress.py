"""What a crawl shows while it runs and when it ends."""

import logging
import os
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.utils.asyncio import create_looping_call

from timecoverspider.archives import find_archive
from timecoverspider.extensions.crawl_state import Dataset

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger(__name__)

_NAMED = 3  # missing covers that the closing line names


class Progress:
    """Shows how many of the covers found are stored, and closes the log with one line.

    On a terminal there is a bar, elsewhere a line every LOGSTATS_INTERVAL seconds.
    """

    def __init__(self, crawler: Crawler) -> None:
        if not crawler.settings.getbool("DATASET_ENABLED"):
            raise NotConfigured
        self._crawler = crawler
        self._settings = crawler.settings
        self._started = monotonic()
        self._found = self._stored = 0
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
        logger.info("The archive is %s (ARCHIVE=%s).", find_archive(archive).description, archive)
        interval = self._settings.getfloat("LOGSTATS_INTERVAL")
        if interval and not sys.stderr.isatty():
            lines = create_looping_call(self._log)
            lines.start(interval)
            self._screen.callback(lines.stop)

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        self._find(request, 1)

    def request_dropped(self, request: Request, spider: Spider) -> None:
        self._find(request, -1)  # it had been found before

    def _find(self, request: Request, count: int) -> None:
        if getattr(request.callback, "__name__", "") != "parse_covers":
            return
        self._found += count
        if self._bar is None and sys.stderr.isatty():
            from tqdm import tqdm  # noqa: PLC0415 (only a terminal needs it)
            from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415

            self._screen.enter_context(logging_redirect_tqdm())
            logging.root.handlers[-1].setLevel(self._settings["LOG_LEVEL"])  # which the redirection forgets
            self._bar = self._screen.enter_context(tqdm(desc="covers", unit="cover", dynamic_ncols=True, leave=False))
        if self._bar is not None:
            self._bar.total = self._found

    def item_scraped(self) -> None:
        self._stored += 1
        if self._bar is not None:
            self._bar.update()

    def _log(self) -> None:
        if self._found:
            rate = self._stored / (monotonic() - self._started)
            logger.info(
                "%s of %s covers found are stored, %.0f a second", f"{self._stored:,}", f"{self._found:,}", rate
            )

    def spider_closed(self) -> None:
        self._screen.close()

    def engine_stopped(self) -> None:
        """Say how it ended, after everything else has been said."""
        dataset = self._crawler.get_extension(Dataset)
        if dataset is None:
            return
        troubled = logging.INFO if dataset.exit_status == 0 else logging.ERROR
        logger.log(troubled, "%s%s", _verdict(dataset), self._figures(dataset))

    def _figures(self, dataset: Dataset) -> str:
        feeds = " and ".join(self._settings.getdict("FEEDS")) or "the catalog"
        pictures = Path(os.path.relpath(dataset.folder)) / "full"
        requests = self._crawler.stats.get_value("downloader/request_count", 0)
        new = f"{dataset.new:,} new" if dataset.new else "nothing new"
        return (
            f"{len(dataset.known):,} covers in {feeds}, {len(dataset.known):,} pictures in {pictures}, {new}: "
            f"{requests:,} requests, {monotonic() - self._started:.0f} s"
        )


def _verdict(dataset: Dataset) -> str:
    """The beginning of the closing line, with what there is to complain about."""
    match dataset.exit_status:
        case 0:
            return ""
        case 1:
            return f"Broken off, {dataset.broken}. "
        case 3 if dataset.missing:
            named = "; ".join(f"<{url}> {reason}" for url, reason in islice(dataset.missing.items(), _NAMED))
            return f"{len(dataset.missing):,} missing ({named}{'; …' if len(dataset.missing) > _NAMED else ''}). "
        case 3:
            return "Ended before the last listing page. "
        case 4:
            return f"The archive could not be read: {dataset.unreadable}. "
    return "Interrupted. "
