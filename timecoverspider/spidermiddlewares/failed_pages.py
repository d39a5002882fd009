"""Notice what cannot be requested or read, request it again, and write down what has failed."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotSupported
from scrapy.http import Request, Response
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from timecoverspider.dataset.invalid_pages import InvalidPages
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.text import brief
from timecoverspider.utils.request import page_url

INVALID, RETRIED = "invalid", "retried"  # flags of a response that could not be read; the latter will come again
ROLE = "page_role"  # meta of a request: what its page is
START, LISTING = "start", "listing"  # without such a page those behind it cannot be reached

_FEW = 10  # pages that could not be read, up to which nothing is concluded


class InvalidPageError(ValueError):
    """A page does not show what it should. Raised by IncrementalCrawlMiddleware; spiders raise ValueError."""


class FailedPagesMiddleware:
    """Turn every failure of a page into one line, a stat and an exit status.

    A page that cannot be read is requested again, at most RETRY_TIMES, and then kept in the folder of invalid pages.
    A spider's own errback is called first. If more than UNREADABLE_LIMIT of the pages that should show a record cannot
    be read, their layout has changed, and the crawl ends.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._state = CrawlState.of(crawler)
        self._limit = crawler.settings.getfloat("UNREADABLE_LIMIT")
        self._invalid_pages = InvalidPages(self._state.dataset.layout.invalid_pages)
        self._misread = 0  # pages that could not be read, though requested as often as RETRY_TIMES allows
        self._lost = ""  # the first page that failed, and why

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler)
        crawler.signals.connect(middleware.request_scheduled, signals.request_scheduled)
        crawler.signals.connect(middleware.spider_idle, signals.spider_idle)
        return middleware

    def request_scheduled(self, request: Request) -> None:
        """Have failures of the download reported here, whoever yielded the request."""
        if not isinstance(request.errback, partial) or request.errback.func != self._failed:
            request.errback = partial(self._failed, request.errback)

    def _failed(self, errback: Callable[[Failure], Any] | None, failure: Failure) -> Any:
        """Call the spider's errback, then note the failure."""
        try:
            return errback(failure) if errback else None
        finally:
            request: Request = failure.request  # type: ignore[attr-defined]
            if isinstance(failure.value, HttpError):
                failure.value.response.flags.append(INVALID)
                self._record(request, f"HTTP {failure.value.response.status}")
            elif not self._state.stopping.is_set():
                self._record(request, brief(failure.value))

    def process_spider_exception(self, response: Response, exception: Exception) -> list[Request] | None:
        if not isinstance(exception, (ValueError, NotSupported)):  # what is no text cannot be searched
            self._reject(response, brief(exception))
            return None  # a bug: Scrapy logs the traceback
        again = response.request and retry_later(response.request, self._crawler, "refused page")
        if again is None or self._state.stopping.is_set():
            self._reject(response, brief(exception))
            return []
        response.flags.append(RETRIED)
        return [again]

    def _reject(self, response: Response, reason: str) -> None:
        """Keep a page that cannot be read, and note the failure."""
        response.flags.append(INVALID)
        try:
            page = self._invalid_pages.save(response.url, response.body, reason)
        except OSError as error:
            self._state.abort(f"cannot write to {self._state.dataset.folder}: {error.strerror}")
            page = None
        hint = f' (scrapy shell "./{os.path.relpath(page)}")' if page else ""
        assert response.request is not None  # noqa: S101 (Scrapy sets it before any middleware sees a response)
        self._record(response.request, f"{reason}{hint}", misread=True)

    def _record(self, request: Request, reason: str, *, misread: bool = False) -> None:
        url = page_url(request, self._crawler.spider)
        if request.meta.get(ROLE) in (START, LISTING):
            self._state.record_site_error(url, reason)
            return
        self._state.record_failure(url, reason)
        self._lost = self._lost or f"<{url}>: {reason}"
        self._misread += misread
        if self._misread >= _FEW and self._has_drifted(self._limit):
            self._state.stop("layout_changed")

    def spider_idle(self) -> None:
        """If no page showed a record, the site could not be read."""
        if self._state.pending or self._state.saved or self._state.has_site_error or self._state.repairs:
            return
        if self._state.item_pages_read:
            return
        if self._lost and (self._state.pages_read or self._state.stored_pages_listed):
            self._has_drifted(0)
        elif not self._state.stored_pages_listed:
            self._state.record_site_error("", self._lost or "no page showed a record")

    def _has_drifted(self, limit: float) -> bool:
        """Note that the site cannot be read if more than a share of its item pages made no sense."""
        read = self._state.item_pages_read + self._misread
        if self._misread <= limit * read or self._state.has_site_error:
            return False
        reason = f"{self._misread:,} of {read:,} cover pages made no sense: has their layout changed?"
        self._state.record_site_error("", reason)
        return True
