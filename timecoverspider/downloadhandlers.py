"""Scrapy's aiohttp download handler, with a timeout that starts when a connection is free."""

import re
import socket
import sys
from asyncio import Semaphore
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from scrapy import Spider
from scrapy.core.downloader.handlers._aiohttp import AiohttpDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Headers, Request, Response
from scrapy.utils.httpobj import urlparse_cached
from yarl import URL

from timecoverspider.extensions.crawl_state import BODIES, CrawlState
from timecoverspider.text import one_line
from timecoverspider.utils.budget import Budget
from timecoverspider.utils.spider import allowed_domains, start_hosts

# Scrapy's error for each aiohttp error; the first match counts.
_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[Exception]], ...] = (
    ((aiohttp.InvalidUrlClientError, aiohttp.NonHttpUrlClientError), UnsupportedURLSchemeError),
    (aiohttp.ClientConnectorDNSError, CannotResolveHostError),
    (aiohttp.ClientConnectorError, DownloadConnectionRefusedError),
    (aiohttp.ClientError, DownloadFailedError),
)
# The user and password of a URL, and the memory address of an SSL context.
_REMOVED = re.compile(r"(?<=//)[^/@\s]*@| ssl:<[^>]*>")
_BREAK = re.compile(r"(?:\s|\\n)+")  # aiohttp escapes the line breaks of the HTTP that it quotes


class HTTPDownloadHandler(AiohttpDownloadHandler):
    """Scrapy's handler, but DOWNLOAD_TIMEOUT does not include the wait for a connection.

    Scrapy 2.19 passes 24 requests to a host with CONCURRENT_REQUESTS_PER_DOMAIN = 8, because Downloader._process_queue
    reads the number of transfers before the tasks that it started have begun. 16 of the requests wait in aiohttp's pool
    while their timeout runs: of 200 requests to a server with a response time of 0.1 s, 169 waited, up to 0.23 s. If a
    later version of Scrapy keeps the limit, download_request and the two semaphores can go.
    """

    experimental = False  # if True, Scrapy logs a warning in every crawl
    lazy = True  # create no second connection pool for https:// if all URLs are http://

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        per_host = crawler.settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN") or sys.maxsize  # 0 means no limit
        if crawler.settings.getbool("DATASET_ENABLED"):
            self._guard(self._session.connector, crawler.spider or crawler.spidercls)
        self._total = Semaphore(crawler.settings.getint("CONCURRENT_REQUESTS") or sys.maxsize)
        state = crawler.get_extension(CrawlState)
        self._bodies = state.bodies if state else Budget(BODIES)
        self._hosts: defaultdict[str | None, Semaphore] = defaultdict(lambda: Semaphore(per_host))

    @staticmethod
    def _guard(connector: aiohttp.BaseConnector | None, spider: Spider | type[Spider]) -> None:
        """Have a connector refuse names that lead to this machine or its network, unless the spider names the host."""
        proxies = {urlsplit(url if "://" in url else f"//{url}").hostname or "" for url in getproxies().values()}
        if isinstance(connector, aiohttp.TCPConnector):
            # Scrapy 2.19 has no setting for aiohttp's resolver.
            named = frozenset(allowed_domains(spider) | start_hosts(spider) | proxies)
            connector._resolver = _PublicResolver(connector._resolver, named)

    async def download_request(self, request: Request) -> Response:
        """Download a response as soon as a connection to its host is free.

        Raises: one of Scrapy's download errors if there is no response.
        """
        async with self._hosts[urlparse_cached(request).hostname], self._total:
            return await super().download_request(request)

    @asynccontextmanager
    async def _make_request(  # type: ignore[override]
        self, request: Request, timeout: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request as Scrapy does, but do not change its URL, and keep passwords and line breaks out of errors.

        An empty body is passed as None, and the headers are not copied: this saves 2 % of a crawl's instructions.

        Raises: one of Scrapy's download errors if the request fails.
        """
        headers = request.headers
        if b"Proxy-Authorization" in headers:
            headers = self._request_headers(request)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body or None,
                headers=headers.to_tuple_list(),
                timeout=_timeout(timeout),
                ssl=self._ssl_context,
                allow_redirects=False,
                proxy=self._extract_proxy_url_with_creds(request),
            ) as response:
                yield response
        except TimeoutError as error:
            raise DownloadTimeoutError(f"Getting {request.url} took longer than {timeout} seconds.") from error
        except aiohttp.ClientPayloadError as error:
            raise ResponseDataLossError(_clean(str(error))) from None
        except aiohttp.ClientError as error:
            kind = next(kind for of_aiohttp, kind in _ERRORS if isinstance(error, of_aiohttp))
            # "from None", because a traceback would show the cause, which may contain a proxy's password.
            proxy = None if kind is DownloadFailedError else request.meta.get("proxy")
            of_proxy = f"the proxy {proxy}: " if proxy else ""
            raise kind(f"{of_proxy}{_clean(str(error))}") from None

    async def _read_response(self, response: aiohttp.ClientResponse, request: Request) -> Response:
        """Wait until _BUDGET has room for the body, then read the body: 24 bodies of 16 MB took 0.7 GB."""
        limit = min(request.meta.get("download_maxsize", self._default_maxsize) or BODIES, BODIES)
        size = limit if response.content_length is None else min(response.content_length, limit)
        await self._bodies.take(size)
        try:
            return await super()._read_response(response, request)  # type: ignore[arg-type]
        finally:
            self._bodies.release(size)

    def _extract_proxy_url_with_creds(self, request: Request) -> str | None:
        """Return the URL of the proxy with user name and password, for which Scrapy 2.19 does not escape a slash."""
        proxy, credentials = self._extract_proxy(request)
        if not proxy or not credentials:
            return proxy
        name, _, password = b64decode(credentials.split()[-1]).decode(self._proxy_auth_encoding).partition(":")
        return str(URL(proxy).with_user(name).with_password(password))

    @staticmethod
    def _extract_headers(response: aiohttp.ClientResponse) -> Headers:
        """Return the headers as bytes, because Scrapy 2.19 raises UnicodeEncodeError if a header is not UTF-8."""
        return Headers(response.raw_headers)


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, except for the *named* hosts and their subdomains."""

    def __init__(self, resolver: AbstractResolver, named: frozenset[str]) -> None:
        self._resolver, self._named = resolver, named

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if any(host == name or host.endswith(f".{name}") for name in self._named):
            return found
        for result in found:
            if not ip_address(result["host"].partition("%")[0]).is_global:
                raise OSError(None, f"{host} is on this machine or its network: {result['host']}")
        return found

    async def close(self) -> None:
        await self._resolver.close()


@cache
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)


def _clean(message: str) -> str:
    r"""Remove passwords and line breaks from an error message.

    >>> print(_clean(r"407, message='No:\n\n  really', url='http://me:secret@127.0.0.1:3128'"))
    407, message='No: really', url='http://127.0.0.1:3128'
    """
    return one_line(_BREAK.sub(" ", _REMOVED.sub("", message)))
