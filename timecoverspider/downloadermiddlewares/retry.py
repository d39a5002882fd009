"""Retry failed requests after a delay."""

import asyncio
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.exceptions import DontCloseSpider, IgnoreRequest
from scrapy.http import Request, Response

from timecoverspider.backoff import retry_after, retry_delay
from timecoverspider.extensions.crawl_state import CrawlState

_WAIT = "retry_wait"


def retry_later(request: Request, crawler: Crawler, reason: str | Exception) -> Request | None:
    """Return the request for a delayed retry, or None if all retries have failed or retries are disabled.

    Retries have priority over new requests, so that a lasting failure shows early.
    """
    if request.meta.get("dont_retry") or not crawler.settings.getbool("RETRY_ENABLED"):
        return None
    assert crawler.spider is not None  # noqa: S101 (set before the first response)
    again = get_retry_request(request, spider=crawler.spider, reason=reason, priority_adjust=1)
    return again and _later(again, crawler)


def _later(again: Request, crawler: Crawler, at_least: float = 0.0) -> Request:
    again.meta[_WAIT] = retry_delay(again.meta["retry_times"], crawler.settings.getfloat("RETRY_BACKOFF"), at_least)
    return again


class BackoffRetryMiddleware(RetryMiddleware):
    """Scrapy's retries, each after a delay; other requests continue meanwhile."""

    _waiting = 0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = super().from_crawler(crawler)
        crawler.signals.connect(middleware.spider_idle, signals.spider_idle)
        return middleware

    async def process_request(self, request: Request) -> None:
        """Wait before a retry.

        Raises: IgnoreRequest if the crawl ends before the retry.
        """
        wait = request.meta.pop(_WAIT, None)
        if wait is None:
            return
        state = self.crawler.get_extension(CrawlState)
        if state and state.stopping.is_set():
            raise IgnoreRequest("the crawl ends")
        active = self.crawler.engine.downloader.active
        active.discard(request)  # a waiting request does not count towards CONCURRENT_REQUESTS
        self._waiting += 1
        try:
            await asyncio.wait_for((state.stopping if state else asyncio.Event()).wait(), wait)
        except TimeoutError:
            return
        finally:
            self._waiting -= 1
            active.add(request)
        raise IgnoreRequest("the crawl ends")

    def process_response(  # type: ignore[override]
        self, request: Request, response: Response
    ) -> Request | Response:
        result = super().process_response(request, response)
        if isinstance(result, Request):
            value = (response.headers.get("Retry-After") or b"").decode("latin-1")
            return _later(result, self.crawler, retry_after(value))
        return result

    def process_exception(self, request: Request, exception: Exception) -> Request | None:  # type: ignore[override]
        result = super().process_exception(request, exception)
        return _later(result, self.crawler) if isinstance(result, Request) else None

    def spider_idle(self) -> None:
        if self._waiting:
            raise DontCloseSpider
