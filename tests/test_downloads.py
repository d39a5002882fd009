"""What goes over the wire, and what comes back."""

import asyncio
import doctest
import gzip
import logging
import socket
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import brotli
import pytest
from aiohttp import web
from backports import zstd
from conftest import serving
from downloading import crawl, download
from scrapy.exceptions import (
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import HtmlResponse, Request, Response

from timecoverspider import downloadhandlers

PAGE = "<!DOCTYPE html><title>♥</title>" + "".join(f"<p>Cover {number}</p>" for number in range(1000))
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def site(answer: Answer) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


def asked(answer: Answer, path: str = "/", settings: dict[str, Any] | None = None, **meta: Any) -> Response:
    """Download from a server that answers so."""
    with serving(site(answer)) as address:
        return download(f"{address}{path}", settings, **meta)


def answering(body: bytes = b"", **more: Any) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, **more)

    return answer


def writing(raw: bytes) -> Answer:
    """Answers with bytes of its own, whatever HTTP says, and cuts the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.write(raw)
        request.transport.close()
        return web.Response()

    return answer


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
    response = asked(answering(encode(PAGE.encode()), headers=headers))
    assert isinstance(response, HtmlResponse)
    assert response.text == PAGE
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("lines", [["gzip", ""], ["", "gzip"]])
def test_second_blank_content_encoding_is_ignored(lines: list[str]) -> None:
    body = gzip.compress(PAGE.encode())
    head = "".join(f"Content-Encoding: {line}\r\n" for line in lines)
    raw = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    assert asked(writing(raw)).body.decode() == PAGE


@pytest.mark.parametrize("kept", [1, 5, 15, -9, -1])
@pytest.mark.parametrize(("encoding", "encode"), ENCODINGS)
def test_half_a_stream_is_data_loss(encoding: str, encode: Callable[[bytes], bytes], kept: int) -> None:
    with pytest.raises(ResponseDataLossError, match=f"its {encoding} stream is broken: "):
        asked(answering(encode(PAGE.encode())[:kept], headers={"Content-Encoding": encoding}))


def test_altered_stream_is_data_loss() -> None:
    body = bytearray(gzip.compress(PAGE.encode()))
    body[-6] ^= 1  # of the checksum
    with pytest.raises(ResponseDataLossError, match="CRC check failed"):
        asked(answering(bytes(body), headers={"Content-Encoding": "gzip"}))


@pytest.mark.parametrize(
    ("settings", "meta", "times"),
    [
        ({"RETRY_TIMES": 2}, {}, 3),
        ({"RETRY_TIMES": 2}, {"dont_retry": True}, 1),
        ({"RETRY_TIMES": 2}, {"max_retry_times": 1}, 2),
        ({"RETRY_TIMES": 2, "RETRY_ENABLED": False}, {}, 1),
    ],
)
def test_half_a_stream_is_retried_as_scrapy_retries(settings: dict[str, Any], meta: dict[str, Any], times: int) -> None:
    count: Counter[str] = Counter()

    async def cut(request: web.Request) -> web.StreamResponse:
        count[request.path] += 1
        return web.Response(body=gzip.compress(PAGE.encode())[:-12], headers={"Content-Encoding": "gzip"})

    with pytest.raises(ResponseDataLossError):
        asked(cut, settings=settings, **meta)
    assert count == {"/": times}


def test_half_a_stream_then_a_whole_one_is_the_page() -> None:
    count: Counter[str] = Counter()

    async def cut_once(request: web.Request) -> web.StreamResponse:
        count[request.path] += 1
        body = gzip.compress(PAGE.encode())
        return web.Response(body=body[:-12] if count[request.path] == 1 else body, headers={"Content-Encoding": "gzip"})

    with serving(site(cut_once)) as address:
        results, crawler = crawl(Request(address), RETRY_TIMES=1)
    assert [response.body.decode() for response in results.values()] == [PAGE]
    assert crawler.stats.get_value("retry/reason_count/scrapy.exceptions.ResponseDataLossError") == 1
    assert crawler.stats.get_value("downloader/request_count") == 2
    assert crawler.stats.get_value("downloader/response_status_count/200") == 2


def test_half_a_stream_is_a_page_if_data_loss_is_allowed() -> None:
    body = gzip.compress(PAGE.encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    response = asked(writing(head + body[:-12]), download_fail_on_dataloss=False)
    assert PAGE.startswith(response.text[:1000])
    assert "dataloss" in response.flags


@pytest.mark.parametrize("encoding", ["compress", "\xff"])
def test_unknown_encoding_is_left_alone(encoding: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 1\r\n\r\nx".encode("latin-1")
    assert asked(writing(raw)).body == b"x"


@pytest.mark.parametrize("status", [204, 304])
def test_response_without_a_body_needs_no_decoding(status: int) -> None:
    assert asked(answering(status=status, headers={"Content-Encoding": "gzip"})).body == b""


def test_url_is_sent_as_it_is() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    path = "/time/0,16641,20140310,00.html?N=46+30&Ns=p_date_range%7C1&Nf=p_date_range%7CBTWN+20130101+20131231&x=%2B//"
    assert asked(echo, path).text == path


@pytest.mark.parametrize("status", [200, 301, 404, 503])
def test_every_status_is_a_response(status: int) -> None:
    response = asked(answering(b"x", status=status, headers={"Location": "http://127.0.0.1:9/", "X-Cover": "1"}))
    assert (response.status, response.body, response.headers["X-Cover"]) == (status, b"x", b"1")


def test_header_that_is_not_utf_8_arrives_as_bytes() -> None:
    raw = "HTTP/1.1 200 OK\r\nX-Title: España\r\nContent-Length: 1\r\n\r\nx".encode("latin-1")
    assert asked(writing(raw)).headers["X-Title"] == "España".encode("latin-1")


async def _chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"x" * 10_000)
    return response


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answering(b"x" * 200_000), DownloadCancelledError),
        (_chunked, DownloadCancelledError),
        (answering(gzip.compress(b"x" * 50_000_000), headers={"Content-Encoding": "gzip"}), IgnoreRequest),
        (answering(zlib.compress(b"x" * 50_000_000), headers={"Content-Encoding": "deflate"}), IgnoreRequest),
        (answering(zstd.compress(b"x" * 50_000_000), headers={"Content-Encoding": "zstd"}), IgnoreRequest),
    ],
)
def test_response_over_the_maximum_size_is_cancelled(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\(60000( B)?\)"):
        asked(answer, settings={"DOWNLOAD_MAXSIZE": 60_000})
    with pytest.raises(error, match=r"\(50000( B)?\)"):
        asked(answer, download_maxsize=50_000)


def test_slow_response_is_a_timeout() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(DownloadTimeoutError, match=r"^Getting http://\S+ took longer than 0\.2 seconds\.$"):
        asked(hang, download_timeout=0.2)


def test_timeout_does_not_count_the_wait_for_a_connection() -> None:
    flying: Counter[str] = Counter()

    async def slow(request: web.Request) -> web.StreamResponse:
        flying["now"] += 1
        flying["most"] = max(flying["most"], flying["now"])
        await asyncio.sleep(0.2)
        flying["now"] -= 1
        return web.Response()

    with serving(site(slow)) as address:
        requests = [Request(f"{address}/{number}") for number in range(12)]
        results, _ = crawl(*requests, DOWNLOAD_TIMEOUT=0.9, CONCURRENT_REQUESTS_PER_DOMAIN=2)
    assert [type(result) for result in results.values() if isinstance(result, Exception)] == []
    assert len(results) == 12
    assert flying["most"] == 2


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", ResponseDataLossError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nshort", ResponseDataLossError),
        (b"Good morning\r\n\r\n", DownloadFailedError),
        (b"", DownloadFailedError),
    ],
)
def test_malformed_response_is_an_error(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked(writing(raw), download_timeout=20)


def test_malformed_response_is_reported_in_one_line() -> None:
    with pytest.raises(DownloadFailedError) as raised:
        asked(writing(b"Good\x1b[2J morning\r\n\r\n"))
    assert "Bad status line: " in str(raised.value)
    assert str(raised.value).isprintable()
    assert r"\n" not in str(raised.value)


def test_docstrings_hold() -> None:
    assert doctest.testmod(downloadhandlers) == doctest.TestResults(failed=0, attempted=1)


def test_closed_port_is_refused() -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadConnectionRefusedError, match=r"^Cannot connect to host 127\.0\.0\.1:\d+ \["):
            download(f"http://127.0.0.1:{closed.getsockname()[1]}/")


def test_crawl_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    asked(answering(b"x"))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("through", ["meta", "environment"])
def test_proxy_gets_its_credentials(monkeypatch: pytest.MonkeyPatch, through: str) -> None:
    async def show(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f"{request.raw_path} {request.headers.get('Proxy-Authorization')}")

    with serving(site(show)) as address:
        proxy = address.replace("//", "//me:secret@")
        monkeypatch.setenv("http_proxy", proxy if through == "environment" else "http://127.0.0.1:9")
        shown = download("http://search.time.com/robots.txt", **({"proxy": proxy} if through == "meta" else {}))
    assert shown.text == f"http://search.time.com/robots.txt Basic {b64encode(b'me:secret').decode()}"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", b"Good morning\r\n\r\n"])
def test_no_message_shows_the_credentials_of_a_proxy(caplog: pytest.LogCaptureFixture, answer: bytes) -> None:
    with serving(site(writing(answer))) as address, pytest.raises(DownloadFailedError) as raised:
        download("https://search.time.com/", proxy=address.replace("//", "//me:secret@"))
    assert "secret" not in f"{raised.value}{caplog.text}"
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("variables", "through_proxy"),
    [
        ({}, False),
        ({"http_proxy": "{}"}, True),
        ({"http_proxy": "{}", "no_proxy": "127.0.0.1"}, False),
        ({"http_proxy": "{}", "no_proxy": "other.com"}, True),
        ({"https_proxy": "{}"}, False),
    ],
)
def test_live_obeys_the_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], through_proxy: bool
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    with serving(site(echo)) as address, serving(site(echo)) as proxy:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(proxy))
        assert (download(f"{address}/a").text == f"{address}/a") == through_proxy
        assert download(f"{address}/a", {"HTTPPROXY_ENABLED": False}).text == "/a"
