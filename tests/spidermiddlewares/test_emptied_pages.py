"""Pages that yielded something before and yield nothing now, and pages that are read in part."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from components import FakeEngine, make_crawler, page_of, spider_output
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.dataset.rows import Page, now
from timecoverspider.exceptions import IncompleteError, SiteError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.spidermiddlewares.failed_pages import LISTING, ROLE, START, FailedPagesMiddleware, InvalidPageError
from timecoverspider.spidermiddlewares.incremental import IncrementalCrawlMiddleware

PAGES = [f"http://a.example/{number}" for number in range(5)]
ITEM = {"file_urls": ["http://a.example/1.jpg"]}
USED_UP = {"retry_times": 4}


class Decades(Spider):
    name = "decades"


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    """A crawler for a data set whose pages each yielded one record or one request."""
    with make_crawler(tmp_path, Decades) as crawler:
        catalog = CrawlState.of(crawler).dataset.catalog
        catalog.save(pages=[Page(url, number % 2, (number + 1) % 2, now()) for number, url in enumerate(PAGES)])
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        yield crawler


@pytest.fixture
def state(crawler: Crawler) -> CrawlState:
    return CrawlState.of(crawler)


def read(crawler: Crawler, middleware: IncrementalCrawlMiddleware, url: str, *outputs: Any, **meta: Any) -> None:
    """Read a page as Scrapy does: errors of one spider middleware reach the other."""
    response = page_of(Request(url, meta={**USED_UP, **meta}))
    try:
        spider_output(middleware, response, outputs)
    except InvalidPageError as error:
        FailedPagesMiddleware.from_crawler(crawler).process_spider_exception(response, error)


@pytest.mark.parametrize("url", PAGES[:2])
def test_single_page_that_yields_nothing_now_has_failed_by_name(crawler: Crawler, state: CrawlState, url: str) -> None:
    middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
    read(crawler, middleware, url)
    middleware.spider_idle()
    assert "the page yields nothing; before, it yielded" in state.missing[url]
    assert isinstance(state.outcome, IncompleteError)


def test_page_that_never_yielded_anything_has_not_failed(crawler: Crawler, state: CrawlState) -> None:
    read(crawler, IncrementalCrawlMiddleware.from_crawler(crawler), "http://a.example/about")
    assert not state.missing


@pytest.mark.parametrize(("emptied", "is_error"), [(2, False), (3, True)])
def test_more_than_half_of_the_pages_that_yield_nothing_now_are_an_error_of_the_site(
    crawler: Crawler, state: CrawlState, emptied: int, is_error: bool
) -> None:
    middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
    for number, url in enumerate(PAGES):
        read(crawler, middleware, url, *([] if number < emptied else [ITEM]))
    middleware.spider_idle()
    assert state.has_site_error == is_error
    assert isinstance(state.outcome, SiteError if is_error else IncompleteError)


def test_page_that_yields_something_in_a_retry_is_not_counted_as_emptied(crawler: Crawler, state: CrawlState) -> None:
    middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
    for url in PAGES[:2]:
        with pytest.raises(InvalidPageError):
            spider_output(middleware, page_of(Request(url)), [])
        read(crawler, middleware, url, ITEM)
    read(crawler, middleware, PAGES[2])
    middleware.spider_idle()
    assert not state.has_site_error
    assert list(state.missing) == [PAGES[2]]


def test_start_page_that_yields_nothing_is_an_error_of_the_site(crawler: Crawler, state: CrawlState) -> None:
    read(crawler, IncrementalCrawlMiddleware.from_crawler(crawler), "http://a.example/", **{ROLE: START})
    assert isinstance(state.outcome, SiteError)


@pytest.mark.parametrize("role", [START, LISTING])
@pytest.mark.parametrize("output", [ITEM, Request("http://a.example/item", lambda response: None)])
def test_listing_that_fails_after_it_yielded_something_has_failed_by_name(
    crawler: Crawler, state: CrawlState, role: str, output: Any
) -> None:
    response = page_of(Request("http://a.example/list", meta={**USED_UP, ROLE: role}))
    spider_output(IncrementalCrawlMiddleware.from_crawler(crawler), response, [output])
    failed = FailedPagesMiddleware.from_crawler(crawler)
    failed.process_spider_exception(response, TypeError("'NoneType' object is not subscriptable"))
    assert not state.has_site_error
    assert "NoneType" in state.missing["http://a.example/list"]


@pytest.mark.parametrize("role", [START, LISTING])
def test_listing_that_fails_before_it_yielded_anything_is_an_error_of_the_site(
    crawler: Crawler, state: CrawlState, role: str
) -> None:
    response = page_of(Request("http://a.example/list", meta={**USED_UP, ROLE: role}))
    FailedPagesMiddleware.from_crawler(crawler).process_spider_exception(response, ValueError("no list"))
    assert state.has_site_error
