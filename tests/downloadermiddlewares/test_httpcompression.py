"""Compressed responses are decoded, and a cut or altered stream is data loss."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from aiohttp import web
from backports import zstd
from downloading import answering, app_of, crawl, download_from, writing
from scrapy.exceptions import ResponseDataLossError
from scrapy.http import HtmlResponse, Request
from serving import serving

PAGE = "<!DOCTYPE html><title>♥</title>" + "".join(f"<p>Cover {number}</p>" for number in range(1000))


def _raw_deflate(content: bytes) -> bytes:
    return zlib.compress(content)[2:-4]


def _two_members(content: bytes) -> bytes:
    return gzip.compress(content[:100]) + gzip.compress(content[100:])


ENCODINGS = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", _raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
]


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        *ENCODINGS,
        ("x-gzip", _two_members),
        ("deflate, GZIP", lambda content: gzip.compress(zlib.compress(content))),
        ("identity", bytes),
        ("", bytes),
        ("gzip,", gzip.compress),
        (", gzip, identity", gzip.compress),
    ],
)
def test_compressed_page_is_decoded(encoding: str, encode: Callable[[bytes], bytes]) -> None:
    headers = {"Content-Encoding": encoding, "Content-Type": "text/html; charset=utf-8"}
    response = download_from(answering(encode(PAGE.encode()), headers=headers))
    assert isinstance(response, HtmlResponse)
    assert response.text == PAGE
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("lines", [["gzip", ""], ["", "gzip"]])
def test_second_blank_content_encoding_is_ignored(lines: list[str]) -> None:
    body = gzip.compress(PAGE.encode())
    head = "".join(f"Content-Encoding: {line}\r\n" for line in lines)
    raw = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    assert download_from(writing(raw)).body.decode() == PAGE


@pytest.mark.parametrize("length", [1, 5, 15, -9, -1])
@pytest.mark.parametrize(("encoding", "encode"), ENCODINGS)
def test_cut_stream_is_data_loss(encoding: str, encode: Callable[[bytes], bytes], length: int) -> None:
    with pytest.raises(ResponseDataLossError, match=f"the {encoding} stream is broken: "):
        download_from(answering(encode(PAGE.encode())[:length], headers={"Content-Encoding": encoding}))


def test_altered_stream_is_data_loss() -> None:
    body = bytearray(gzip.compress(PAGE.encode()))
    body[-6] ^= 1  # of the checksum
    with pytest.raises(ResponseDataLossError, match="CRC check failed"):
        download_from(answering(bytes(body), headers={"Content-Encoding": "gzip"}))


@pytest.mark.parametrize(
    ("settings", "meta", "times"),
    [
        ({"RETRY_TIMES": 2}, {}, 3),
        ({"RETRY_TIMES": 2}, {"dont_retry": True}, 1),
        ({"RETRY_TIMES": 2}, {"max_retry_times": 1}, 2),
        ({"RETRY_TIMES": 2, "RETRY_ENABLED": False}, {}, 1),
    ],
)
def test_cut_stream_is_retried_as_scrapy_retries(settings: dict[str, Any], meta: dict[str, Any], times: int) -> None:
    count: Counter[str] = Counter()

    async def cut(request: web.Request) -> web.StreamResponse:
        count[request.path] += 1
        return web.Response(body=gzip.compress(PAGE.encode())[:-12], headers={"Content-Encoding": "gzip"})

    with pytest.raises(ResponseDataLossError):
        download_from(cut, settings=settings, **meta)
    assert count == {"/": times}


def test_cut_stream_then_a_complete_one_is_the_page() -> None:
    count: Counter[str] = Counter()

    async def cut_once(request: web.Request) -> web.StreamResponse:
        count[request.path] += 1
        body = gzip.compress(PAGE.encode())
        return web.Response(body=body[:-12] if count[request.path] == 1 else body, headers={"Content-Encoding": "gzip"})

    with serving(app_of(cut_once)) as address:
        results, crawler = crawl(Request(address), RETRY_TIMES=1)
    assert [response.body.decode() for response in results.values()] == [PAGE]
    assert crawler.stats.get_value("retry/reason_count/scrapy.exceptions.ResponseDataLossError") == 1
    assert crawler.stats.get_value("downloader/request_count") == 2
    assert crawler.stats.get_value("downloader/response_status_count/200") == 2


def test_cut_stream_is_a_page_if_data_loss_is_allowed() -> None:
    body = gzip.compress(PAGE.encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    response = download_from(writing(head + body[:-12]), download_fail_on_dataloss=False)
    assert PAGE.startswith(response.text[:1000])
    assert "dataloss" in response.flags


@pytest.mark.parametrize("encoding", ["compress", "\xff"])
def test_unknown_encoding_is_left_alone(encoding: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 1\r\n\r\nx".encode("latin-1")
    assert download_from(writing(raw)).body == b"x"


@pytest.mark.parametrize("status", [204, 304])
def test_response_without_a_body_needs_no_decoding(status: int) -> None:
    assert download_from(answering(status=status, headers={"Content-Encoding": "gzip"})).body == b""
