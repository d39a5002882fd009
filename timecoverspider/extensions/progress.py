"""Progress lines during a crawl, and the closing line of the log."""

import glob
import logging
import os
import shlex
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.settings import SETTINGS_PRIORITIES
from scrapy.utils.asyncio import create_looping_call
from w3lib.url import file_uri_to_path

from timecoverspider.archives import find_archive
from timecoverspider.exceptions import (
    AbortedError,
    CrawlError,
    IncompleteError,
    InterruptedCrawlError,
    SiteError,
    UsageError,
)
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.text import without_password

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger(__name__)

_VERDICTS: dict[type[CrawlError], str] = {
    AbortedError: "Aborted: {}",
    IncompleteError: "Ended before the last listing page",
    InterruptedCrawlError: "Interrupted",
    SiteError: "The site could not be read: {}",
    UsageError: "Refused: {}",
}
_NAMED = 3  # number of missing covers that the closing line names


class Progress:
    """Shows the progress of a crawl, and ends the log with one closing line.

    On a terminal, it shows a progress bar; otherwise, it logs a line every LOGSTATS_INTERVAL seconds.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler, self._settings = crawler, crawler.settings
        self._started = monotonic()
        self._screen = ExitStack()
        self._bar: tqdm[NoReturn] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("DATASET_ENABLED"):
            raise NotConfigured
        progress = cls(crawler)
        names = ["spider_opened", "item_scraped", "spider_closed", "engine_stopped"]
        if sys.stderr.isatty():
            names.append("request_scheduled")
        for name in names:
            crawler.signals.connect(getattr(progress, name), getattr(signals, name))
        return progress

    @property
    def _state(self) -> CrawlState:
        return CrawlState.of(self._crawler)

    @property
    def _total(self) -> int | None:
        """The number of records that the crawl ends with, or None if neither the site nor the catalog tells."""
        state = self._state
        if state.repairs:
            return state.survey.records
        return state.stated or (state.known and max(state.known, state.processed + state.pending)) or None

    def spider_opened(self) -> None:
        archive = self._settings["ARCHIVE"]
        logger.info("The archive is %s (ARCHIVE=%s).", find_archive(archive).description, archive)
        interval = self._settings.getfloat("LOGSTATS_INTERVAL")
        if interval and not sys.stderr.isatty():
            lines = create_looping_call(self._log)
            lines.start(interval)
            self._screen.callback(lines.stop)

    def request_scheduled(self) -> None:
        if self._bar is None and self._state.pending > 1:  # more than the start page or one listing
            from tqdm import tqdm  # noqa: PLC0415 (only a terminal needs it)
            from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415

            self._screen.enter_context(logging_redirect_tqdm())
            logging.root.handlers[-1].setLevel(self._settings["LOG_LEVEL"])  # tqdm does not keep the level
            done = self._state.processed
            self._bar = tqdm(
                desc=self._state.noun,
                unit=f" {self._state.noun}",
                total=self._total,
                initial=done,
                dynamic_ncols=True,
                leave=False,
            )
            self._screen.enter_context(self._bar)

    def item_scraped(self) -> None:
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.update(self._state.processed - self._bar.n)

    def _log(self) -> None:
        state, seconds = self._state, monotonic() - self._started
        if not (state.saved or state.failed):
            return
        rate, total = (state.saved + state.failed) / seconds, self._total
        left = f", {max(total - state.processed, 0) / rate:,.0f} s left" if total else ""
        of = f" of {total:,}" if total else ""
        logger.info("%s%s %s are processed, %.0f per second%s", f"{state.processed:,}", of, state.noun, rate, left)

    def spider_closed(self) -> None:
        self._screen.close()

    def engine_stopped(self) -> None:
        """Log how the crawl ended, as the last line of the log."""
        state = self._state
        level = logging.ERROR if state.outcome else logging.INFO
        logger.log(level, "%s%s", _verdict(state), self._figures(state))

    def _figures(self, state: CrawlState) -> str:
        stats, is_aborted = self._crawler.stats, isinstance(state.outcome, AbortedError)
        failed = is_aborted or stats.get_value("feedexport/failed_count/AtomicFeedStorage")
        feeds = "" if failed else " and ".join(map(without_password, map(str, self._settings.getdict("FEEDS"))))
        place = f"in {feeds}" if feeds else "stored"
        images = os.path.relpath(state.dataset.layout.images)
        requests = stats.get_value("downloader/request_count", 0)
        new = f"{state.new:,} new" if state.new else "nothing new"
        if state.accepted:
            new = f"{new}, {state.accepted:,} accepted as failed"
        if state.stated is not None:
            new = f"{new}, {state.stated:,} on the site"
        return (
            f"{state.stored:,} {state.noun} {place}, {state.images:,} images in {images}, {new}: "
            f"{requests:,} requests, {monotonic() - self._started:.0f} s{self._gallery(state)}{self._leftovers(state)}"
        )

    def _gallery(self, state: CrawlState) -> str:
        """Return where the gallery is, or the command that builds it."""
        page = state.dataset.layout.gallery_page
        if not state.images:
            return ""
        words = ["scrapy", "gallery"]
        if self._crawler.spidercls.name != self._settings["MAIN_SPIDER"]:
            words.append(self._crawler.spidercls.name)
        if self._settings.getpriority("FILES_STORE") == SETTINGS_PRIORITIES["cmdline"]:
            words += ["-s", f"FILES_STORE={os.path.relpath(state.dataset.folder)}"]
        command = shlex.join(words)
        if not page.exists():
            return f". To look at the images: {command}"
        return f". To renew the gallery: {command}" if state.new else f". Gallery: {os.path.relpath(page)}"

    def _leftovers(self, state: CrawlState) -> str:
        """Return the names of files that were renamed in this crawl or an earlier one, until somebody removes them."""
        feeds = [Path(file_uri_to_path(str(uri))) for uri in self._settings.getdict("FEEDS")]
        layout = state.dataset.layout
        files = [*layout.folder.glob(f"{layout.catalog.name}.corrupt-*")]
        files += layout.folder.glob(f"{layout.metadata.name}.kept-*")
        for feed in feeds:
            files += feed.parent.glob(f"{glob.escape(feed.name)}.kept-*")
        names = sorted(os.path.relpath(file) for file in files)
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        return f". Set aside: {', '.join(names[:_NAMED])}{more}" if names else ""


def _verdict(state: CrawlState) -> str:
    """Return the beginning of the closing line: why the data set is not complete, or nothing."""
    outcome, missing = state.outcome, state.missing
    if outcome is None:
        return ""
    limit = f" ({outcome})" if isinstance(outcome, IncompleteError) and str(outcome) else ""
    if isinstance(outcome, IncompleteError) and missing:
        named = "; ".join(f"<{url}> {reason}" for url, reason in islice(missing.items(), _NAMED))
        early = f"; ended early{limit}" if limit else ""
        return f"{len(missing):,} missing ({named}{'; …' if len(missing) > _NAMED else ''}){early}. "
    return f"{_VERDICTS[type(outcome)].format(outcome).rstrip('.')}{limit}. "
