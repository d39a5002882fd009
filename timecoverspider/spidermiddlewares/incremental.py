"""Request only pages that are not stored yet."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self

from itemadapter import ItemAdapter
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from timecoverspider.dataset.rows import Page, now
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.pipelines import ImageStorePipeline
from timecoverspider.spider_errors import describe
from timecoverspider.spidermiddlewares.failed_pages import (
    INVALID,
    LISTING,
    PARTLY_READ,
    RETRIED,
    ROLE,
    START,
    InvalidPageError,
    failed_requests,
)
from timecoverspider.spidermiddlewares.listings import Listings
from timecoverspider.utils.request import page_url

logger = logging.getLogger(__name__)

_PAGE_META = (ROLE, "redirect_urls", "redirect_times", "redirect_ttl", "redirect_reasons")


@dataclass(slots=True)
class _Output:
    """What the spider yielded for one page."""

    records: int = 0
    requests: int = 0
    new: int = 0  # requests for pages that are not stored, without pagination
    met: bool = False  # whether a page or an item is met for the first time
    known: set[str] = field(default_factory=set)  # URLs of pages whose records are stored
    pagination: list[Request] = field(default_factory=list)


class IncrementalCrawlMiddleware:
    """Skips pages that are already stored, and ends the listings early if the rest is stored.

    If a request has ``meta["pagination"]``, this value decides whether the request is *pagination*. If not, the request
    is pagination if it has the same callback as the page that yields it. If the spider has ``newest_first = True``,
    pagination waits until its page has been read to the end. If the page lists only stored pages, and
    CrawlState.may_stop_early allows it, the listings end there. Requests for stored pages are dropped, all other output
    of the spider passes at once.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._state = CrawlState.of(crawler)
        self._newest_first = bool(getattr(crawler.spider, "newest_first", False))
        self._depth_limit = crawler.settings.getint("DEPTH_LIMIT")
        self._listings = Listings()
        self._emptied: set[str] = set()  # pages that yield nothing, and yielded something before
        self._yielding = 0  # pages that yield something, without start pages
        self._requested = 0  # requests for pages that are not stored, of all pages
        self._is_endless = False
        self._last_listing = ""  # URL of the latest page with requests, but without pagination
        self._pages_are_closed = False  # whether any page of this site ended in </html>

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler)
        crawler.signals.connect(middleware.request_dropped, signals.request_dropped)
        crawler.signals.connect(middleware.spider_idle, signals.spider_idle)
        return middleware

    async def process_start(self, start: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Pass the start requests, those of failed pages, or none (repair); fetch damaged images (not in a refresh)."""
        if self._state.only_failed:
            for request in failed_requests(self._crawler):
                yield request
        elif not self._state.repairs:
            try:
                async for output in start:
                    if isinstance(output, Request):
                        output.meta[ROLE] = START
                        self._count_stated(output, "")
                    yield output
            except Exception as error:
                self._state.abort(describe(error))
                raise  # Scrapy logs the traceback
        pipeline = self._crawler.get_item_pipeline(ImageStorePipeline)
        if pipeline and not self._state.refresh:
            await pipeline.repair()

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        seen = _Output()
        async for output in result:
            if isinstance(output, Request):
                if self._passes(output, response, seen):
                    yield output
            elif output is not None:
                seen.records += 1
                urls = self._state.dataset.catalog.fields.urls
                seen.met |= self._listings.meet(str(ItemAdapter(output).get(urls)))
                _mark(response)
                yield output
        _free_selector(response)
        self._record(response, seen)
        if not self._newest_first or RETRIED in response.flags:
            return
        is_stale = seen.known and not (seen.new or seen.records or INVALID in response.flags)
        if is_stale and self._state.may_stop_early(self._requested):
            self._state.stop_early()
            return
        for output in seen.pagination:
            if not self._is_endless:
                yield output

    def _passes(self, request: Request, response: Response, seen: _Output) -> bool:
        """Count a request, and return whether it passes at once."""
        for name in _PAGE_META:  # a spider may have copied the meta of its page
            request.meta.pop(name, None)
        seen.requests += 1
        self._count_stated(request, response.url)
        url = page_url(request, self._crawler.spider)
        if self._state.only_failed and self._state.need_not_request(url, is_item_page=False):
            return False
        if self._is_pagination(request, response):
            request.meta[ROLE] = LISTING
            seen.pagination.append(request)
            if self._state.is_crowded:
                request.priority = min(request.priority, -1)
        else:
            seen.met |= self._listings.meet(url)
            _mark(response)
            is_item_page = bool(request.meta.pop("item_page", False))
            if self._state.is_known(url):
                seen.known.add(url)
            else:
                seen.new += 1
            if self._state.need_not_request(url, is_item_page=is_item_page):
                return False
        if (
            self._depth_limit
            and response.meta.get("depth", 0) >= self._depth_limit
            and not request.meta.get("depth_reset")
        ):
            self._state.cut("DEPTH_LIMIT")  # DepthMiddleware will drop the request
        return request.meta.get(ROLE) != LISTING or not (self._newest_first or self._is_endless)

    def _count_stated(self, request: Request, page: str) -> None:
        if (stated := request.meta.pop("stated", None)) is not None:
            self._listings.add_stated(page, request.url, stated)
            self._state.stated = self._listings.stated

    def _is_pagination(self, request: Request, response: Response) -> bool:
        value = request.meta.pop("pagination", None)  # removed, so that the requests of the next page do not copy it
        if value is not None or response.request is None:
            return bool(value)
        reading, parse = response.request, self._crawler.spider.parse  # type: ignore[union-attr]
        # All requests of a CrawlSpider have the same callback, so compare their rules too.
        same_rule = request.meta.get("rule") == reading.meta.get("rule")
        return same_rule and (request.callback or parse) == (reading.callback or parse)

    def _record(self, response: Response, seen: _Output) -> None:
        """Record what a page yielded.

        Raises: InvalidPageError if a start page yielded nothing, or if a listing without pagination is incomplete.
        """
        if RETRIED in response.flags:
            return
        if INVALID in response.flags:
            self._end_listing(response, seen)
            return
        is_start = response.meta.get(ROLE) == START
        if is_start and not seen.requests and not seen.records:
            raise InvalidPageError("the page yields no items and no requests")
        assert response.request is not None  # noqa: S101 (Scrapy sets it before any middleware sees a response)
        url = page_url(response.request, self._crawler.spider)
        if seen.requests or seen.records:
            self._emptied.discard(url)  # a retry
        else:
            self._check_emptied(url)
        self._yielding += bool(seen.requests or seen.records) and not is_start
        is_closed = b"</html>" in response.body[-1000:].lower()
        if seen.requests and not is_start:
            response.meta[ROLE] = LISTING
        if seen.requests and not seen.pagination and not is_start:
            if self._newest_first and self._pages_are_closed and not is_closed:
                raise InvalidPageError("the page is cut short")  # the missing part may contain pagination
            self._last_listing = response.url
        self._pages_are_closed |= is_closed
        page = Page(url, seen.records, seen.requests, now())
        self._state.record_page(page, known=len(seen.known), is_start=is_start)
        self._listings.known += len(seen.known)
        self._requested += 0 if is_start else seen.new  # a start page leads to listings
        self._end_listing(response, seen)

    def _end_listing(self, response: Response, seen: _Output) -> None:
        """Count a page with pagination, also if it is invalid, and end the crawl if the pagination has no end."""
        if not seen.pagination:
            return
        self._listings.end_page(is_new=seen.met)
        if not self._is_endless and (reason := self._listings.why_endless()):
            self._is_endless = True
            self._state.record_site_error(response.url, reason)
            self._state.stop("endless_pagination")

    def _check_emptied(self, url: str) -> None:
        """Raise InvalidPageError if a page that yields nothing yielded something when it was read before."""
        before = self._state.dataset.catalog.find_page(url)
        if before and (before.records or before.requests):
            self._emptied.add(url)
            raise InvalidPageError(
                f"the page yields nothing; before, it yielded {before.records:,} items and {before.requests:,} requests"
            )

    def request_dropped(self, request: Request) -> None:
        """Record that a listing links back to an earlier listing: the last listing was not reached."""
        if self._newest_first and request.meta.get(ROLE) == LISTING:
            self._state.record_circle()

    def spider_idle(self) -> None:
        """Record a site error if the listings contain too few of the known or of the stated records."""
        state, listings = self._state, self._listings
        is_over = not (state.pending or state.has_site_error or state.only_failed)
        if is_over and 1 < len(self._emptied) > self._yielding:
            reason = f"{len(self._emptied):,} pages that yielded items or requests before yield nothing now"
            state.record_site_error("", reason)
        if state.pending or state.is_cut:  # pending: a retry is waiting
            return
        is_judged = self._newest_first and self._last_listing
        reason = listings.why_shrunk(state.known, state.moved) if is_judged else ""
        if reason := reason or listings.why_too_few(state.accounted):
            state.record_site_error(self._last_listing, reason)
        elif listings.stated is not None and state.records > listings.stated:
            logger.warning("The site states %s covers, and %s are stored", f"{listings.stated:,}", f"{state.records:,}")


def _mark(response: Response) -> None:
    """Note that the spider has yielded an item or an item page: if it fails now, it has read a part of the page."""
    if PARTLY_READ not in response.flags:
        response.flags.append(PARTLY_READ)


def _free_selector(response: Response) -> None:
    """Break the reference cycle between a page and its parsed tree, to free the memory at once."""
    if (selector := getattr(response, "_cached_selector", None)) is not None:
        selector.response = None
