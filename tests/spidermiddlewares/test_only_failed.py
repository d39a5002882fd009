"""Which requests a crawl of only failed pages sends, and what it makes of the pages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from components import FakeEngine, close, fill, make_crawler, page_of, spider_output
from data_set import image_path, rows
from mock_archive import DAYS
from newest_first import ITEM, NEW, NEXT, STORED, Newest, item_request, next_request
from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Page, now
from timecoverspider.exceptions import IncompleteError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import cover_url
from timecoverspider.spidermiddlewares.failed_pages import FailedPagesMiddleware, InvalidPageError
from timecoverspider.spidermiddlewares.incremental import IncrementalCrawlMiddleware
from timecoverspider.utils.stored_request import STORED as STORED_REQUEST
from timecoverspider.utils.stored_request import to_text

OTHER, LOST, DAMAGED = cover_url(DAYS[11]), cover_url(DAYS[12]), STORED[0]


@contextmanager
def only_failed(folder: Path, **last: Any) -> Iterator[Crawler]:
    """Make a crawler for ten stored covers, three failed pages, and a damaged image whose download has failed.

    One of the failed pages is accepted, and one has no stored request.
    """
    fill(folder, DAYS[:10], **last)
    image_path(folder, DAYS[0]).unlink()
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        spider = Newest()
        request = to_text(Request(NEW, spider.parse_item), spider)
        dataset.catalog.save(
            failures={NEW: "HTTP 503", OTHER: "HTTP 404", LOST: "HTTP 500", DAMAGED: "image <i>: HTTP 404"},
            requests={NEW: request, OTHER: request.replace(NEW, OTHER)},
        )
        dataset.catalog.accept_failures([OTHER])
    with make_crawler(folder, Newest, {"only": "failed"}) as crawler:
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        crawler.get_item_pipeline = lambda kind: None  # type: ignore[method-assign]
        yield crawler


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    with only_failed(tmp_path) as crawler:
        yield crawler


def started(crawler: Crawler) -> list[Request]:
    """Return the requests with which a crawl starts."""
    middleware = IncrementalCrawlMiddleware.from_crawler(crawler)

    async def start() -> AsyncIterator[Any]:
        yield Request("http://search.time.com/")

    async def collect() -> list[Any]:
        return [output async for output in middleware.process_start(start())]

    return asyncio.run(collect())


def test_failed_page_is_requested_and_accepted_page_and_start_page_are_not(crawler: Crawler) -> None:
    [request] = started(crawler)
    assert (request.url, request.callback) == (NEW, crawler.spider.parse_item)  # type: ignore[union-attr]


def test_page_without_a_stored_request_stays_failed_and_the_log_says_what_to_do(
    crawler: Crawler, caplog: pytest.LogCaptureFixture
) -> None:
    started(crawler)
    missing = CrawlState.of(crawler).missing
    assert missing[LOST] == "HTTP 500"
    assert missing[DAMAGED] == "the image file is missing or damaged"  # the pipeline downloads the image
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().startswith("1 of the failed pages")


def test_page_is_followed_to_pages_that_were_never_read_only(crawler: Crawler) -> None:
    middleware = IncrementalCrawlMiddleware.from_crawler(crawler)
    CrawlState.of(crawler).dataset.catalog.save(pages=[Page(NEXT, 0, 15, now())])
    page = page_of(Request(NEW, crawler.spider.parse_list))  # type: ignore[union-attr]
    outputs = [ITEM, next_request(crawler), item_request(crawler, STORED[1]), item_request(crawler, OTHER)]
    passed = spider_output(middleware, page, outputs)
    assert [output if isinstance(output, dict) else output.url for output in passed] == [ITEM, OTHER]


def test_pages_that_are_all_invalid_again_are_no_site_error(crawler: Crawler) -> None:
    state, middleware = CrawlState.of(crawler), IncrementalCrawlMiddleware.from_crawler(crawler)
    state.dataset.catalog.save(pages=[Page(url, 1, 0, now()) for url in (NEW, OTHER)])
    for url in (NEW, OTHER):
        with pytest.raises(InvalidPageError):
            spider_output(middleware, page_of(Request(url)), [])
        state.record_failure(url, "the page yields nothing")
    middleware.spider_idle()
    FailedPagesMiddleware.from_crawler(crawler).spider_idle()
    assert not state.has_site_error


@pytest.mark.parametrize(("last", "unread"), [({}, ""), ({"outcome": "interrupted"}, "the last crawl was interrupted")])
def test_crawl_that_gets_everything_is_complete_if_all_listings_were_read(
    tmp_path: Path, last: dict[str, Any], unread: str
) -> None:
    with only_failed(tmp_path, **last) as crawler:
        state = CrawlState.of(crawler)
        [damaged] = state.survey.damaged
        state.survey.repair(damaged.path)
        close(state)
        assert isinstance(state.outcome, IncompleteError) == bool(unread)
        assert str(state.outcome or "") == unread
    query = "SELECT id, outcome, complete_walk, cut_by FROM crawls ORDER BY id DESC LIMIT 1"
    outcome = "covers missing" if unread else "complete"
    assert rows(tmp_path, query) == [(2, outcome, 0, "only=failed")]  # with an id: records must know their crawl
    with Dataset(tmp_path / "output") as dataset:
        assert dataset.catalog.last_crawl_was_complete() != bool(unread)  # as before


def test_stored_image_of_a_failed_page_is_checked_again(crawler: Crawler) -> None:
    from timecoverspider.pipelines import ImageStorePipeline  # noqa: PLC0415

    pipeline = ImageStorePipeline.from_crawler(crawler)
    assert pipeline._checks


def test_request_is_stored_before_it_is_sent_and_each_page_has_its_own(crawler: Crawler) -> None:
    failed_pages = FailedPagesMiddleware.from_crawler(crawler)
    request = Request(LOST, crawler.spider.parse_item, meta={"day": 1})  # type: ignore[union-attr]
    failed_pages.request_scheduled(request)
    stored = request.meta[STORED_REQUEST]
    assert '"day":1' in stored
    request.headers["Cookie"] = "a=1"
    failed_pages.request_scheduled(request)  # a retry
    assert request.meta[STORED_REQUEST] == stored
    copied = Request(OTHER, crawler.spider.parse_list, meta=request.meta)  # type: ignore[union-attr]
    failed_pages.request_scheduled(copied)
    assert OTHER in copied.meta[STORED_REQUEST]
    assert LOST not in copied.meta[STORED_REQUEST]
