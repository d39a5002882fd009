"""Which archive requests go to, which hosts they stay within, and which pages are the same."""

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import Self
from urllib.request import getproxies, proxy_bypass

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response, TextResponse
from scrapy.settings import BaseSettings
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.request import RequestFingerprinter
from scrapy.utils.url import add_http_if_no_scheme
from w3lib.url import url_query_cleaner

_PORTS = {"http": 80, "https": 443}


def without_session(url: str) -> str:
    """The address without the session that the archive put into some of its links.

    >>> without_session("http://search.time.com/results.html?N=46&sid=150424A4D8E2&internalid=endeca_dimension")
    'http://search.time.com/results.html?N=46'
    """
    return url_query_cleaner(url, ("sid", "internalid"), remove=True, keep_fragments=True) if "sid=" in url else url


class SessionlessFingerprinter(RequestFingerprinter):
    """Knows a page again whatever session its address names, so that no link leads in a circle."""

    def fingerprint(self, request: Request) -> bytes:
        return super().fingerprint(
            request.replace(url=without_session(request.url)) if "sid=" in request.url else request
        )


class ContainmentMiddleware(OffsiteMiddleware):
    """Scrapy's filter of foreign hosts, which nothing that a crawl asks for gets round.

    Whatever a page or a redirect names, only http and https at the usual ports of the spider's allowed_domains are
    asked for. In the other commands it is Scrapy's own: people may look where they like.
    """

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        """Leave it to process_request, whose refusal reaches the errback."""

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        if not self.crawler.settings.getbool("DATASET_ENABLED"):
            super().process_request(request)
        elif not self.should_follow(request, self._spider()):
            self.stats.inc_value("offsite/filtered")
            raise IgnoreRequest(f"refused: {request.url} is not the archive's")

    def should_follow(self, request: Request, spider: Spider) -> bool:
        url = urlparse_cached(request)
        return (
            url.scheme in _PORTS and url.port in (None, _PORTS[url.scheme]) and super().should_follow(request, spider)
        )

    def _spider(self) -> Spider:
        assert self.crawler.spider is not None  # noqa: S101 (there is one when requests are made)
        return self.crawler.spider


class PersistentRedirectMiddleware(RedirectMiddleware):
    """Scrapy's redirects, where one that leads back to its own page is no duplicate to be dropped without a word.

    REDIRECT_MAX_TIMES ends those that lead in a circle.
    """

    def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        result = super().process_response(request, response)
        if isinstance(result, Request):
            result.dont_filter = True
        return result


class EncodingMiddleware:
    """Takes for UTF-8 what is, whatever its header says: text in another encoding is hardly ever valid UTF-8."""

    def process_response(self, request: Request, response: Response) -> Response:
        """The response, with the encoding ``utf-8`` where its bytes beyond ASCII agree with that."""
        if isinstance(response, TextResponse) and not response.body.isascii():
            with contextlib.suppress(UnicodeDecodeError):
                response.body.decode()
                return response.replace(encoding="utf-8")
        return response


class ProxyMiddleware:
    """Sends requests through the replica, which the first one starts in this process, or through the user's proxy.

    Where ARCHIVE is ``live`` it does what Scrapy's HttpProxyMiddleware does, which reads the whole environment again
    for each request.
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
            request.meta["proxy"] = await self._replica
        else:
            request.meta["proxy"] = self._proxy(url.scheme, url.hostname or "")

    def _proxy(self, scheme: str, host: str) -> str | None:
        """What http_proxy, https_proxy and no_proxy say of a host."""
        if (scheme, host) not in self._of_host:
            address = None if proxy_bypass(host) else self._proxies.get(scheme)
            self._of_host[scheme, host] = address and add_http_if_no_scheme(address)
        return self._of_host[scheme, host]

    async def _start(self) -> str:
        from timecoverspider.replica.server import make_app, serve  # noqa: PLC0415 (only where it is needed)

        return await self._running.enter_async_context(serve(make_app()))

    async def engine_stopped(self) -> None:
        await self._running.aclose()
