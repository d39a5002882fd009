"""Which archive requests go to, what they may ask for, and which pages are the same."""

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack
from typing import Self
from urllib.request import getproxies, proxy_bypass

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response, TextResponse
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import RobotParser
from scrapy.settings import BaseSettings
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler
from scrapy.utils.request import RequestFingerprinter
from scrapy.utils.url import add_http_if_no_scheme
from w3lib.url import url_query_cleaner

from timecoverspider.logs import brief

logger = logging.getLogger(__name__)

_PORTS = {"http": 80, "https": 443}


def without_session(url: str) -> str:
    """The address without the session that the archive put into some of its links, and without a fragment.

    >>> without_session("http://search.time.com/results.html?N=46&sid=150424A4D8E2&internalid=endeca_dimension#top")
    'http://search.time.com/results.html?N=46'
    """
    url, _, _ = url.partition("#")
    return url_query_cleaner(url, ("sid", "internalid"), remove=True) if "sid=" in url else url


class SessionlessFingerprinter(RequestFingerprinter):
    """Knows a page again whatever session its address names, so that no link leads in a circle."""

    def fingerprint(self, request: Request) -> bytes:
        return super().fingerprint(
            request.replace(url=without_session(request.url)) if "sid=" in request.url else request
        )


class ContainmentMiddleware(OffsiteMiddleware):
    """Scrapy's filter of foreign hosts, which nothing that a crawl asks for gets round.

    Whatever a page or a redirect names, only http and https at the usual ports of just the spider's allowed_domains
    are asked for, without a user's name. In the other commands it is Scrapy's own: people may look where they like.
    """

    def request_scheduled(self, request: Request, spider: Spider) -> None:
        """Leave it to process_request, whose refusal reaches the errback."""

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        if not self.crawler.settings.getbool("DATASET_ENABLED"):
            super().process_request(request)
        elif not self._is_the_archives(request):
            self.stats.inc_value("offsite/filtered")
            raise IgnoreRequest(f"refused: {request.url} is not the archive's")

    def _is_the_archives(self, request: Request) -> bool:
        assert self.crawler.spider is not None  # noqa: S101 (there is one when requests are made)
        hosts: list[str] = self.crawler.spider.allowed_domains  # type: ignore[attr-defined]
        url = urlparse_cached(request)
        host = url.netloc.lower().removesuffix(f":{_PORTS.get(url.scheme)}")
        return url.scheme in _PORTS and host in hosts


class RobotsMiddleware(RobotsTxtMiddleware):
    """Obeys robots.txt from the first request on.

    Of the requests that wait for it, Scrapy 2.19 checks only the first. A robots.txt that cannot be had because of the
    server or the network forbids everything (RFC 9309, 2.3.1.4), where Scrapy takes it for one that allows everything.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._rules: dict[str, asyncio.Future[RobotParser]] = {}

    async def robot_parser(self, request: Request) -> RobotParser:
        """What a request's host allows. Raises IgnoreRequest where it does not say."""
        url = urlparse_cached(request)
        site = f"{url.scheme}://{url.netloc}"
        if site not in self._rules:
            self._rules[site] = asyncio.ensure_future(self._ask(f"{site}/robots.txt"))
        return await asyncio.shield(self._rules[site])

    async def _ask(self, url: str) -> RobotParser:
        meta = {"dont_obey_robotstxt": True}
        request = Request(url, priority=self.DOWNLOAD_PRIORITY, meta=meta, callback=NO_CALLBACK)
        assert self.crawler.engine is not None  # noqa: S101 (it sends the requests)
        try:
            response = await self.crawler.engine.download_async(request)
        except Exception as error:
            raise _unknown(url, brief(error)) from error
        if response.status >= 500:
            raise _unknown(url, f"HTTP {response.status}")
        rules: RobotParser = build_from_crawler(self._parserimpl, self.crawler, response.body)
        return rules


def _unknown(url: str, reason: str) -> IgnoreRequest:
    logger.error("Nothing may be asked for where <%s> cannot be read: %s", url, reason)
    return IgnoreRequest(f"<{url}> cannot be read: {reason}")


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
        from timecoverspider.replica.server import make_app, serve  # noqa: PLC0415 (only where it is needed)

        return await self._running.enter_async_context(serve(make_app()))

    async def engine_stopped(self) -> None:
        await self._running.aclose()
