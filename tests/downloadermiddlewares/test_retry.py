"""What failed is requested again: how often, how late, and without stalling other requests."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from components import FakeEngine, make_crawler
from downloading import crawl
from scrapy.crawler import Crawler
from scrapy.exceptions import DontCloseSpider, DownloadTimeoutError, IgnoreRequest, ResponseDataLossError
from scrapy.http import Request, Response
from serving import serving

from timecoverspider.backoff import LONGEST, retry_after, retry_delay
from timecoverspider.downloadermiddlewares.retry import BackoffRetryMiddleware, retry_later
from timecoverspider.extensions.crawl_state import CrawlState

URL = "http://content.time.com/a"


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    with make_crawler(tmp_path) as crawler:
        crawler.engine = FakeEngine()  # type: ignore[assignment]
        yield crawler


@pytest.fixture
def middleware(crawler: Crawler) -> BackoffRetryMiddleware:
    return BackoffRetryMiddleware.from_crawler(crawler)


def test_retry_later_gives_up_after_retry_times(crawler: Crawler) -> None:
    request: Request | None = Request(URL)
    for _ in range(4):
        assert request
        request = retry_later(request, crawler, "a reason")
    assert request
    assert retry_later(request, crawler, "a reason") is None
    assert crawler.stats.get_value("retry/count") == 4


def test_retry_later_sends_the_retry_before_new_requests_and_past_the_duplicate_filter(crawler: Crawler) -> None:
    retry = retry_later(Request(URL, priority=5), crawler, "a reason")
    assert retry
    assert (retry.url, retry.priority, retry.dont_filter) == (URL, 6, True)


def test_retry_later_obeys_dont_retry(crawler: Crawler) -> None:
    assert retry_later(Request(URL, meta={"dont_retry": True}), crawler, "a reason") is None


def test_retry_later_obeys_retry_enabled(tmp_path: Path) -> None:
    with make_crawler(tmp_path, RETRY_ENABLED=False) as crawler:
        assert retry_later(Request(URL), crawler, "a reason") is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
def test_response_with_a_passing_error_is_retried(middleware: BackoffRetryMiddleware, status: int) -> None:
    assert isinstance(middleware.process_response(Request(URL), Response(URL, status)), Request)


@pytest.mark.parametrize("status", [200, 302, 304, 403, 404, 410])
def test_response_with_a_definite_status_is_not_retried(middleware: BackoffRetryMiddleware, status: int) -> None:
    response = Response(URL, status)
    assert middleware.process_response(Request(URL), response) is response


@pytest.mark.parametrize("error", [DownloadTimeoutError(), ResponseDataLossError(), OSError()])
def test_failed_download_is_retried(middleware: BackoffRetryMiddleware, error: Exception) -> None:
    assert isinstance(middleware.process_exception(Request(URL), error), Request)


@pytest.mark.parametrize("error", [IgnoreRequest(), ValueError()])
def test_refused_download_is_not_retried(middleware: BackoffRetryMiddleware, error: Exception) -> None:
    assert middleware.process_exception(Request(URL), error) is None


def wait_of(request: Any) -> float:
    """Return the seconds that a request will wait."""
    wait: float = request.meta["retry_wait"]
    return wait


def test_wait_doubles_with_each_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    with make_crawler(tmp_path, RETRY_BACKOFF=0.5) as crawler:
        middleware, request, waits = BackoffRetryMiddleware.from_crawler(crawler), Request(URL), []
        for _ in range(4):
            result = middleware.process_response(request, Response(URL, 503))
            assert isinstance(result, Request)
            waits.append(wait_of(request := result))
    assert waits == [0.5, 1, 2, 4]


def test_wait_is_never_longer_than_a_minute_and_a_half() -> None:
    assert retry_delay(1000, 0.5) <= 1.5 * LONGEST == 90


@pytest.mark.parametrize(("value", "wait"), [("7", 7), ("3600", LONGEST), ("soon", 0), ("-5", 0)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(middleware: BackoffRetryMiddleware, status: int, value: str, wait: float) -> None:
    result = middleware.process_response(Request(URL), Response(URL, status, {"Retry-After": value}))
    assert wait_of(result) == wait


def test_retry_after_reads_dates() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < retry_after(format_datetime(soon, usegmt=True)) <= 30
    assert retry_after("-5") == retry_after("Thu, 99 Foo 2026") == 0


def test_request_that_is_no_retry_does_not_wait(middleware: BackoffRetryMiddleware) -> None:
    asyncio.run(middleware.process_request(Request(URL)))


def waiting_request() -> Request:
    """Return a retry that would wait for an hour."""
    return Request(URL, meta={"retry_wait": 3600})


def test_waiting_retry_holds_no_place_among_the_active_requests(
    crawler: Crawler, middleware: BackoffRetryMiddleware
) -> None:
    request, state = waiting_request(), CrawlState.of(crawler)
    active = crawler.engine.downloader.active
    active.add(request)

    async def wait() -> None:
        task = asyncio.ensure_future(middleware.process_request(request))
        await asyncio.sleep(0)
        assert active == set()
        with pytest.raises(DontCloseSpider):
            middleware.spider_idle()
        state.stopping.set()
        with pytest.raises(IgnoreRequest):
            await task

    asyncio.run(wait())
    assert active == {request}  # from which the downloader removes it
    middleware.spider_idle()


def test_retry_is_not_sent_if_the_crawl_stops(crawler: Crawler, middleware: BackoffRetryMiddleware) -> None:
    CrawlState.of(crawler).stopping.set()
    with pytest.raises(IgnoreRequest):
        asyncio.run(middleware.process_request(waiting_request()))


def test_retry_is_sent_after_its_wait(middleware: BackoffRetryMiddleware) -> None:
    request = Request(URL, meta={"retry_wait": 0.01})
    asyncio.run(middleware.process_request(request))
    assert "retry_wait" not in request.meta  # lest a redirect of it waits again


def test_waiting_retry_lets_other_requests_pass() -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.Response(status=503 if paths == ["/a"] else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    with serving(app) as address:
        requests = [Request(f"{address}/{name}") for name in "abc"]
        results, _ = crawl(*requests, RETRY_TIMES=1, RETRY_BACKOFF=0.5, CONCURRENT_REQUESTS=1)
    assert paths == ["/a", "/b", "/c", "/a"]
    assert [result.status for result in results.values() if isinstance(result, Response)] == [200] * 3
