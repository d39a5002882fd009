"""What goes over the wire, and what comes back."""

import asyncio
import gzip
import logging
import socket
import zlib
from base64 import b64decode
from collections import Counter
from urllib.parse import unquote

import pytest
from aiohttp import web
from backports import zstd
from downloading import answering, app_of, crawl, download, download_from, writing
from scrapy.exceptions import (
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import Request
from serving import Handler, serving


def test_url_is_sent_as_it_is() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    path = "/time/0,16641,20140310,00.html?N=46+30&Ns=p_date_range%7C1&Nf=p_date_range%7CBTWN+20130101+20131231&x=%2B//"
    assert download_from(echo, path).text == path


@pytest.mark.parametrize("status", [200, 301, 404, 503])
def test_every_status_is_a_response(status: int) -> None:
    response = download_from(
        answering(b"x", status=status, headers={"Location": "http://127.0.0.1:9/", "X-Cover": "1"})
    )
    assert (response.status, response.body, response.headers["X-Cover"]) == (status, b"x", b"1")


def test_header_that_is_not_utf_8_arrives_as_bytes() -> None:
    raw = "HTTP/1.1 200 OK\r\nX-Title: España\r\nContent-Length: 1\r\n\r\nx".encode("latin-1")
    assert download_from(writing(raw)).headers["X-Title"] == "España".encode("latin-1")


async def _chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"x" * 10_000)
    return response


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (answering(b"x" * 200_000), DownloadCancelledError),
        (_chunked, DownloadCancelledError),
        (answering(gzip.compress(b"x" * 50_000_000), headers={"Content-Encoding": "gzip"}), IgnoreRequest),
        (answering(zlib.compress(b"x" * 50_000_000), headers={"Content-Encoding": "deflate"}), IgnoreRequest),
        (answering(zstd.compress(b"x" * 50_000_000), headers={"Content-Encoding": "zstd"}), IgnoreRequest),
    ],
)
def test_response_over_the_maximum_size_is_cancelled(handler: Handler, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\(60000( B)?\)"):
        download_from(handler, settings={"DOWNLOAD_MAXSIZE": 60_000})
    with pytest.raises(error, match=r"\(50000( B)?\)"):
        download_from(handler, download_maxsize=50_000)


def test_slow_response_is_a_timeout() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(DownloadTimeoutError, match=r"^Getting http://\S+ took longer than 0\.2 seconds\.$"):
        download_from(hang, download_timeout=0.2)


def test_timeout_does_not_count_the_wait_for_a_connection() -> None:
    flying: Counter[str] = Counter()

    async def slow(request: web.Request) -> web.StreamResponse:
        flying["now"] += 1
        flying["most"] = max(flying["most"], flying["now"])
        await asyncio.sleep(0.2)
        flying["now"] -= 1
        return web.Response()

    with serving(app_of(slow)) as address:
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
        download_from(writing(raw), download_timeout=20)


def test_malformed_response_is_reported_in_one_line() -> None:
    with pytest.raises(DownloadFailedError) as raised:
        download_from(writing(b"Good\x1b[2J morning\r\n\r\n"))
    assert "Bad status line: " in str(raised.value)
    assert str(raised.value).isprintable()
    assert r"\n" not in str(raised.value)


def test_closed_port_is_refused() -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadConnectionRefusedError, match=r"^Cannot connect to host 127\.0\.0\.1:\d+ \["):
            download(f"http://127.0.0.1:{closed.getsockname()[1]}/")


def test_crawl_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    download_from(answering(b"x"))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", b"Good morning\r\n\r\n"])
def test_no_message_shows_the_credentials_of_a_proxy(caplog: pytest.LogCaptureFixture, answer: bytes) -> None:
    with serving(app_of(writing(answer))) as address, pytest.raises(DownloadFailedError) as raised:
        download("https://search.time.com/", proxy=address.replace("//", "//me:secret@"))
    assert "secret" not in f"{raised.value}{caplog.text}"
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "password", ["s3cret", "s3/cret", "s3#cret", "s3?cret", "s3@cret", "s3:cret", "s3 cret", "s3%2Fcret"]
)
def test_proxy_gets_the_password_and_no_message_shows_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    sent: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        sent.append(b64decode(request.headers["Proxy-Authorization"].split()[1]).decode())
        assert request.transport
        request.transport.close()
        return web.Response()

    with serving(app_of(note)) as address:
        monkeypatch.setenv("http_proxy", address.replace("//", f"//me:{password}@"))
        with pytest.raises(DownloadFailedError) as raised:
            download("http://search.time.com/")
    assert set(sent) == {f"me:{unquote(password)}"}  # aiohttp sends a GET again if the connection was cut
    assert "cret" not in f"{raised.value}{caplog.text}"


@pytest.mark.parametrize("password", ["s3cret", "s3/cret", "s3#cret", "s3?cret", "s3@cret"])
@pytest.mark.parametrize("url", ["http://search.time.com/", "https://search.time.com/"])
def test_proxy_that_is_down_is_named_without_its_password(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, password: str, url: str
) -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{closed.getsockname()[1]}"
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", f"http://me:{password}@{proxy}")
        with pytest.raises(DownloadConnectionRefusedError, match=f"^the proxy http://{proxy}: ") as raised:
            download(url)
    assert "cret" not in f"{raised.value}{caplog.text}"
