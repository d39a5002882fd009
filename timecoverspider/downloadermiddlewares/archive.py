"""Which archive requests go to."""

import asyncio
from contextlib import AsyncExitStack
from typing import Self
from urllib.request import getproxies, proxy_bypass

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.http import Request
from scrapy.settings import BaseSettings
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.url import add_http_if_no_scheme

_PORTS = {"http": 80, "https": 443}


class ArchiveMiddleware:
    """Sends requests through the replica, which the first one starts in this process, or through the user's proxy.

    Where ARCHIVE is ``live`` it is the one that the environment names. Scrapy's HttpProxyMiddleware reads all of the
    environment again for each request.
    """

    def __init__(self, settings: BaseSettings) -> None:
        self._through_replica = settings["ARCHIVE"] == "replica"
        self._running = AsyncExitStack()
        self._replica: asyncio.Future[str] | None = None
        self._proxies = getproxies() if settings.getbool("HTTPPROXY_ENABLED") else {}
        self._of_host: dict[tuple[str, str], str | None] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler.settings)
        crawler.signals.connect(middleware.engine_stopped, signals.engine_stopped)
        return middleware

    async def process_request(self, request: Request) -> None:
        url = urlparse_cached(request)
        if url.scheme not in _PORTS:
            return  # scrapy shell ./page.html
        if self._through_replica:
            if self._replica is None:
                self._replica = asyncio.ensure_future(self._start())
            request.meta["proxy"] = await asyncio.shield(self._replica)
        else:
            request.meta["proxy"] = self._proxy(url.scheme, url.hostname or "")

    def _proxy(self, scheme: str, host: str) -> str | None:
        """What http_proxy, https_proxy and no_proxy say of a host."""
        if (scheme, host) not in self._of_host:
            address = None if proxy_bypass(host) else self._proxies.get(scheme)
            self._of_host[scheme, host] = address and add_http_if_no_scheme(address)
        return self._of_host[scheme, host]

    async def _start(self) -> str:
        from timecoverspider.replica.app import make_app, serve  # noqa: PLC0415 (only where it is needed)

        return await self._running.enter_async_context(serve(make_app()))

    async def engine_stopped(self) -> None:
        await self._running.aclose()
