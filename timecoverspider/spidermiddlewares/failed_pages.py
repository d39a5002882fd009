"""Retry invalid pages, and record every failed page."""

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import HtmlResponse, Request, Response, XmlResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from timecoverspider.dataset.invalid_pages import InvalidPages
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.spider_errors import describe, is_about_page
from timecoverspider.text import brief
from timecoverspider.utils.request import page_url
from timecoverspider.utils.stored_request import STORED, from_text, to_text

logger = logging.getLogger(__name__)

INVALID, RETRIED = "invalid", "retried"  # flags of a response: failed for good; will be retried
PARTLY_READ = "partly_read"  # flag of a response: the spider yielded items or item pages before it failed
ROLE = "page_role"  # meta key: the kind of page
START, LISTING = "start", "listing"  # if such a page fails, the pages that it links to cannot be reached

MAX_DEPTH = 256  # elements around an element; browsers stop at 512. Pages of depth 1,000 took 9 to 40 s
_TOO_DEEP = f"boolean({'/*' * (MAX_DEPTH + 2)})"
_MIN_INVALID = 10  # fewer invalid pages do not show that the layout has changed


class InvalidPageError(ValueError):
    """A page is invalid. Raised by this middleware and IncrementalCrawlMiddleware; spiders raise ValueError."""


def failed_requests(crawler: Crawler) -> Iterator[Request]:
    """Yield the requests of the pages that have failed before, for a crawl that requests only these.

    A page whose request could not be stored stays failed, unless its image is requested anyway, because it is damaged.
    """
    state, survey = CrawlState.of(crawler), CrawlState.of(crawler).survey
    repaired = {url for image in survey.damaged for url in survey.pages_with(image)}
    unknown = 0
    for failure in state.failed_before:
        try:
            yield from_text(failure.request, crawler.spider)
        except ValueError:
            if failure.url not in repaired:
                unknown += 1
                state.record_failure(failure.url, failure.reason)
    if unknown:
        logger.warning(
            "%s of the failed pages can only be requested with their listings: leave out -a only=failed", f"{unknown:,}"
        )


