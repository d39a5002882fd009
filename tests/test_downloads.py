"""What goes over the wire, and what comes back."""

import asyncio
import gzip
import socket
import zlib
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from conftest import serving
from scrapy.exceptions import (
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
)
from scrapy.http import HtmlResponse, Request, Response
from scrapy.settings import Settings
from scrapy.utils.test import get_crawler

from timecoverspider.downloadermiddlewares.archive import ArchiveMiddleware
from timecoverspider.downloadhandlers import HTTPDownloadHandler

PAGE = "<!DOCTYPE html><title>♥</title>" + "<p>Cover</p>" * 1000
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def download(answer: Answer, path: str = "/", settings: dict[str, Any] | None = None, **meta: Any) -> Response:
    """Ask a server that answers so, with the handler alone."""

    async def run(address: str) -> Response:
        handler = HTTPDownloadHandler(get_crawler(settings_dict={"TWISTED_REACTOR_ENABLED": False, **(settings or {})}))
        try:
            return await handler.download_request(Request(f"{address}{path}", meta=meta))
        finally:
            await handler.close()

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", answer)
    with serving(app) as address:
        return asyncio.run(run(address))


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


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", _two_members),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("deflate, GZIP", lambda content: gzip.compress(zlib.compress(content))),
        ("identity", bytes),
    ],
)
def test_what_is_compressed_arrives_as_it_was(encoding: str, encode: Callable[[bytes], bytes]) -> None:
    headers = {"Content-Encoding": encoding, "Content-Type": "text/html; charset=utf-8"}
    response = download(answering(encode(PAGE.encode()), headers=headers))
    assert isinstance(response, HtmlResponse)
    assert response.text == PAGE
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("kept", [1, 5, 15, -9, -1])
@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", _raw_deflate)]
)
def test_half_a_stream_is_not_taken_for_a_whole_one(encoding: str, encode: Callable[[bytes], bytes], kept: int) -> None:
    with pytest.raises(ResponseDataLossError, match=f"its {encoding} stream is broken: "):
        download(answering(encode(PAGE.encode())[:kept], headers={"Content-Encoding": encoding}))


def test_an_encoding_that_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(DownloadFailedError, match="nobody asked for Content-Encoding 'br'"):
        download(answering(b"x", headers={"Content-Encoding": "br"}))


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_body_needs_no_decoding(status: int) -> None:
    assert download(answering(status=status, headers={"Content-Encoding": "gzip"})).body == b""


def test_addresses_are_sent_as_they_are() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    asked = "/results.html?N=46+30&Ns=p_date_range%7C1&Nf=p_date_range%7cBTWN"
    assert download(echo, asked).body.decode() == asked


@pytest.mark.parametrize("status", [200, 301, 404, 503])
def test_every_status_is_an_answer(status: int) -> None:
    response = download(answering(b"x", status=status, headers={"Location": "http://127.0.0.1:9/", "X-Cover": "1"}))
    assert (response.status, response.body, response.headers["X-Cover"]) == (status, b"x", b"1")


async def _chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"x" * 10_000)
    return response


@pytest.mark.parametrize(
    "answer",
    [
        answering(b"x" * 200_000),
        _chunked,
        answering(gzip.compress(b"x" * 50_000_000), headers={"Content-Encoding": "gzip"}),
        answering(zlib.compress(b"x" * 50_000_000), headers={"Content-Encoding": "deflate"}),
    ],
)
def test_what_is_too_large_is_cancelled(answer: Answer) -> None:
    with pytest.raises(DownloadCancelledError, match="DOWNLOAD_MAXSIZE is 100,000"):
        download(answer, settings={"DOWNLOAD_MAXSIZE": 100_000})
    with pytest.raises(DownloadCancelledError, match="DOWNLOAD_MAXSIZE is 1,000"):
        download(answer, download_maxsize=1_000)


def test_what_takes_too_long_is_given_up() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(DownloadTimeoutError, match=r"it took longer than 0\.2 seconds"):
        download(hang, download_timeout=0.2)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", ResponseDataLossError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nshort", ResponseDataLossError),
        (b"Good morning\r\n\r\n", DownloadFailedError),
        (b"", DownloadFailedError),
    ],
)
def test_what_is_no_answer_is_an_error(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        download(writing(raw), download_timeout=20)


def test_what_is_no_http_is_told_in_one_line() -> None:
    with pytest.raises(DownloadFailedError) as raised:
        download(writing(b"Good morning\r\n\r\n"))
    assert str(raised.value) == "it is no HTTP: Bad status line"


def test_where_nobody_listens_is_an_error() -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadConnectionRefusedError):
            download(answering(), proxy=f"http://127.0.0.1:{closed.getsockname()[1]}")


def test_a_proxy_gets_its_credentials() -> None:
    async def show(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f"{request.raw_path} {request.headers.get('Proxy-Authorization')}")

    async def run(address: str) -> bytes:
        handler = HTTPDownloadHandler(get_crawler(settings_dict={"TWISTED_REACTOR_ENABLED": False}))
        proxy = address.replace("//", "//me:secret@")
        response = await handler.download_request(Request("http://search.time.com/robots.txt", meta={"proxy": proxy}))
        await handler.close()
        return response.body

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", show)
    with serving(app) as address:
        shown = asyncio.run(run(address)).decode()
    assert shown.split(" ", 1)[1] == f"Basic {b64encode(b'me:secret').decode()}"


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"http_proxy": "http://127.0.0.1:3128"}, "http://127.0.0.1:3128"),
        ({"http_proxy": "127.0.0.1:3128"}, "http://127.0.0.1:3128"),
        ({"http_proxy": "http://127.0.0.1:3128", "no_proxy": "time.com"}, None),
        ({"http_proxy": "http://127.0.0.1:3128", "no_proxy": "other.com"}, "http://127.0.0.1:3128"),
        ({"https_proxy": "http://127.0.0.1:3128"}, None),
    ],
)
def test_live_obeys_the_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    request = Request("http://search.time.com/robots.txt")
    asyncio.run(ArchiveMiddleware(Settings({"ARCHIVE": "live"})).process_request(request))
    assert request.meta["proxy"] == proxy
    asyncio.run(ArchiveMiddleware(Settings({"ARCHIVE": "live", "HTTPPROXY_ENABLED": False})).process_request(request))
    assert request.meta["proxy"] is None
