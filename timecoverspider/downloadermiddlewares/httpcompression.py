"""Decompression that detects incomplete streams."""

import gzip
import struct
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import brotli  # type: ignore[import-untyped]
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.exceptions import ResponseDataLossError
from scrapy.http import Request, Response

from timecoverspider.downloadermiddlewares.retry import retry_later

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _inflate(body: bytes) -> bytes:
    has_header = body[0] & 0x0F == zlib.DEFLATED  # some servers omit the header
    return zlib.decompress(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


# Each decoder raises one of _DECODE_ERRORS if the stream is cut or altered.
_DECODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.decompress,
    b"x-gzip": gzip.decompress,
    b"deflate": _inflate,
    b"br": brotli.decompress,
    b"zstd": zstd.decompress,
}
_DECODE_ERRORS = (EOFError, OSError, brotli.error, struct.error, zlib.error, zstd.ZstdError)


class StrictHttpCompressionMiddleware(HttpCompressionMiddleware):
    """Scrapy's decompression, with a retry if a stream is broken.

    Scrapy 2.19 returns the decoded part of an incomplete stream (scrapy.utils.gz.gunzip: "return as much data as
    possible"), and does not decode if the last Content-Encoding is blank. If a later version of Scrapy does neither,
    this class can go.
    """

    crawler: Crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = super().from_crawler(crawler)
        middleware.crawler = crawler
        return middleware

    def process_response(  # type: ignore[override]
        self, request: Request, response: Response
    ) -> Request | Response:
        """Decode a response, or return the request for a retry.

        Raises: ResponseDataLossError if all retries have failed; IgnoreRequest if the body exceeds DOWNLOAD_MAXSIZE.
        """
        codings = _normalized_codings(response)
        if not response.body or not codings:
            return response  # responses to HEAD, 204 and 304 may have a Content-Encoding without a body
        try:
            decoded = super().process_response(request, response)  # first: it respects DOWNLOAD_MAXSIZE
            if "dataloss" not in response.flags:  # this flag is set if DOWNLOAD_FAIL_ON_DATALOSS is False
                _check(response.body, codings, decoded.body if isinstance(decoded, Response) else b"")
        except _DECODE_ERRORS as error:
            loss = ResponseDataLossError(f"the {b', '.join(codings).decode('latin-1')} stream is broken: {error}")
            # Retried here, because Scrapy passes no exception of process_response to RetryMiddleware.process_exception.
            if again := retry_later(request, self.crawler, loss):
                return again
            raise loss from error
        return decoded

    @staticmethod
    def _decode(body: bytes, encoding: bytes, max_size: int) -> bytes:
        """Decode a single gzip member in one step; Scrapy decodes all other streams."""
        if encoding in {b"gzip", b"x-gzip"}:
            stream = zlib.decompressobj(zlib.MAX_WBITS + 16)
            with suppress(zlib.error):
                decoded = stream.decompress(body, max_size)
                if stream.eof and not stream.unused_data:
                    return decoded
        return HttpCompressionMiddleware._decode(body, encoding, max_size)


def _normalized_codings(response: Response) -> list[bytes]:
    """Remove values that name no coding from the Content-Encoding headers of a response, and return the others."""
    values = response.headers.getlist("Content-Encoding")
    codings = [coding.strip().lower() for value in values for coding in value.split(b",")]
    codings = [coding for coding in codings if coding not in {b"", b"identity"} and coding.isascii()]
    if codings:
        response.headers["Content-Encoding"] = codings
    else:
        response.headers.pop("Content-Encoding", None)
    return codings


def _check(body: bytes, codings: list[bytes], decoded: bytes) -> None:
    """Check that a stream is complete; skip unknown codings, as Scrapy does.

    Raises: one of _DECODE_ERRORS if the stream is incomplete or altered.
    """
    if codings in ([b"gzip"], [b"x-gzip"]) and body[-8:] == struct.pack("<II", zlib.crc32(decoded), len(decoded)):
        return  # the trailer of a single gzip member (RFC 1952) is correct: no need to decode again
    for coding in reversed(codings):
        if coding not in _DECODERS:
            return
        body = _DECODERS[coding](body)
