"""Which requests of a spider are sent, and in which order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from components import fill, make_crawler, page_of, spider_output
from mock_archive import DAYS
from newest_first import (
    ITEM,
    LISTING,
    NEW,
    NEXT,
    STORED,
    Newest,
    item_request,
    listing,
    next_request,
    urls_sent,
)
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.spidermiddlewares.failed_pages import RETRIED
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


def test_new_page_passes_and_stored_page_is_skipped(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    requests = [item_request(crawler, url) for url in (STORED[0], NEW, STORED[1])]
    assert urls_sent(middleware, listing(crawler), *requests) == [NEW]


def test_stored_page_is_known_by_its_url_without_fragment(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware
) -> None:
    assert urls_sent(middleware, listing(crawler), item_request(crawler, f"{STORED[0]}#top")) == []


def test_stored_url_with_a_body_is_another_page(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    request = item_request(crawler, STORED[0]).replace(method="POST", body="1")
    assert urls_sent(middleware, listing(crawler), request) == [STORED[0]]


@pytest.mark.parametrize(
    ("arguments", "is_item_page", "is_requested"),
    [
        ({}, False, False),
        ({}, True, False),
        ({"full": "1"}, False, True),  # its role is only inferred
        ({"full": "1"}, True, False),
        ({"refresh": "1"}, False, True),
        ({"refresh": "1"}, True, True),
    ],
)
def test_stored_page_is_requested_again_by_an_audit_if_inferred_and_by_a_refresh_always(
    tmp_path: Path, arguments: dict[str, str], is_item_page: bool, is_requested: bool
) -> None:
    fill(tmp_path, DAYS[:10])
    with make_crawler(tmp_path, Newest, arguments) as crawler:
        middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
        meta = {"item_page": True} if is_item_page else {}
        sent = urls_sent(middleware, listing(crawler), item_request(crawler, STORED[0], **meta))
    assert sent == [STORED[0]] * is_requested


def test_items_pass_at_once(crawler: Crawler, middleware: IncrementalCrawlMiddleware, state: CrawlState) -> None:
    response = page_of(item_request(crawler, NEW))
    assert spider_output(middleware, response, [ITEM, ITEM]) == [ITEM, ITEM]
    assert (state.pages_read, state.item_pages_read) == (1, 1)


def test_pagination_waits_for_the_end_of_its_page(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    requests = [next_request(crawler), item_request(crawler, NEW), item_request(crawler, STORED[0])]
    assert urls_sent(middleware, listing(crawler), *requests) == [NEW, NEXT]


def test_pagination_of_a_page_that_is_retried_is_dropped(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware
) -> None:
    response = listing(crawler)
    response.flags.append(RETRIED)
    assert urls_sent(middleware, response, next_request(crawler), item_request(crawler, NEW)) == [NEW]


def is_pagination(crawler: Crawler, middleware: IncrementalCrawlMiddleware, reading: Request, request: Request) -> bool:
    """Return whether a request is taken for pagination: then it comes after the new page that follows it."""
    sent = urls_sent(middleware, page_of(reading), request, item_request(crawler, NEW))
    return sent == [NEW, request.url]


def test_request_with_the_callback_of_its_page_is_pagination(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware
) -> None:
    reading = next_request(crawler).replace(url=LISTING)
    assert is_pagination(crawler, middleware, reading, next_request(crawler))
    assert not is_pagination(crawler, middleware, reading, item_request(crawler, NEXT))


def test_request_without_callback_has_parse(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    reading = Request(LISTING, crawler.spider.parse)  # type: ignore[union-attr]
    assert is_pagination(crawler, middleware, reading, Request(NEXT))


@pytest.mark.parametrize("said", [True, False])
def test_meta_says_what_is_pagination(crawler: Crawler, middleware: IncrementalCrawlMiddleware, said: bool) -> None:
    reading = next_request(crawler).replace(url=LISTING)
    request = (item_request if said else lambda crawler, url, **meta: next_request(crawler, **meta))(
        crawler, NEXT, pagination=said
    )
    assert is_pagination(crawler, middleware, reading, request) == said
    assert "pagination" not in request.meta  # lest it is copied to the requests of the next page


@pytest.mark.parametrize("rule", [0, 1])
def test_rule_of_a_crawl_spider_tells_pagination_from_items(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, rule: int
) -> None:
    reading = next_request(crawler, rule=0).replace(url=LISTING)
    assert is_pagination(crawler, middleware, reading, next_request(crawler, rule=rule)) == (rule == 0)


def test_meta_that_was_copied_from_the_page_is_removed(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware
) -> None:
    response = listing(crawler, page_role="listing", redirect_urls=[LISTING], redirect_times=1, mine=1)
    [request] = spider_output(middleware, response, [item_request(crawler, NEW, **response.meta)])
    assert request.meta == {"mine": 1}


def test_pagination_waits_if_many_pages_are_pending(
    crawler: Crawler, middleware: IncrementalCrawlMiddleware, state: CrawlState
) -> None:
    [request] = spider_output(middleware, listing(crawler), [next_request(crawler).replace(priority=1)])
    assert request.priority == 1
    for number in range(501):
        state.request_scheduled(Request(f"{NEW}?{number}"))
    [request] = spider_output(middleware, listing(crawler), [next_request(crawler).replace(priority=1)])
    assert request.priority == -1


def test_page_lets_go_of_its_selector(crawler: Crawler, middleware: IncrementalCrawlMiddleware) -> None:
    response = listing(crawler)
    selector = response.selector
    spider_output(middleware, response, [])
    assert selector.response is None


class RepairingPipeline:
    """A pipeline that counts how often it repaired."""

    repaired = 0

    async def repair(self) -> None:
        self.repaired += 1


@pytest.mark.parametrize(
    ("arguments", "starts", "repairs"), [({}, True, 1), ({"refresh": "1"}, True, 0), ({"repair": []}, False, 1)]
)
def test_start_passes_unless_the_crawl_only_repairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], starts: bool, repairs: int
) -> None:
    pipeline = RepairingPipeline()

    async def start() -> AsyncIterator[Any]:
        yield Request(LISTING)
        yield ITEM

    async def collect(middleware: IncrementalCrawlMiddleware) -> list[Any]:
        return [output async for output in middleware.process_start(start())]

    with make_crawler(tmp_path, Newest, arguments) as crawler:
        monkeypatch.setattr(crawler, "get_item_pipeline", lambda cls: pipeline)
        started = asyncio.run(collect(IncrementalCrawlMiddleware.from_crawler(crawler)))
    assert len(started) == (2 if starts else 0)
    if starts:
        assert (started[0].meta, started[1]) == ({"page_role": "start"}, ITEM)
    assert pipeline.repaired == repairs


def test_middleware_takes_any_spider(tmp_path: Path) -> None:
    with make_crawler(tmp_path, Spider, {"name": "any"}) as crawler:
        middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
        assert urls_sent(middleware, page_of(Request(LISTING)), Request(NEW)) == [NEW]
