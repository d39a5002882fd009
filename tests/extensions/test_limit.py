"""The argument ``limit``: a small data set, which a later crawl continues."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from components import FakeEngine, close, fill, make_crawler
from data_set import rows
from mock_archive import DAYS
from scrapy.http import Request

from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import image_url
from timecoverspider.spiders.coverspider import CoverSpider


def item(number: int) -> dict[str, Any]:
    """Return the item of an issue."""
    return {"pubDate": DAYS[number].isoformat(), "file_urls": [image_url(DAYS[number])]}


@contextmanager
def limited(folder: Path, limit: str = "3") -> Iterator[CrawlState]:
    with make_crawler(folder, arguments={"limit": limit}) as crawler:
        crawler.engine = FakeEngine()  # type: ignore[assignment]
        yield CrawlState.of(crawler)


def end(state: CrawlState, *, saved: bool = True) -> None:
    """End an item, as ItemStore does, and let the crawl close if it wants to."""

    async def run() -> None:
        if saved:
            state.record_saved(is_new=True)
        state.end_item()
        await asyncio.sleep(0)

    asyncio.run(run())


def test_items_up_to_the_limit_pass_and_the_crawl_ends_when_the_last_is_stored(tmp_path: Path) -> None:
    with limited(tmp_path) as state:
        assert [state.is_enough(item(number)) for number in range(5)] == [False] * 3 + [True] * 2
        for _ in range(2):
            end(state)
            assert not state.stopping.is_set()
        end(state)
        assert state.stopping.is_set()
        assert state._crawler.engine.closed == ["limit"]  # type: ignore[union-attr]
        state.request_scheduled(Request("http://search.time.com/"))  # what the limit cut off is not missing
        close(state, "limit")
        assert (state.outcome, state.missing) == (None, {})
    assert rows(tmp_path, "SELECT outcome, complete_walk, cut_by FROM crawls") == [("complete", 0, "limit")]


def test_stored_records_count_towards_the_limit_and_pass(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:2])
    with limited(tmp_path) as state:
        assert not state.is_enough(item(0))  # it may have changed
        assert [state.is_enough(item(number)) for number in (2, 3)] == [False, True]


@pytest.mark.parametrize(("limit", "stops"), [("2", True), ("1", True), ("3", False)])
def test_crawl_whose_limit_is_reached_already_ends_at_once(tmp_path: Path, limit: str, stops: bool) -> None:
    fill(tmp_path, DAYS[:2])
    with limited(tmp_path, limit) as state:

        async def start() -> None:
            state.engine_started()
            await asyncio.sleep(0)

        asyncio.run(start())
        assert state.stopping.is_set() == stops


def test_crawl_after_one_with_a_limit_reads_all_listings(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:2])
    with limited(tmp_path, "2") as state:
        asyncio.run(_start(state))
        close(state, "shutdown")
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        assert len(state.survey.pages) == 2
        close(state)
        assert state.outcome is None


async def _start(state: CrawlState) -> None:
    state.engine_started()


def test_crawl_after_one_with_a_limit_may_not_stop_early(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:2])  # a complete crawl
    for arguments, may_stop in (({"limit": "2"}, True), ({}, False)):
        with make_crawler(tmp_path, arguments=arguments) as crawler:
            state = CrawlState.of(crawler)
            assert state.may_stop_early(0) == may_stop
            asyncio.run(_start(state))
            close(state, "limit" if arguments else "finished")
            assert state.outcome is None


@pytest.mark.parametrize("value", [100, "all", None, lambda spider: None])
def test_attribute_of_the_spiders_class_is_no_limit(tmp_path: Path, value: Any) -> None:
    spider = type("Limited", (CoverSpider,), {"limit": value})
    with make_crawler(tmp_path, spider) as crawler:
        assert not any(CrawlState.of(crawler).is_enough(item(number % 40)) for number in range(101))


def test_item_whose_key_is_no_json_value_passes_under_a_limit(tmp_path: Path) -> None:
    spider = type("Dated", (CoverSpider,), {"record_key": ["pubDate"]})
    with make_crawler(tmp_path, spider, {"limit": "3"}) as crawler:
        assert not CrawlState.of(crawler).is_enough({"pubDate": DAYS[0]})


def test_item_that_fails_under_a_limit_is_named(tmp_path: Path) -> None:
    with limited(tmp_path, "1") as state:
        assert not state.is_enough(item(0))
        state.record_failure("http://content.time.com/a", "HTTP 404")
        end(state, saved=False)
        close(state, "limit")
        assert state.outcome is not None
        assert state.outcome.exit_status == 3


def test_crawl_without_a_limit_takes_every_item(tmp_path: Path) -> None:
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        assert not any(state.is_enough(item(number)) for number in range(5))
