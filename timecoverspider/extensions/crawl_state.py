"""The state of a crawl: pending pages, failures, and the outcome."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self

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
from timecoverspider.utils.budget import Budget
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
_AHEAD = 500  # if more pages are pending, pagination waits, or the requests of a large archive would fill the memory
BODIES = 32 * 2**20  # bytes of bodies in memory; 24 images of 16 MB each took 0.7 GB, and 40 that waited 3 GB


class CrawlState:
    """The state of one crawl: an extension that the other components get from the crawler.

    Enabled by DATASET_ENABLED, which only ``scrapy crawl`` and ``scrapy verify`` set.

    Raises: DatasetError if the data set cannot be used; UsageError if a feed or a spider attribute is wrong.
    """

    def __init__(self, crawler: Crawler) -> None:
        assert crawler.spider is not None  # noqa: S101 (Scrapy creates it before the extensions)
        self._crawler, self._spider, settings = crawler, crawler.spider, crawler.settings
        self.bodies = Budget(BODIES)
        self.stopping = asyncio.Event()  # if set, no new request or retry is started
        self.refresh = self._has_argument("refresh")  # request all pages again, and images that changed
        repair = getattr(self._spider, "repair", None)  # paths of damaged images, from verify --repair
        self._repairs = frozenset(repair) if isinstance(repair, list) else None
        limit = str(vars(self._spider).get("limit"))  # the argument; an attribute of the class has another meaning
        self._limit = int(limit) if limit.isdecimal() else 0  # records after which the crawl ends; 0 is no limit
        self._taken = self._open_items = 0  # items that count towards the limit, and those of them in the pipelines
        self._pending: dict[str, Request] = {}  # requested pages that are not read yet, by URL
        self._failed: dict[str, str] = {}  # reason by URL, for pages that failed or have a failed image
        self._site_error = self._abort_reason = self._cut_by = ""
        self._signal = 0
        self._settle_lock = asyncio.Lock()
        self._has_pipeline = False
        self._images: int | None = None  # at the end
        self._finished = self._stopped_early = self._has_loop = False
        self.pages_read = 0  # without start pages
        self.item_pages_read = 0  # pages that yielded a record
        self.known_pages_listed = 0  # links to pages whose records are stored
        self.moved = 0  # records that were stored with another URL
        self.dropped = 0  # items that a pipeline of the user has dropped
        self.stated: int | None = None  # the number of records that the site states
        self.saved = self.new = 0  # saved records, and how many of these are new
        with ExitStack() as held:
            self.dataset = open_dataset(crawler)
            held.callback(self.dataset.close)
            self.survey = self.dataset.survey(self._repairs or ())
            self.known = len(self.survey.pages)  # pages of one record each
            days = 0 if self._has_argument("full") else settings.getfloat("AUDIT_EVERY_DAYS")
            self._audited_since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
            self._may_stop_early = self._has_recent_audit() and not self._has_argument("full") and not self.refresh
            self._number = (
                0 if self.repairs else self.dataset.catalog.begin_crawl(self._spider.name, settings["ARCHIVE"])
            )
            self.queue = WriteQueue(self.dataset.catalog, self._number)
            # URLs of all pages that the spider found, to detect records that moved. Not needed if records have keys.
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
        """Return the state of a crawl.

        Raises: NotConfigured if the command has no data set; Scrapy then disables the calling component.
        """
        state = crawler.get_extension(cls)
        if state is None:
            raise NotConfigured
        return state

    def _has_argument(self, argument: str) -> bool:
        return getattr(self._spider, argument, "0") == "1"

    def _has_recent_audit(self) -> bool:
        catalog = self.dataset.catalog
        last, valid = catalog.last_complete_walk(), timedelta(days=self._crawler.settings.getfloat("AUDIT_EVERY_DAYS"))
        return last is not None and datetime.now(UTC) - last < valid and catalog.last_crawl_was_complete()

    # Pages that need not be requested.

    @property
    def repairs(self) -> bool:
        """Repair mode: whether only damaged images are fetched. Not recorded in the catalog as a crawl."""
        return self._repairs is not None

    def may_stop_early(self, requested: int) -> bool:
        """Return whether the listings may end at one without a new page, because an earlier crawl has read the rest.

        If the site states more records than are stored or *requested* in this crawl, the rest has new pages.
        """
        return self._may_stop_early and (self.stated is None or self.survey.records + requested >= self.stated)

    def is_known(self, url: str) -> bool:
        """Return whether the record of a page of one record is stored."""
        if self._listed is not None:
            self._listed.add(url)
        return url in self.survey.pages

    def need_not_request(self, url: str, *, is_item_page: bool) -> bool:
        """Return whether a page need not be requested, because its record is stored.

        If the spider does not say that it is an item page, a page counts as one if it has yielded one record and
        nothing else, and it is read again after AUDIT_EVERY_DAYS. An image of the record may be damaged: the image is
        downloaded again without the page.
        """
        if self.refresh:
            return False
        if is_item_page:
            return url in self.survey.pages or url in self.survey.others
        return self.survey.pages.get(url, "") > self._audited_since

    # Pages.

    @property
    def pending(self) -> int:
        """The number of requested pages that are not read yet."""
        return len(self._pending)

    @property
    def is_crowded(self) -> bool:
        """Whether so many pages are pending that pagination should wait."""
        return len(self._pending) > _AHEAD

    def request_scheduled(self, request: Request) -> None:
        self._pending.setdefault(page_url(request, self._spider), request)

    def request_dropped(self, request: Request) -> None:
        url = page_url(request, self._spider)
        if self._pending.get(url) is request:  # otherwise a duplicate of a pending request was dropped
            del self._pending[url]

    def record_page(self, page: Page, *, known: int, is_start: bool) -> None:
        """Record that a page has been read, and how many known pages it lists."""
        self._pending.pop(page.url, None)
        self.pages_read += not is_start
        self.item_pages_read += bool(page.records)
        self.known_pages_listed += known
        if page.url not in self._failed:
            self.queue.add_page(page)

    def record_failure(self, url: str, reason: str) -> None:
        """Record that a page, or an image of its record, failed: one log line and a stat."""
        self._pending.pop(url, None)
        if url not in self._failed:
            self._failed[url] = one_line(reason)
            self.queue.add_failure(url, self._failed[url])
            self._crawler.stats.inc_value("covers/failed")
            logger.error("Failed: <%s>: %s", url, self._failed[url])

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

    # Records and images.

    def record_image(self, image: Image) -> None:
        """Record that an image is stored. The records with this image may be saved later."""
        self.queue.add_image(image)
        for page in self.survey.pages_with(image):
            self.queue.add_failure(page, "")
        self.survey.repair(image.path)

    def record_saved(self, is_new: bool, *, moved: bool = False) -> None:
        """Count a record that has been saved, and whether it was known by another URL."""
        self.moved += moved
        self.saved += 1
        self.new += is_new

    # The end of the crawl.

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
    def is_cut(self) -> bool:
        """Whether the crawl does not read all listings."""
        return bool(self._cut_by or self._site_error or self._stopped_early or self._has_loop or self.repairs)

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

    def register_pipeline(self) -> None:
        """Record that the pipeline that stores images is enabled."""
        self._has_pipeline = True

    @property
    def noun(self) -> str:
        """What a person calls the records."""
        return "covers" if self._spider.name == self._crawler.settings["MAIN_SPIDER"] else "records"

    @property
    def images(self) -> int:
        """The number of stored images, without damaged ones."""
        if self._images is None:
            with suppress(CatalogError):
                return self.dataset.catalog.count_images() - len(self.survey.damaged)
        return self.stored if self._images is None else self._images

    def engine_started(self) -> None:
        if not self._has_pipeline:
            self.stopping.set()
        if self._is_limited:
            self.cut("limit")
            self.stopping.set()
        if self.stopping.is_set():  # stop() may have been called before the engine started
            self._closing = asyncio.ensure_future(self._close("shutdown"))

    @property
    def records(self) -> int:
        """The number of records in the catalog, also if an image is damaged."""
        return self.survey.records + self.new

    @property
    def accounted(self) -> int:
        """The number of records in the catalog, of dropped items, and of failed pages without a record."""
        return self.records + self.dropped + sum(url not in self.survey.pages for url in self._failed)

    @property
    def failed(self) -> int:
        """The number of pages that failed or have a failed image."""
        return len(self._failed)

    @property
    def processed(self) -> int:
        """The number of records that need nothing more in this crawl: stored, or failed."""
        return (self.saved if self.refresh else self.stored) + len(self._failed)

    @property
    def stored(self) -> int:
        """The number of records that are stored with all their images."""
        return self.survey.complete + self.new

    @property
    def missing(self) -> dict[str, str]:
        """The reason by URL, for each page without a stored record, with a damaged image, or with a failure."""
        damaged = [url for image in self.survey.damaged for url in self.survey.pages_with(image)]
        return (
            dict.fromkeys(damaged, "the image file is missing or damaged")
            | ({} if self._is_limited else dict.fromkeys(self._pending, "requested, but no record was stored"))
            | self._failed
        )

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
            return IncompleteError(self._cut_by)
        return None

    @property
    def _is_read_to_the_end(self) -> bool:
        return self.repairs or (self._finished and not self._cut_by and not self._has_loop)

    async def settle(self) -> None:
        """Write the rest of the queue to the catalog, and delete records whose page has moved to another URL.

        Raises: CatalogError if the catalog cannot be written.
        """
        async with self._settle_lock:
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
                    complete_walk=self._is_read_to_the_end and not self._stopped_early,
                    cut_by=self._cut_by,
                    stated=self.stated,
                    known=self.stored - self.new,
                    new=self.new,
                    failed=len(self.missing),
                    requests=self._crawler.stats.get_value("downloader/request_count", 0),
                )
        except CatalogError as error:
            self.abort(str(error))

    def engine_stopped(self) -> None:
        self._images = self.images  # for the closing line, which is logged when the data set is closed
        self._held.close()
