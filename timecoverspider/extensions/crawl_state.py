"""How far a crawl is, what of it failed, and how it ended."""

import asyncio
import logging
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from timecoverspider.dataset.rows import Image, Page
from timecoverspider.dataset.write_queue import WriteQueue
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
from timecoverspider.extensions.opening import open_dataset
from timecoverspider.text import one_line
from timecoverspider.utils.request import page_url

logger = logging.getLogger(__name__)

_SIGNALS = (
    "engine_started",
    "request_scheduled",
    "request_dropped",
    "spider_closed",
    "engine_stopped",
)
_PIPELINE = "timecoverspider.pipelines.ImageStorePipeline"
_AHEAD = 500  # pages that wait their turn before pagination waits: those of a large archive would fill the memory


class CrawlState:
    """The state of one crawl: an extension that the other components get from the crawler.

    Enabled by DATASET_ENABLED, which only ``scrapy crawl`` sets. Raises DatasetError if the data set cannot be used,
    and UsageError if a feed or the settings contradict it.
    """

    def __init__(self, crawler: Crawler) -> None:
        assert crawler.spider is not None  # noqa: S101 (Scrapy makes it before its extensions)
        self._crawler, self._spider, settings = crawler, crawler.spider, crawler.settings
        self.stopping = asyncio.Event()  # from when on nothing new is begun
        self.refresh = self._is_asked("refresh")  # all pages again, and images that changed
        repair = getattr(self._spider, "repair", None)  # an argument of verify --repair: the paths of damaged images
        self._repairs = frozenset(repair) if isinstance(repair, list) else None
        self._pending: dict[str, Request] = {}  # pages that were requested and are not read yet, by URL
        self._failed: dict[str, str] = {}  # pages that could not be had, or whose images could not, with the reason
        self._site_error = self._abort_reason = self._cut_by = ""
        self._signal = 0
        self._settling = asyncio.Lock()
        self._has_pipeline = False
        self._finished = self._stopped_early = self._leads_in_circles = False
        self.pages_read = 0  # but for start pages
        self.item_pages_read = 0  # pages that yielded a record
        self.stored_pages_listed = 0  # links to pages that need not be requested
        self.saved = self.new = 0  # records that were saved, and those among them that were not here before
        with ExitStack() as held:
            self.dataset = open_dataset(crawler)
            held.callback(self.dataset.close)
            self.survey = self.dataset.survey(self._repairs or ())
            self.known = len(self.survey.pages)  # pages that need not be requested
            self._may_stop_early = self._is_audited() and not self._is_asked("full") and not self.refresh
            self._number = (
                0 if self.repairs else self.dataset.catalog.begin_crawl(self._spider.name, settings["ARCHIVE"])
            )
            self.queue = WriteQueue(self.dataset.catalog, self._number)
            # The pages that the spider leads to, if keys do not tell which records have moved.
            self._listed: set[str] | None = None if self.dataset.catalog.fields.key else set()
            self._held = held.pop_all()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("DATASET_ENABLED"):
            raise NotConfigured
        state = cls(crawler)
        for name in _SIGNALS:
            crawler.signals.connect(getattr(state, name), getattr(signals, name))
        return state

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The state of a crawl. Raises NotConfigured, which leaves the caller out, in a command that has none."""
        state = crawler.get_extension(cls)
        if state is None:
            raise NotConfigured
        return state

    def _is_asked(self, argument: str) -> bool:
        return getattr(self._spider, argument, "0") == "1"

    def _is_audited(self) -> bool:
        catalog = self.dataset.catalog
        last, valid = catalog.last_complete_walk(), timedelta(days=self._crawler.settings.getfloat("AUDIT_EVERY_DAYS"))
        return last is not None and datetime.now(UTC) - last < valid and catalog.last_crawl_was_complete()

    # What need not be requested.

    @property
    def repairs(self) -> bool:
        """Whether damaged images are fetched and nothing else. The catalog does not list it as a crawl."""
        return self._repairs is not None

    @property
    def may_stop_early(self) -> bool:
        """Whether a listing without a new page may end the crawl, because an earlier crawl saw the rest."""
        return self._may_stop_early

    def is_stored(self, url: str) -> bool:
        """Whether a page, to which the spider leads, need not be requested: its record is stored.

        An image of the record may be damaged; it is fetched without the page.
        """
        if self._listed is not None:
            self._listed.add(url)
        return not self.refresh and url in self.survey.pages

    # What happens to pages.

    @property
    def pending(self) -> int:
        """How many pages were requested and are not read yet."""
        return len(self._pending)

    @property
    def is_crowded(self) -> bool:
        """Whether so many pages are pending that pagination should wait."""
        return len(self._pending) > _AHEAD

    def request_scheduled(self, request: Request) -> None:
        self._pending.setdefault(page_url(request, self._spider), request)

    def request_dropped(self, request: Request) -> None:
        url = page_url(request, self._spider)
        if self._pending.get(url) is request:  # else it is a duplicate of one that is pending
            del self._pending[url]

    def record_page(self, page: Page, *, stored: int, is_start: bool) -> None:
        """Write down that a page has been read, and how many stored pages it lists."""
        self._pending.pop(page.url, None)
        self.pages_read += not is_start
        self.item_pages_read += bool(page.records)
        self.stored_pages_listed += stored
        if page.url not in self._failed:
            self.queue.add_page(page)

    def record_failure(self, url: str, reason: str) -> None:
        """Write down that a page, or an image of its record, could not be had: one line and a stat."""
        self._pending.pop(url, None)
        if url not in self._failed:
            self._failed[url] = one_line(reason)
            self.queue.add_failure(url, self._failed[url])
            self._crawler.stats.inc_value("covers/failed")
            logger.error("Missing: <%s>: %s", url, self._failed[url])

    def record_site_error(self, url: str, reason: str) -> None:
        """Write down why the site cannot be read; the first reason is the one that counts."""
        self._pending.pop(url, None)
        reason = one_line(f"<{url}>: {reason}" if url else reason)
        logger.error("The archive cannot be read: %s", reason)
        self._site_error = self._site_error or reason

    @property
    def has_site_error(self) -> bool:
        """Whether the site could not be read."""
        return bool(self._site_error)

    # What happens to records and images.

    def record_image(self, image: Image) -> None:
        """Write down that an image is stored. The records that are saved later may have it."""
        self.queue.add_image(image)
        for page in self.survey.pages_with(image):
            self.queue.add_failure(page, "")
        self.survey.repair(image.path)

    def record_saved(self, is_new: bool) -> None:
        """Count a record that has been saved."""
        self.saved += 1
        self.new += is_new

    # How it ends.

    def stop_early(self) -> None:
        """Note that the listings need not be read further, because an earlier crawl saw the rest."""
        self._stopped_early = True

    def cut(self, by: str) -> None:
        """Note what kept the crawl from reading everything; the first limit is the one that counts."""
        self._cut_by = self._cut_by or by

    def record_circle(self) -> None:
        """Note that the listings lead back to a page that was read, so that their end was not seen."""
        self._leads_in_circles = True

    @property
    def is_cut(self) -> bool:
        """Whether something kept, or keeps, the crawl from reading all listings."""
        return bool(self._cut_by or self._site_error or self._stopped_early or self._leads_in_circles or self.repairs)

    def abort(self, reason: str) -> None:
        """Note why there is no sense in going on, and end the crawl."""
        if not self._abort_reason:
            self._abort_reason = reason
            self.stop("aborted")

    def interrupt(self, number: int) -> None:
        """End the crawl in good order, because this signal asked for it."""
        self._signal = number
        logger.info("%s: what is on its way is awaited; another one ends it at once", InterruptedCrawlError(number))
        self.stop("shutdown")

    def stop(self, reason: str) -> None:
        """Close the spider as soon as what is in flight has arrived."""
        self.stopping.set()
        if self._crawler.engine and self._crawler.engine.running:
            self._closing = asyncio.ensure_future(self._close(reason))

    async def _close(self, reason: str) -> None:
        with suppress(RuntimeError):  # it is closed already
            assert self._crawler.engine is not None  # noqa: S101 (it runs)
            await self._crawler.engine.close_spider_async(reason=reason)

    def register_pipeline(self) -> None:
        """Note that there is a pipeline that stores images."""
        self._has_pipeline = True

    def engine_started(self) -> None:
        if not self._has_pipeline:
            self.stopping.set()
        if self.stopping.is_set():  # perhaps what asked for it came while the crawl was starting
            self._closing = asyncio.ensure_future(self._close("shutdown"))

    @property
    def stored(self) -> int:
        """How many records are stored, with all their images."""
        return self.survey.complete + self.new

    @property
    def missing(self) -> dict[str, str]:
        """Pages whose records are not stored, with the reason."""
        gone = [url for image in self.survey.damaged for url in self.survey.pages_with(image)]
        return (
            dict.fromkeys(gone, "its image is gone from the folder")
            | dict.fromkeys(self._pending, "it was requested and not received")
            | self._failed
        )

    @property
    def outcome(self) -> CrawlError | None:
        """How the crawl ended, or would end now: None if the data set is complete."""
        if not self._has_pipeline:
            return UsageError(f"ITEM_PIPELINES must contain {_PIPELINE}, which stores the images")
        if self._abort_reason:
            return AbortedError(self._abort_reason)
        if self._signal:
            return InterruptedCrawlError(self._signal)
        if self._site_error:
            return SiteError(self._site_error)
        if self.missing or not self._is_walked:
            return IncompleteError(self._cut_by)
        return None

    @property
    def _is_walked(self) -> bool:
        return self.repairs or (self._finished and not self._cut_by and not self._leads_in_circles)

    async def settle(self) -> None:
        """Write what is left to the catalog, and forget records that have moved. Raises CatalogError."""
        async with self._settling:
            await self.queue.flush()
            if self._listed is not None and self.outcome is None and not self._stopped_early and not self.repairs:
                await asyncio.to_thread(self.dataset.catalog.forget_moved, self._number, self._listed)
                self._listed = None

    async def spider_closed(self, spider: Spider, reason: str) -> None:
        self._finished = reason == "finished"
        if not self._finished:
            self.cut(reason)
        outcome = self.outcome
        try:
            await self.settle()
            if self._number:
                self.dataset.catalog.end_crawl(
                    self._number,
                    outcome=outcome.label if outcome else COMPLETE,
                    complete_walk=self._is_walked and not self._stopped_early,
                    cut_by=self._cut_by,
                    known=self.stored - self.new,
                    new=self.new,
                    failed=len(self.missing),
                    requests=self._crawler.stats.get_value("downloader/request_count", 0),
                )
        except CatalogError as error:
            self.abort(str(error))

    def engine_stopped(self) -> None:
        self._held.close()