class FailedPagesMiddleware:
    """Records every failed page: one log line, a stat and an exit status.

    An invalid page is retried up to RETRY_TIMES times, and then stored in the folder of invalid pages. If a request has
    an errback, the errback is called before the failure is recorded. If the share of invalid item pages exceeds
    UNREADABLE_LIMIT, the layout of the site has probably changed, and the crawl ends.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._state = CrawlState.of(crawler)
        # Pages only: an image can be larger. A spider's own attribute counts.
        self._max_size = getattr(crawler.spider, "download_maxsize", crawler.settings.getint("PAGE_MAXSIZE"))
        self._limit = crawler.settings.getfloat("UNREADABLE_LIMIT")
        self._invalid_pages = InvalidPages(self._state.dataset.layout.invalid_pages)
        self._invalid = 0  # item pages that are invalid after all retries
        self._first_failure = ""  # URL and reason of the first failed page

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler)
        crawler.signals.connect(middleware.request_scheduled, signals.request_scheduled)
        crawler.signals.connect(middleware.spider_idle, signals.spider_idle)
        return middleware

    def request_scheduled(self, request: Request) -> None:
        """Store every request, and wrap its errback, so that _failed is called if the download fails."""
        if not isinstance(request.errback, partial) or request.errback.func != self._failed:
            request.meta[STORED] = to_text(request, self._crawler.spider)
            request.errback = partial(self._failed, request.errback)
            request.meta.setdefault("download_maxsize", self._max_size)

    def process_spider_input(self, response: Response) -> None:
        """Refuse a page that is nested so deeply that selectors are slow (see MAX_DEPTH).

        Raises: InvalidPageError.
        """
        is_page = isinstance(response, (HtmlResponse, XmlResponse))
        if is_page and response.body.count(b"<") > MAX_DEPTH and response.xpath(_TOO_DEEP).get() == "1":
            response.flags.append(INVALID)
            raise InvalidPageError(f"the page has elements in more than {MAX_DEPTH} elements")

    def _failed(self, errback: Callable[[Failure], Any] | None, failure: Failure) -> Any:
        """Call the spider's errback, then record the failure."""
        try:
            return errback(failure) if errback else None
        finally:
            request: Request = failure.request  # type: ignore[attr-defined]
            if isinstance(failure.value, HttpError):
                failure.value.response.flags.append(INVALID)
                self._record(request, f"HTTP {failure.value.response.status}")
            elif isinstance(failure.value, MemoryError):
                self._state.abort("out of memory")
            elif not self._state.stopping.is_set():
                self._record(request, brief(failure.value))

    def process_spider_exception(self, response: Response, exception: Exception) -> list[Request] | None:
        if isinstance(exception, CloseSpider):
            return None
        if not is_about_page(exception):  # a bug in the spider: Scrapy logs the first traceback
            response.flags.append(INVALID)
            is_first = not self._state.stopping.is_set()
            self._state.abort(describe(exception))
            return None if is_first else []
        retry = response.request and retry_later(response.request, self._crawler, "invalid page")
        if retry is None or self._state.stopping.is_set():
            self._reject(response, exception)
            return []
        response.flags.append(RETRIED)
        return [retry]

    def _reject(self, response: Response, exception: Exception) -> None:
        """Store an invalid page in its folder, and record the failure.

        If the spider misses a value after it has yielded items or item pages, as at the Next link of the last listing,
        the page has been read in part; if it raises ValueError, the whole page is invalid.
        """
        is_invalid = isinstance(exception, ValueError)
        reason = brief(exception) if is_invalid else describe(exception)
        response.flags.append(INVALID)
        try:
            page = self._invalid_pages.save(response.url, response.body, reason)
        except OSError as error:
            self._state.abort(f"cannot write to {self._state.dataset.folder}: {error.strerror}")
            page = None
        hint = f' (scrapy shell "./{os.path.relpath(page)}")' if page else ""
        assert response.request is not None  # noqa: S101 (Scrapy sets it before any middleware sees a response)
        self._record(
            response.request,
            f"{reason}{hint}",
            invalid=True,
            partly_read=PARTLY_READ in response.flags and not is_invalid,
        )

    def _record(self, request: Request, reason: str, *, invalid: bool = False, partly_read: bool = False) -> None:
        url = page_url(request, self._crawler.spider)
        if request.meta.get(ROLE) in (START, LISTING) and not partly_read:
            self._state.record_site_error(url, reason)
            return
        if invalid:  # if it has failed before, it tells nothing about a changed layout
            before = self._state.dataset.catalog.find_page(url)
            invalid = not (before and before.failure)
        self._state.record_failure(url, reason, request)
        self._first_failure = self._first_failure or f"<{url}>: {reason}"
        self._invalid += invalid
        if self._invalid >= _MIN_INVALID and self._has_layout_changed(self._limit):
            self._state.stop("layout_changed")

    def spider_idle(self) -> None:
        """Record a site error if no page had a record, and pages are invalid or no listed page is stored."""
        if self._state.pending or self._state.saved or self._state.has_site_error or self._state.repairs:
            return
        if self._state.item_pages_read or self._state.only_failed:
            return
        if self._first_failure and (self._state.pages_read or self._state.known_pages_listed):
            self._has_layout_changed(0)
        elif not self._state.known_pages_listed:
            self._state.record_site_error("", self._first_failure or "no page has a record")

    def _has_layout_changed(self, limit: float) -> bool:
        """Record a site error, and return True, if the share of invalid item pages exceeds a limit."""
        read = self._state.item_pages_read + self._invalid
        if self._invalid <= limit * read or self._state.has_site_error:
            return False
        reason = f"{self._invalid:,} of {read:,} item pages are invalid: has their layout changed?"
        self._state.record_site_error("", reason)
        return True
