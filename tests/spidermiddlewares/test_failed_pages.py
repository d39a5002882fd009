"""What becomes of a page that cannot be requested or read."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from components import FakeEngine, fail, make_crawler, page_of, small_image
from mock_archive import DAYS
from scrapy.crawler import Crawler
from scrapy.exceptions import NotSupported
from scrapy.http import Request, Response, XmlResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from timecoverspider.exceptions import AbortedError, SiteError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import cover_url
from timecoverspider.spidermiddlewares.failed_pages import (
    INVALID,
    LISTING,
    MAX_DEPTH,
    RETRIED,
    ROLE,
    START,
    FailedPagesMiddleware,
    InvalidPageError,
)
from timecoverspider.spiders.coverspider import CoverSpider

URL = cover_url(DAYS[0])
USED_UP = {"retry_times": 4}  # meta of a request that has been retried as often as RETRY_TIMES allows


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    with make_crawler(tmp_path) as crawler:
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        yield crawler


@pytest.fixture
def state(crawler: Crawler) -> CrawlState:
    return CrawlState.of(crawler)


@pytest.fixture
def middleware(crawler: Crawler) -> FailedPagesMiddleware:
    return FailedPagesMiddleware.from_crawler(crawler)


def rejected(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "output" / "rejected").glob("*.html"))


@pytest.mark.parametrize("error", [ValueError("no title"), NotSupported("no text")])
def test_page_that_cannot_be_read_is_retried(
    middleware: FailedPagesMiddleware, state: CrawlState, error: Exception
) -> None:
    response = page_of(Request(URL))
    result = middleware.process_spider_exception(response, error)
    assert result
    [request] = result
    assert (request.url, request.meta["retry_times"], request.dont_filter) == (URL, 1, True)
    assert response.flags == [RETRIED]
    assert not state.missing


def test_page_that_never_can_be_read_has_failed_and_is_saved(
    middleware: FailedPagesMiddleware, state: CrawlState, tmp_path: Path
) -> None:
    response = page_of(Request(URL, meta=USED_UP), "<p>Subscribe!")
    assert middleware.process_spider_exception(response, ValueError("no title")) == []
    assert response.flags == [INVALID]
    [(url, reason)] = state.missing.items()
    assert url == URL
    assert reason.startswith("no title")
    [page] = rejected(tmp_path)
    assert page.stem == hashlib.sha1(URL.encode()).hexdigest()
    assert page.read_text() == "<p>Subscribe!"
    assert page.with_suffix(".txt").read_text() == f"{URL}\nno title\n"


@pytest.mark.parametrize("error", [NameError("name 'titel' is not defined"), MemoryError(), ZeroDivisionError("by 0")])
def test_bug_of_a_spider_aborts_the_crawl_with_its_name_and_one_traceback(
    middleware: FailedPagesMiddleware, state: CrawlState, error: Exception
) -> None:
    assert middleware.process_spider_exception(page_of(Request(URL)), error) is None  # Scrapy logs the traceback
    assert isinstance(state.outcome, AbortedError)
    assert str(state.outcome).startswith(type(error).__name__)
    assert middleware.process_spider_exception(page_of(Request(URL)), error) == []


@pytest.mark.parametrize("error", [KeyError("title"), AttributeError("strip", obj=None), AssertionError("no title")])
def test_value_that_a_page_does_not_have_is_a_retry(middleware: FailedPagesMiddleware, error: Exception) -> None:
    [retry] = middleware.process_spider_exception(page_of(Request(URL)), error) or []
    assert retry.url == URL


def test_page_is_not_retried_if_the_crawl_stops(middleware: FailedPagesMiddleware, state: CrawlState) -> None:
    state.stopping.set()
    assert middleware.process_spider_exception(page_of(Request(URL)), ValueError("no title")) == []
    assert list(state.missing) == [URL]


def test_page_that_cannot_be_saved_aborts_the_crawl(
    middleware: FailedPagesMiddleware, state: CrawlState, tmp_path: Path
) -> None:
    (tmp_path / "output" / "rejected").write_text("no folder")
    middleware.process_spider_exception(page_of(Request(URL, meta=USED_UP)), ValueError("no title"))
    assert isinstance(state.outcome, AbortedError)


@pytest.mark.parametrize("role", [START, LISTING])
def test_listing_that_cannot_be_read_is_an_error_of_the_site(
    middleware: FailedPagesMiddleware, state: CrawlState, role: str
) -> None:
    response = page_of(Request(URL, meta={ROLE: role, **USED_UP}))
    middleware.process_spider_exception(response, ValueError("no covers"))
    assert isinstance(state.outcome, SiteError)
    assert URL in str(state.outcome)
    assert not state.missing


def test_failed_page_is_known_by_the_url_before_its_redirects(
    middleware: FailedPagesMiddleware, state: CrawlState
) -> None:
    request = Request("http://content.time.com/moved", meta={"redirect_urls": [URL], **USED_UP})
    middleware.process_spider_exception(page_of(request), ValueError("no title"))
    assert list(state.missing) == [URL]


def test_download_that_fails_is_noted(middleware: FailedPagesMiddleware, state: CrawlState) -> None:
    assert fail(middleware, OSError("connection reset"), Request(URL)) is None
    assert state.missing == {URL: "connection reset"}


def test_http_error_is_noted_and_its_response_is_invalid(middleware: FailedPagesMiddleware, state: CrawlState) -> None:
    response = page_of(Request(URL), status=404)
    fail(middleware, HttpError(response), Request(URL))
    assert state.missing == {URL: "HTTP 404"}
    assert response.flags == [INVALID]


@pytest.mark.parametrize("role", [START, LISTING])
@pytest.mark.parametrize("status", [404, 410, 503])
def test_listing_with_an_http_error_is_an_error_of_the_site(
    middleware: FailedPagesMiddleware, state: CrawlState, role: str, status: int
) -> None:
    request = Request(URL, meta={ROLE: role})
    fail(middleware, HttpError(page_of(request, status=status)), request)
    assert isinstance(state.outcome, SiteError)
    assert f"HTTP {status}" in str(state.outcome)


def test_download_that_fails_because_the_crawl_stops_is_not_noted(
    middleware: FailedPagesMiddleware, state: CrawlState
) -> None:
    state.request_scheduled(Request(URL))
    state.stopping.set()
    fail(middleware, OSError("cancelled"), Request(URL))
    assert "cancelled" not in state.missing[URL]  # it is still pending


def test_errback_of_the_spider_is_called_first(middleware: FailedPagesMiddleware, state: CrawlState) -> None:
    missing: list[dict[str, str]] = []

    def errback(failure: Failure) -> str:
        missing.append(state.missing)
        return "output"

    assert fail(middleware, OSError("reset"), Request(URL, errback=errback)) == "output"
    assert missing == [{}]
    assert state.missing == {URL: "reset"}


def test_failure_is_noted_if_the_errback_of_the_spider_raises(
    middleware: FailedPagesMiddleware, state: CrawlState
) -> None:
    def errback(failure: Failure) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        fail(middleware, OSError("reset"), Request(URL, errback=errback))
    assert state.missing == {URL: "reset"}


def test_errback_is_wrapped_once_however_often_its_request_is_scheduled(middleware: FailedPagesMiddleware) -> None:
    request = Request(URL, errback=lambda failure: None)
    middleware.request_scheduled(request)
    retry = request.copy()
    middleware.request_scheduled(retry)
    assert retry.errback is request.errback


def test_image_in_place_of_a_page_is_retried(middleware: FailedPagesMiddleware) -> None:
    response = Response(URL, body=small_image(), request=Request(URL))
    with pytest.raises(NotSupported) as raised:
        response.css("h1")
    assert middleware.process_spider_exception(response, raised.value)


# What a page may have.


def nested(depth: int) -> str:
    """Return a page whose innermost element is in so many elements."""
    return f"<html><body>{'<div>' * (depth - 2)}<p>x</p></body></html>"


@pytest.mark.parametrize(
    ("depth", "is_refused"), [(100, False), (MAX_DEPTH - 1, False), (MAX_DEPTH + 1, True), (1000, True), (50_000, True)]
)
def test_page_that_is_nested_too_deeply_is_refused_before_the_spider_sees_it(
    middleware: FailedPagesMiddleware, depth: int, is_refused: bool
) -> None:
    response = page_of(Request(URL), nested(depth))
    if is_refused:
        with pytest.raises(InvalidPageError, match=f"more than {MAX_DEPTH} elements"):
            middleware.process_spider_input(response)
    else:
        middleware.process_spider_input(response)


def test_xml_that_is_nested_too_deeply_is_refused(middleware: FailedPagesMiddleware) -> None:
    body = f"<?xml version='1.0'?>{'<a>' * 1000}{'</a>' * 1000}".encode()
    with pytest.raises(InvalidPageError):
        middleware.process_spider_input(XmlResponse(URL, body=body, request=Request(URL)))


@pytest.mark.parametrize("body", ["<p></p>" * 100_000, "<p>" * 10_000, "<br>" * 10_000, "x" * 10_000])
def test_page_with_many_elements_beside_each_other_is_not_nested(middleware: FailedPagesMiddleware, body: str) -> None:
    middleware.process_spider_input(page_of(Request(URL), body))


@pytest.mark.parametrize(("attribute", "limit"), [(None, 2 * 2**20), (5000, 5000)])
def test_page_may_have_so_many_bytes_as_the_setting_or_the_spider_says(
    tmp_path: Path, attribute: int | None, limit: int
) -> None:
    attributes = {} if attribute is None else {"download_maxsize": attribute}
    with make_crawler(tmp_path, type("Limited", (CoverSpider,), attributes)) as crawler:
        middleware = FailedPagesMiddleware.from_crawler(crawler)
        request, own = Request(URL), Request(URL, meta={"download_maxsize": 7})
        middleware.request_scheduled(request)
        middleware.request_scheduled(own)
        assert (request.meta["download_maxsize"], own.meta["download_maxsize"]) == (limit, 7)
