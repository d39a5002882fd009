"""Which archive requests go to, which are the same, and what becomes of pages that cannot be read."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.http import Request, Response
from scrapy.statscollectors import StatsCollector
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.request import RequestFingerprinter
from w3lib.url import url_query_cleaner

logger = logging.getLogger(__name__)


class ReplicaMiddleware:
    """Sends every HTTP request through the replica, which the first one starts in this process."""

    def __init__(self) -> None:
        self._running = AsyncExitStack()
        self._address: asyncio.Future[str] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls()
        crawler.signals.connect(middleware.engine_stopped, signals.engine_stopped)
        return middleware

    async def process_request(self, request: Request) -> None:
        if urlparse_cached(request).scheme not in ("http", "https"):
            return  # scrapy shell ./page.html
        if self._address is None:
            self._address = asyncio.ensure_future(self._start())
        request.meta["proxy"] = await self._address

    async def _start(self) -> str:
        from timecoverspider.replica.server import make_app, serve  # noqa: PLC0415 (only where it is needed)

        return await self._running.enter_async_context(serve(make_app()))

    async def engine_stopped(self) -> None:
        await self._running.aclose()


class SessionlessFingerprinter(RequestFingerprinter):
    """Knows a page again whatever session its address names, so that no link leads in a circle."""

    def fingerprint(self, request: Request) -> bytes:
        if "sid=" in request.url:
            request = request.replace(url=url_query_cleaner(request.url, ("sid", "internalid"), remove=True))
        return super().fingerprint(request)


class UnreadablePageMiddleware:
    """Says in one line which page the spider could not read and why, and lets the crawl go on."""

    def __init__(self, stats: StatsCollector) -> None:
        self._stats = stats

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.stats)

    def process_spider_exception(self, response: Response, exception: Exception) -> list[Any] | None:
        if not isinstance(exception, ValueError):
            return None
        self._stats.inc_value("pages/unreadable")
        logger.error("Cannot read <%s>: %s", response.url, exception)
        return []
