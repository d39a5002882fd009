"""Where the listings end, early or not, and what ends them too soon."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from components import fill, make_crawler, spider_output
from mock_archive import DAYS
from newest_first import (
    ITEM,
    LISTING,
    NEW,
    NEXT,
    OPEN_PAGE,
    STORED,
    Newest,
    Unordered,
    item_request,
    listing,
    next_request,
    urls_sent,
)
from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.exceptions import IncompleteError, SiteError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.spidermiddlewares.failed_pages import INVALID, InvalidPageError
from timecoverspider.spidermiddlewares.incremental import IncrementalCrawlMiddleware


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    """A crawler for a complete data set of ten pages."""
    fill(tmp_path, DAYS[:10])
    with make_crawler(tmp_path, Newest) as crawler:
        yield crawler


@pytest.fixture
def state(crawler: Crawler) -> CrawlState:
    return CrawlState.of(crawler)


@pytest.fixture
def middleware(crawler: Crawler) -> IncrementalCrawlMiddleware:
    return IncrementalCrawlMiddleware.from_crawler(crawler)


def test_listing_with_stored_pages_alone_ends_the_listings(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, state: CrawlState
) -> None:
    requests = [next_request(crawler), item_request(crawler, STORED[0])]
    assert urls_sent(middleware, listing(crawler), *requests) == []
    assert state.is_cut
    asyncio.run(state.spider_closed(crawler.spider, "finished"))  # type: ignore[arg-type]
    assert state.outcome is None


def test_listing_with_a_record_does_not_end_the_listings(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware
) -> None:
    outputs = [next_request(crawler), item_request(crawler, STORED[0]), ITEM]
    assert urls_sent(middleware, listing(crawler), *outputs) == [NEXT]


def test_listing_without_any_page_does_not_end_the_listings(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware
) -> None:
    assert urls_sent(middleware, listing(crawler), next_request(crawler)) == [NEXT]


def test_invalid_listing_does_not_end_the_listings(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    response = listing(crawler)
    response.flags.append(INVALID)
    assert urls_sent(middleware, response, next_request(crawler), item_request(crawler, STORED[0])) == [NEXT]


@pytest.mark.parametrize("outcome", ["covers missing", "interrupted"])
def test_crawl_after_an_incomplete_one_reads_all_listings(tmp_path: Path, outcome: str) -> None:
    fill(tmp_path, DAYS[:10], outcome=outcome)
    with make_crawler(tmp_path, Newest) as crawler:
        middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
        requests = [next_request(crawler), item_request(crawler, STORED[0])]
        assert urls_sent(middleware, listing(crawler), *requests) == [NEXT]


def test_listings_in_no_order_are_read_to_the_end(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:10])
    with make_crawler(tmp_path, Unordered) as crawler:
        middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
        requests = [next_request(crawler), item_request(crawler, STORED[0]), item_request(crawler, NEW)]
        assert urls_sent(middleware, listing(crawler), *requests) == [NEXT, NEW]


def test_depth_limit_is_noted_as_what_cut_the_crawl(tmp_path: Path) -> None:
    for depth, cut in ((1, False), (2, True)):
        with make_crawler(tmp_path, Newest, DEPTH_LIMIT=2) as crawler:
            middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
            spider_output(middleware, listing(crawler, depth=depth), [item_request(crawler, NEW)])
            assert CrawlState.of(crawler).is_cut == cut


def test_start_page_without_output_is_invalid(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    with pytest.raises(InvalidPageError):
        spider_output(middleware, listing(crawler, page_role="start"), [])


def test_listing_that_is_cut_short_is_invalid(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    spider_output(middleware, listing(crawler), [next_request(crawler), item_request(crawler, NEW)])
    with pytest.raises(InvalidPageError):
        spider_output(middleware, listing(crawler, OPEN_PAGE), [item_request(crawler, NEW)])


@pytest.mark.parametrize("pagination", [True, False])
def test_listing_without_html_end_tag_is_valid_if_it_has_pagination_or_no_page_has_the_tag(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, pagination: bool
) -> None:
    if pagination:  # a page that is closed
        spider_output(middleware, listing(crawler), [next_request(crawler), item_request(crawler, NEW)])
    outputs = [item_request(crawler, NEW), *([next_request(crawler)] if pagination else [])]
    assert NEW in urls_sent(middleware, listing(crawler, OPEN_PAGE), *outputs)


def test_pagination_that_is_a_duplicate_leads_in_a_circle(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, state: CrawlState
) -> None:
    [request] = spider_output(middleware, listing(crawler), [next_request(crawler)])
    middleware.request_dropped(request)
    asyncio.run(state.spider_closed(crawler.spider, "finished"))  # type: ignore[arg-type]
    assert isinstance(state.outcome, IncompleteError)


@pytest.mark.parametrize(("listed", "is_error"), [(8, True), (9, False), (10, False)])
def test_listings_that_show_less_than_nine_tenths_of_what_is_known_end_too_soon(
    tmp_path: Path, listed: int, is_error: bool
) -> None:
    fill(tmp_path, DAYS[:10])
    with make_crawler(tmp_path, Newest, {"full": "1"}) as crawler:
        middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
        spider_output(middleware, listing(crawler), [item_request(crawler, url) for url in STORED[:listed]])
        middleware.spider_idle()
        assert CrawlState.of(crawler).has_site_error == is_error


@pytest.mark.parametrize("cut", [True, False])
def test_listings_that_were_cut_or_are_not_read_yet_are_not_judged(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, state: CrawlState, cut: bool
) -> None:
    spider_output(middleware, listing(crawler), [item_request(crawler, NEW)])
    if cut:
        state.cut("CLOSESPIDER_PAGECOUNT")
    else:
        state.request_scheduled(Request(NEXT))
    middleware.spider_idle()
    assert not state.has_site_error


def test_listing_without_next_link_ends_pagination_and_is_judged(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, state: CrawlState
) -> None:
    assert urls_sent(middleware, listing(crawler), item_request(crawler, NEW)) == [NEW]
    middleware.spider_idle()
    assert isinstance(state.outcome, SiteError)
    assert LISTING in str(state.outcome)  # it ends after 0 of 10
