"""How a crawl ends: limits, errors, signals, and the outcome."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from scrapy import Request
from scrapy.crawler import Crawler

from timecoverspider.dataset.status import read_status, write_report
from timecoverspider.exceptions import (
    COMPLETE,
    AbortedError,
    CatalogError,
    CrawlError,
    IncompleteError,
    InterruptedCrawlError,
    SiteError,
    UsageError,
)
from timecoverspider.extensions.known_pages import KnownPages
from timecoverspider.text import one_line
from timecoverspider.utils.spider import dataset_options

logger = logging.getLogger(__name__)

NOT_STORED = "requested, but no record was stored"
_PIPELINE = "timecoverspider.pipelines.ImageStorePipeline"


class CrawlEnd(KnownPages):
    """The part of CrawlState that ends the crawl, and knows its outcome."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.stopping = asyncio.Event()  # if set, no new request or retry is started
        limit = str(vars(self._spider).get("limit"))  # the argument; an attribute of the class has another meaning
        self._limit = int(limit) if limit.isdecimal() else 0  # records after which the crawl ends; 0 is no limit
        self._taken = self._open_items = 0  # items that count towards the limit, and those of them in the pipelines
        self._pending: dict[str, Request] = {}  # requested pages that are not read yet, by URL
        self._failed: dict[str, str] = {}  # reason by URL, for pages that failed or have a failed image
        self._excused: set[str] = set()  # URLs of failed pages, if a user has accepted the failure
        self._unread = ""  # if only failed pages are requested: why not all listings had been read before
        self._site_error = self._abort_reason = self._cut_by = ""
        self._signal = 0
        self._number = 0  # the crawl's id in the catalog; 0 if it only repairs
        self._written = ""  # the outcome in the catalog
        self._has_pipeline = False
        self._finished = self._stopped_early = self._has_loop = False

    @property
    def has_limit(self) -> bool:
        """Whether the crawl has the argument ``limit``."""
        return bool(self._limit)

    def is_enough(self, item: Mapping[str, Any]) -> bool:
        """Return whether an item must be left out, because it is new and ``-a limit`` is reached.

        The crawl ends as soon as the records up to the limit are stored.
        """
        with suppress(CatalogError, TypeError, ValueError):  # item_scraped reports the error
            if self.dataset.catalog.has_record(self.dataset.catalog.fields.key_of(item)):
                return False
        if self._is_limited:
            return True
        self._taken += 1
        self._open_items += 1
        return False

    def end_item(self) -> None:
        """Count an item that is saved, dropped or failed; stop if the limit is reached and no other item is open."""
        self._open_items -= 1
        if self._is_limited and self._open_items <= 0 and not self.stopping.is_set():
            self.cut("limit")
            self.stop("limit")

    @property
    def _is_limited(self) -> bool:
        return 0 < self._limit <= self.survey.records + self._taken

    def stop_early(self) -> None:
        """Record that the listings end early, because an earlier crawl has read the rest."""
        self._stopped_early = True

    def cut(self, by: str) -> None:
        """Record the limit or reason that ended the crawl too early; only the first is kept."""
        self._cut_by = self._cut_by or by

    def record_circle(self) -> None:
        """Record that a listing links back to an earlier listing, so the last listing was not reached."""
        self._has_loop = True

    @property
    def _reads_no_listings(self) -> bool:
        return self.repairs or self.only_failed

    @property
    def is_cut(self) -> bool:
        """Whether the crawl does not read all listings."""
        return (
            bool(self._cut_by or self._site_error or self._stopped_early or self._has_loop) or self._reads_no_listings
        )

    def abort(self, reason: str) -> None:
        """End the crawl because of a fatal error; only the first reason is kept."""
        if not self._abort_reason:
            self._abort_reason = one_line(reason)
            self.stop("aborted")

    def interrupt(self, number: int) -> None:
        """End the crawl gracefully after a signal with this number."""
        self._signal = number
        name = InterruptedCrawlError(number)
        logger.info("%s: the crawl ends after the requests in flight; a second signal ends it at once", name)
        self.dataset.catalog.hurry()
        self.stop("shutdown")

    def stop(self, reason: str) -> None:
        """Close the spider after the requests in flight."""
        self.stopping.set()
        with suppress(RuntimeError):  # Scrapy 2.19 raises it before there is an engine; engine_started closes then
            if self._crawler.engine and self._crawler.engine.running:
                self._closing = asyncio.ensure_future(self._close(reason))

    async def _close(self, reason: str) -> None:
        with suppress(RuntimeError):  # already closed
            assert self._crawler.engine is not None  # noqa: S101 (checked in stop())
            await self._crawler.engine.close_spider_async(reason=reason)

    def record_site_error(self, url: str, reason: str) -> None:
        """Record why the site cannot be read; only the first reason is kept."""
        self._pending.pop(url, None)
        reason = one_line(f"<{url}>: {reason}" if url else reason)
        logger.error("The site cannot be read: %s", reason)
        self._site_error = self._site_error or reason

    @property
    def has_site_error(self) -> bool:
        """Whether the site could not be read."""
        return bool(self._site_error)

    def register_pipeline(self) -> None:
        """Record that the pipeline that stores images is enabled."""
        self._has_pipeline = True

    @property
    def missing(self) -> dict[str, str]:
        """The reason by URL, for each page without a stored record, with a damaged image, or with a failure.

        Without the failures that a user has accepted.
        """
        damaged = [url for image in self.survey.damaged for url in self.survey.pages_with(image)]
        missing = (
            dict.fromkeys(damaged, "the image file is missing or damaged")
            | ({} if self._is_limited else dict.fromkeys(self._pending, NOT_STORED))
            | self._failed
        )
        return {url: reason for url, reason in missing.items() if url not in self._excused}

    @property
    def accepted(self) -> int:
        """The number of failures that a user has accepted."""
        return len(self._excused)

    @property
    def outcome(self) -> CrawlError | None:
        """How the crawl ended, or would end now; None if the data set is complete."""
        if not self._has_pipeline:
            return UsageError(f"ITEM_PIPELINES must contain {_PIPELINE}, which stores the images")
        if self._abort_reason:
            return AbortedError(self._abort_reason)
        if self._signal:
            return InterruptedCrawlError(self._signal)
        if self._site_error:
            return SiteError(self._site_error)
        if self.missing or not (self._is_read_to_the_end or self._is_limited):
            return IncompleteError(self._cut_by or self._unread)
        return None

    @property
    def _is_read_to_the_end(self) -> bool:
        return self.repairs or (self._finished and not (self._cut_by or self._has_loop or self._unread))

    @property
    def _label(self) -> str:
        return self.outcome.label if self.outcome else COMPLETE

    def _current_failures(self) -> set[str] | None:
        """Return the pages that have failed and still exist, or None if the crawl did not read all listings."""
        if not self._is_read_to_the_end or self._reads_no_listings:
            return None
        unread = self._accepted.keys() if self._stopped_early else ()
        return {*self._failed, *self._pending, *unread}

    def leave_report(self) -> None:
        """Write the status of the data set to ``report.json``."""
        if self._number and self._label != self._written:  # a feed could not be written
            with suppress(CatalogError):
                self.dataset.catalog.end_crawl(self._number, outcome=self._label)
        try:
            options = dataset_options(self._crawler.settings, self.dataset.folder)
            status = read_status(self.dataset, self.survey, options=options, ended_as=self._label)
            write_report(self.dataset.layout, status)
        except (CatalogError, OSError) as error:
            logger.warning("Cannot write %s: %s", self.dataset.layout.report, getattr(error, "strerror", None) or error)
