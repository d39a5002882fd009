"""When pages that cannot be read mean that the layout of the site has changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from components import FakeEngine, fail, fill, make_crawler, page_of
from mock_archive import DAYS
from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.dataset.rows import Page
from timecoverspider.exceptions import IncompleteError, SiteError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import cover_url
from timecoverspider.spidermiddlewares.failed_pages import FailedPagesMiddleware

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


def misread(middleware: FailedPagesMiddleware, count: int) -> None:
    """Have so many pages be invalid, though they were retried."""
    for number in range(count):
        response = page_of(Request(f"{URL}?{number}", meta=USED_UP))
        middleware.process_spider_exception(response, ValueError("no title"))


def read(state: CrawlState, count: int) -> None:
    """Have so many pages show a record."""
    for number in range(count):
        state.record_page(Page(f"{URL}?read={number}", 1, 0, ""), known=0, is_start=False)


@pytest.mark.parametrize(("valid", "invalid", "stops"), [(0, 9, False), (0, 10, True), (9, 10, True), (10, 10, False)])
def test_layout_has_changed_if_more_than_half_of_at_least_ten_pages_are_invalid(
    middleware: FailedPagesMiddleware, state: CrawlState, valid: int, invalid: int, stops: bool
) -> None:
    read(state, valid)
    misread(middleware, invalid)
    assert state.stopping.is_set() == state.has_site_error == stops


def test_share_of_invalid_pages_that_is_a_changed_layout_is_a_setting(tmp_path: Path) -> None:
    with make_crawler(tmp_path, UNREADABLE_LIMIT=0.9) as crawler:
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        state = CrawlState.of(crawler)
        read(state, 9)
        misread(FailedPagesMiddleware.from_crawler(crawler), 20)
        assert not state.has_site_error


def test_downloads_that_fail_are_no_changed_layout(middleware: FailedPagesMiddleware, state: CrawlState) -> None:
    for number in range(20):
        fail(middleware, OSError("reset"), Request(f"{URL}?{number}"))
    assert not state.has_site_error


def test_crawl_keeps_twenty_invalid_pages(middleware: FailedPagesMiddleware, tmp_path: Path) -> None:
    misread(middleware, 30)
    assert len(rejected(tmp_path)) == 20


def test_latest_twenty_invalid_pages_of_all_crawls_are_kept(middleware: FailedPagesMiddleware, tmp_path: Path) -> None:
    folder = tmp_path / "output" / "rejected"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number}.html").write_text("old")
        (folder / f"{number}.txt").write_text("old")
    misread(middleware, 1)
    assert len(rejected(tmp_path)) == len(list(folder.glob("*.txt"))) == 20
    assert len([page for page in rejected(tmp_path) if page.read_text() != "old"]) == 1


def test_crawl_that_shows_no_record_could_not_read_the_site(
    middleware: FailedPagesMiddleware, state: CrawlState
) -> None:
    middleware.spider_idle()
    assert isinstance(state.outcome, SiteError)


def test_only_new_page_that_is_invalid_is_a_changed_layout(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[1:])
    with make_crawler(tmp_path) as crawler:
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        state, middleware = CrawlState.of(crawler), FailedPagesMiddleware.from_crawler(crawler)
        state.record_page(Page("http://search.time.com/", 0, 20, ""), known=19, is_start=False)
        misread(middleware, 1)
        assert isinstance(state.outcome, IncompleteError)
        middleware.spider_idle()
        assert isinstance(state.outcome, SiteError)


def test_only_new_page_that_is_gone_is_missing_and_no_changed_layout(
    middleware: FailedPagesMiddleware, state: CrawlState
) -> None:
    state.record_page(Page("http://search.time.com/", 0, 20, ""), known=19, is_start=False)
    fail(middleware, OSError("reset"), Request(URL))
    middleware.spider_idle()
    assert isinstance(state.outcome, IncompleteError)


@pytest.mark.parametrize("what", ["pending", "saved", "read", "stored"])
def test_crawl_that_shows_a_record_could_read_the_site(
    middleware: FailedPagesMiddleware, state: CrawlState, what: str
) -> None:
    match what:
        case "pending":
            state.request_scheduled(Request(URL))
        case "saved":
            state.record_saved(is_new=True)
        case "read":
            read(state, 1)
        case "stored":
            state.record_page(Page("http://search.time.com/", 0, 20, ""), known=20, is_start=False)
    middleware.spider_idle()
    assert not state.has_site_error
