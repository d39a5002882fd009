"""Trying again what failed, later and not too often."""

import asyncio
import random
from email.utils import parsedate_to_datetime
from time import time
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.exceptions import DontCloseSpider, IgnoreRequest
from scrapy.http import Request, Response

from timecoverspider.dataset import Dataset

_WAIT = "retry_wait"
_LONGEST = 60.0  # seconds; what a Retry-After may ask for at the most


def retry_after(value: str | None) -> float:
    """The seconds from now that a Retry-After header asks for (RFC 9110, 10.2.3), at most 60; 0 where it says nothing.

    >>> retry_after("120"), retry_after("soon"), retry_after(None), retry_after("Fri, 31 Dec 1999 23:59:59 GMT")
    (60.0, 0.0, 0.0, 0.0)
    """
    try:
        seconds = float(value or 0) if (value or "0").strip().isdecimal() else _until(value or "")
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time()


def try_again(request: Request, crawler: Crawler, reason: str) -> Request | None:
    """The request once more, to be sent after a while, or None where RETRY_TIMES are used up.

    It goes before new ones, so that it shows soon whether a page has changed for good.
    """
    assert crawler.spider is not None  # noqa: S101 (there is one as long as there are responses)
    again = get_retry_request(request, spider=crawler.spider, reason=reason, priority_adjust=1)
    return again and _later(again, crawler)


def _later(again: Request, crawler: Crawler, at_least: float = 0.0) -> Request:
    """Twice as long after each failure, from RETRY_BACKOFF seconds on, half more or less by chance."""
    backoff = crawler.settings.getfloat("RETRY_BACKOFF") * 2.0 ** (again.meta["retry_times"] - 1)
    again.meta[_WAIT] = max(at_least, min(backoff, _LONGEST) * random.uniform(0.5, 1.5))  # noqa: S311
    return again


class BackoffMiddleware(RetryMiddleware):
    """Scrapy's retries, each after a while in which other requests go on."""

    _waiting = 0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = super().from_crawler(crawler)
        crawler.signals.connect(middleware.spider_idle, signals.spider_idle)
        return middleware

    async def process_request(self, request: Request) -> None:
        """Wait before a request that is tried again. Raises IgnoreRequest where the crawl ends meanwhile."""
        wait = request.meta.pop(_WAIT, None)
        if wait is None:
            return
        dataset = self.crawler.get_extension(Dataset)
        active = self.crawler.engine.downloader.active
        active.discard(request)  # it leaves its place among CONCURRENT_REQUESTS to others
        self._waiting += 1
        try:
            await asyncio.wait_for((dataset.ending if dataset else asyncio.Event()).wait(), wait)
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
            asked = (response.headers.get("Retry-After") or b"").decode("latin-1")
            return _later(result, self.crawler, retry_after(asked))
        return result

    def process_exception(self, request: Request, exception: Exception) -> Request | None:  # type: ignore[override]
        result = super().process_exception(request, exception)
        return _later(result, self.crawler) if isinstance(result, Request) else None

    def spider_idle(self) -> None:
        if self._waiting:
            raise DontCloseSpider
