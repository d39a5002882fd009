"""The wire: Scrapy's aiohttp handler, whose clock starts when a connection is free."""

import re
import sys
from asyncio import Semaphore
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import aiohttp
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

from timecoverspider.text import one_line

# Scrapy's error for each of aiohttp's; the first that fits counts.
_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[Exception]], ...] = (
    ((aiohttp.InvalidUrlClientError, aiohttp.NonHttpUrlClientError), UnsupportedURLSchemeError),
    (aiohttp.ClientConnectorDNSError, CannotResolveHostError),
    (aiohttp.ClientConnectorError, DownloadConnectionRefusedError),
    (aiohttp.ClientError, DownloadFailedError),
)
# The user and password of a URL, and the address in memory of an SSL context.
_UNFIT = re.compile(r"(?<=//)[^/@\s]*@| ssl:<[^>]*>")
_BREAK = re.compile(r"(?:\s|\\n)+")  # aiohttp quotes a line of HTTP between escaped line breaks


class HTTPDownloadHandler(AiohttpDownloadHandler):
    """Scrapy's handler, whose DOWNLOAD_TIMEOUT does not count the wait for a connection.

    Scrapy 2.19 hands 24 requests to a host with CONCURRENT_REQUESTS_PER_DOMAIN = 8, because Downloader._process_queue
    reads the number of transfers before the tasks that it started have begun. 16 of them wait in aiohttp's pool, where
    their clock runs: of 200 requests to a server that takes 0.1 s, 169 waited, up to 0.23 s. When the downloader keeps
    the limit, download_request and the two semaphores can go.
    """

    experimental = False  # True logs a warning in every crawl
    lazy = True  # a crawl of http:// URLs needs no second pool for https://

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        per_host = crawler.settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN") or sys.maxsize  # 0 is no limit
        self._total = Semaphore(crawler.settings.getint("CONCURRENT_REQUESTS") or sys.maxsize)
        self._hosts: defaultdict[str | None, Semaphore] = defaultdict(lambda: Semaphore(per_host))

    async def download_request(self, request: Request) -> Response:
        """Download a response when a connection to its host is free. Raises one of Scrapy's download errors."""
        async with self._hosts[urlparse_cached(request).hostname], self._total:
            return await super().download_request(request)

    @asynccontextmanager
    async def _make_request(  # type: ignore[override]
        self, request: Request, timeout: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request as Scrapy does, but with its URL as it is, and errors of one line without passwords.

        It also leaves out a body that is empty, and a copy of the headers: 2 % of the instructions of a crawl.
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
            raise ResponseDataLossError(_fit(str(error))) from None
        except aiohttp.ClientError as error:
            kind = next(kind for of_aiohttp, kind in _ERRORS if isinstance(error, of_aiohttp))
            # Not "from error": a traceback would show the cause, which may quote a proxy's password.
            raise kind(_fit(str(error))) from None

    @staticmethod
    def _extract_headers(response: aiohttp.ClientResponse) -> Headers:
        """Take the headers as bytes: Scrapy 2.19 raises UnicodeEncodeError if one of them is not UTF-8."""
        return Headers(response.raw_headers)


@cache
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)


def _fit(message: str) -> str:
    r"""Remove passwords and line breaks from an error message.

    >>> print(_fit(r"407, message='No:\n\n  really', url='http://me:secret@127.0.0.1:3128'"))
    407, message='No: really', url='http://127.0.0.1:3128'
    """
    return one_line(_BREAK.sub(" ", _UNFIT.sub("", message)))
