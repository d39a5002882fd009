"""What goes over the wire."""

import asyncio
import zlib
from gzip import BadGzipFile, GzipFile
from io import BytesIO
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
    decompression to a middleware, which takes half a stream for a whole one; both are a sixth of what a crawl costs.
    Obeys CONCURRENT_REQUESTS, CONCURRENT_REQUESTS_PER_DOMAIN, DOWNLOAD_MAXSIZE, DOWNLOAD_TIMEOUT and
    DOWNLOAD_VERIFY_CERTIFICATES, and of a request's meta download_maxsize, download_timeout and proxy.
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
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "gzip, deflate"},
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
                body = await _body(response, request.meta.get("download_maxsize", self._max_size))
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
        except aiohttp.ClientResponseError as error:
            raise DownloadFailedError(f"it is no HTTP: {error.message.partition(chr(10))[0].rstrip(':')}") from error
        except aiohttp.ClientError as error:
            raise DownloadFailedError(str(error)) from error
        self._stats.inc_value(f"downloader/response_status_count/{response.status}")
        self._stats.inc_value("downloader/response_bytes", len(body))
        headers = Headers(response.raw_headers)
        headers.pop("Content-Encoding", None)
        form = responsetypes.from_args(headers=headers, url=request.url, body=body)
        return form(request.url, status=response.status, headers=headers, body=body, protocol="HTTP/1.1")

    async def close(self) -> None:
        await self._session.close()


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, decompressed, of at most *limit* bytes (0 is no limit).

    Raises DownloadCancelledError where it is larger, and ResponseDataLossError where it is cut.
    """
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        _check(size, limit)
    body = b"".join(chunks)
    for coding in reversed(response.headers.get("Content-Encoding", "").lower().replace(",", " ").split()):
        body = _decoded(body, coding, limit) if body else body  # an answer to HEAD, or one of status 304
        _check(len(body), limit)
    return body


def _decoded(body: bytes, coding: str, limit: int) -> bytes:
    """The body without one of its encodings, or the first byte too many of it."""
    most = limit + 1 if limit else -1
    try:
        match coding:
            case "gzip" | "x-gzip":
                return GzipFile(fileobj=BytesIO(body)).read(most)
            case "deflate":
                return _inflated(body, most)
            case "identity":
                return body
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise ResponseDataLossError(f"its {coding} stream is broken: {error}") from error
    raise DownloadFailedError(f"nobody asked for Content-Encoding {coding!r}")


def _inflated(body: bytes, most: int) -> bytes:
    with_header = body[0] & 0x0F == zlib.DEFLATED  # which some servers leave out
    stream = zlib.decompressobj(zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS)
    content = stream.decompress(body, max(most, 0))
    if not stream.eof and len(content) != most:
        raise EOFError("it ends early")
    return content


def _check(size: int, limit: int) -> None:
    if 0 < limit < size:
        raise DownloadCancelledError(f"it has {size:,} bytes or more, and DOWNLOAD_MAXSIZE is {limit:,}")
