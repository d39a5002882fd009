"""The state of a crawl: pending pages, failures, and the outcome."""

import asyncio
import logging
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from timecoverspider.dataset.rows import ONLY_FAILED, Failure, Image, Page
from timecoverspider.dataset.status import crawl_status, listings_problem
from timecoverspider.dataset.write_queue import WriteQueue
from timecoverspider.exceptions import CatalogError
from timecoverspider.extensions.crawl_end import NOT_STORED, CrawlEnd
from timecoverspider.extensions.opening import open_dataset
from timecoverspider.text import one_line
from timecoverspider.utils.budget import Budget
from timecoverspider.utils.request import page_url
from timecoverspider.utils.stored_request import STORED

logger = logging.getLogger(__name__)

_SIGNALS = (
    "engine_started",
    "request_scheduled",
    "request_dropped",
    "spider_closed",
    "engine_stopped",
)
_AHEAD = 500  # if more pages are pending, pagination waits, or the requests of a large archive would fill the memory
BODIES = 32 * 2**20  # bytes of bodies in memory; 24 images of 16 MB each took 0.7 GB, and 40 that waited 3 GB


class CrawlState(CrawlEnd):
    """The state of one crawl: an extension that the other components get from the crawler.

    Enabled by DATASET_ENABLED, which only ``scrapy crawl`` and ``scrapy verify`` set.

    Raises: DatasetError if the data set cannot be used; UsageError if a feed or a spider attribute is wrong.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        settings = crawler.settings
        self.bodies = Budget(BODIES)
        self._settle_lock = asyncio.Lock()
        self._images: int | None = None  # at the end
        self.pages_read = 0  # without start pages
        self.item_pages_read = 0  # pages that yielded a record
        self.known_pages_listed = 0  # links to pages whose records are stored
        self.moved = 0  # records that were stored with another URL
        self.dropped = 0  # items that a pipeline of the user has dropped
        self.saved = self.new = 0  # saved records, and how many of these are new
        with ExitStack() as held:
            self.dataset = open_dataset(crawler)
            held.callback(self.dataset.close)
            self.survey = self.dataset.survey(self._repairs or ())
            self.known = len(self.survey.pages)  # pages of one record each
            days = 0 if self._has_argument("full") else settings.getfloat("AUDIT_EVERY_DAYS")
            self._audited_since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
            self._may_stop_early = self._has_recent_audit() and not (
                self._has_argument("full") or self.refresh or self.only_failed
            )
            self._read_failures()
            self._number = 0 if self.repairs else self._begin()
            self.queue = WriteQueue(self.dataset.catalog, self._number)
            self._listed = None if self.dataset.catalog.fields.key else set()
            self._held = held.pop_all()

    def _begin(self) -> int:
        catalog = self.dataset.catalog
        if self.only_failed:
            self._unread = listings_problem(map(crawl_status, catalog.crawls()))
        cut_by = ONLY_FAILED if self.only_failed else ""
        return catalog.begin_crawl(self._spider.name, self._crawler.settings["ARCHIVE"], cut_by)

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

    def record_failure(self, url: str, reason: str, request: Request | None = None) -> None:
        """Record that a page, or an image of its record, failed: one log line and a stat."""
        self._pending.pop(url, None)
        if url in self._failed:
            return
        failure = Failure(url, one_line(reason), self._accepted.get(url, ""))
        self._failed[url] = failure.reason
        self.queue.add_failure(url, failure.reason, request.meta.get(STORED, "") if request else "")
        if failure.is_accepted:
            self._excused.add(url)
            logger.info("Failed as accepted: <%s>: %s", url, failure.reason)
        else:
            self._crawler.stats.inc_value("covers/failed")
            logger.error("Failed: <%s>: %s", url, failure.reason)

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

    async def settle(self) -> None:
        """Write the rest of the queue to the catalog, and delete records whose page has moved to another URL.

        Raises: CatalogError if the catalog cannot be written.
        """
        async with self._settle_lock:
            await self.queue.flush()
            if self._listed is not None and self.outcome is None and not self.is_cut:
                await asyncio.to_thread(self.dataset.catalog.forget_moved, self._number, self._listed)
                self._listed = None

    async def spider_closed(self, spider: Spider, reason: str) -> None:
        self._finished = reason == "finished"
        if not self._finished:
            self.cut(reason)
        try:
            for url, request in self._pending.items():
                if self._finished:
                    self.queue.add_failure(url, NOT_STORED, request.meta.get(STORED, ""))
            await self.settle()
            if self._number:
                self.dataset.catalog.settle_failures(self._current_failures())
                self._written = self._label
                self.dataset.catalog.end_crawl(
                    self._number,
                    outcome=self._written,
                    complete_walk=self._is_read_to_the_end and not (self._stopped_early or self.only_failed),
                    cut_by=ONLY_FAILED if self.only_failed else self._cut_by,
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
        self.leave_report()
        self._held.close()
