"""What goes over the wire."""

import asyncio
from time import monotonic

import aiohttp
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Headers, Request, Response
from scrapy.responsetypes import responsetypes
from yarl import URL


class HTTPDownloadHandler(BaseDownloadHandler):
    """HTTP and HTTPS with aiohttp, in as few steps as it takes.

    Scrapy's own aiohttp handler sends signals for headers and chunks that nobody here listens to, and leaves
    decompression to a middleware; both are a sixth of what a crawl costs. Obeys CONCURRENT_REQUESTS,
    CONCURRENT_REQUESTS_PER_DOMAIN, DOWNLOAD_MAXSIZE, DOWNLOAD_TIMEOUT and DOWNLOAD_VERIFY_CERTIFICATES.
    """

    lazy = True

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        settings = crawler.settings
        self._stats = crawler.stats
        self._max_size = settings.getint("DOWNLOAD_MAXSIZE")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.getint("CONCURRENT_REQUESTS"),
                limit_per_host=settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN"),
                ssl=settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES"),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # it is set for each request
            skip_auto_headers=("Accept", "Content-Type", "User-Agent"),
        )

    async def download_request(self, request: Request) -> Response:
        """Ask for a page or a picture, decompressed, whatever its status. Raises one of Scrapy's download errors."""
        self._stats.inc_value("downloader/request_count")
        seconds = request.meta.get("download_timeout") or None
        started = monotonic()
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=request.body or None,
                    headers=request.headers.to_tuple_list(),
                    allow_redirects=False,
                    proxy=request.meta.get("proxy"),
                ) as response,
            ):
                request.meta["download_latency"] = monotonic() - started
                body = await self._body(response)
        except TimeoutError as error:
            raise DownloadTimeoutError(f"it took longer than {seconds:g} seconds") from error
        except (aiohttp.InvalidUrlClientError, aiohttp.NonHttpUrlClientError) as error:
            raise UnsupportedURLSchemeError(str(error)) from error
        except aiohttp.ClientConnectorDNSError as error:
            raise CannotResolveHostError(str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise DownloadConnectionRefusedError(str(error)) from error
        except aiohttp.ClientPayloadError as error:
            raise ResponseDataLossError(str(error)) from error
        except aiohttp.ClientError as error:
            raise DownloadFailedError(str(error)) from error
        self._stats.inc_value(f"downloader/response_status_count/{response.status}")
        self._stats.inc_value("downloader/response_bytes", len(body))
        headers = Headers(response.raw_headers)
        headers.pop("Content-Encoding", None)
        form = responsetypes.from_args(headers=headers, url=request.url, body=body)
        return form(request.url, status=response.status, headers=headers, body=body, protocol="HTTP/1.1")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """The body as far as DOWNLOAD_MAXSIZE allows it: raises DownloadCancelledError where it is larger."""
        chunks, size = [], 0
        self._check(response.content_length or 0)
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            self._check(size)
        return b"".join(chunks)

    def _check(self, size: int) -> None:
        if 0 < self._max_size < size:
            raise DownloadCancelledError(f"it has {size:,} bytes or more, and DOWNLOAD_MAXSIZE is {self._max_size:,}")

    async def close(self) -> None:
        await self._session.close()
