"""What need not be requested, what is pending, and what has failed."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from components import close, fill, make_crawler
from data_set import failures, image_path, rows
from mock_archive import DAYS
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Request

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Page
from timecoverspider.exceptions import (
    DatasetLockedError,
    UsageError,
)
from timecoverspider.extensions import crawl_state
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import cover_url

URL, OTHER = cover_url(DAYS[0]), cover_url(DAYS[1])


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    with make_crawler(tmp_path) as crawler:
        yield crawler


@pytest.fixture
def state(crawler: Crawler) -> CrawlState:
    return CrawlState.of(crawler)


def page(url: str = URL, records: int = 1) -> Page:
    return Page(url, records, 0, "2026-11-24T00:00:00+00:00")


def test_crawl_without_a_data_set_has_no_state() -> None:
    with make_crawler() as crawler:
        assert crawler.get_extension(CrawlState) is None
        with pytest.raises(NotConfigured):
            CrawlState.of(crawler)


def test_second_crawl_of_a_data_set_is_refused(crawler: Crawler, tmp_path: Path) -> None:
    with pytest.raises(DatasetLockedError) as raised, make_crawler(tmp_path):
        pass
    assert raised.value.exit_status == 5


def test_data_set_is_released_if_the_crawl_cannot_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(crawl_state, "WriteQueue", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError) as raised, make_crawler(tmp_path):
            pass
    with make_crawler(tmp_path):
        assert raised.traceback  # which holds the state, lest the lock is released with it


@pytest.mark.parametrize("option", ["item_classes", "item_filter"])
def test_feed_that_chooses_items_by_class_is_refused(tmp_path: Path, option: str) -> None:
    feeds = {"a.json": {"format": "json", option: ["scrapy.Item"]}}
    with pytest.raises(UsageError) as raised, make_crawler(tmp_path, FEEDS=feeds):
        pass
    assert option in str(raised.value)
    assert raised.value.exit_status == 2
    with make_crawler(tmp_path):  # the lock is free
        pass


@pytest.mark.parametrize("attribute", ["record_key", "ignored_parameters", "allowed_domains", "start_urls"])
def test_attribute_that_is_a_string_and_no_list_is_refused(tmp_path: Path, attribute: str) -> None:
    spider = type("Wrong", (Spider,), {"name": "wrong", attribute: "title"})
    with pytest.raises(UsageError) as raised, make_crawler(tmp_path, spider):
        pass
    assert attribute in str(raised.value)


# What need not be requested.


@pytest.mark.parametrize("argument", ["full", "refresh"])
def test_page_of_a_stored_record_is_known_whatever_is_requested(tmp_path: Path, argument: str) -> None:
    fill(tmp_path, DAYS[:1])
    for value in ("0", "1"):
        with make_crawler(tmp_path, arguments={argument: value}) as crawler:
            state = CrawlState.of(crawler)
            assert (state.known, state.is_known(URL), state.is_known(OTHER)) == (1, True, False)
            assert state.refresh == ((argument, value) == ("refresh", "1"))


def test_page_whose_image_is_damaged_need_not_be_requested(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:2])
    image_path(tmp_path, DAYS[0]).unlink()
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        assert state.is_known(URL)
        assert list(state.missing) == [URL]
        assert state.stored == 1


def may_stop_early(folder: Path, arguments: dict[str, Any] | None = None, **settings: Any) -> bool:
    with make_crawler(folder, arguments=arguments, **settings) as crawler:
        return CrawlState.of(crawler).may_stop_early(0)


def test_crawl_may_stop_early_after_a_complete_one(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:1])
    assert may_stop_early(tmp_path)


def test_first_crawl_may_not_stop_early(tmp_path: Path) -> None:
    assert not may_stop_early(tmp_path)


@pytest.mark.parametrize("argument", ["full", "refresh"])
def test_crawl_with_an_argument_for_all_pages_may_not_stop_early(tmp_path: Path, argument: str) -> None:
    fill(tmp_path, DAYS[:1])
    assert may_stop_early(tmp_path, {argument: "0"})
    fill(tmp_path, DAYS[:1])
    assert not may_stop_early(tmp_path, {argument: "1"})


@pytest.mark.parametrize("last", [{"outcome": "covers missing"}, {"outcome": "interrupted"}, {"complete_walk": False}])
def test_crawl_may_not_stop_early_after_one_that_did_not_read_everything(tmp_path: Path, last: dict[str, Any]) -> None:
    fill(tmp_path, DAYS[:1], **last)
    assert not may_stop_early(tmp_path)


def test_crawl_may_not_stop_early_after_one_that_was_killed(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:1])
    assert may_stop_early(tmp_path)  # and does not note how it ended
    assert not may_stop_early(tmp_path)


@pytest.mark.parametrize(("days_ago", "every", "may_stop"), [(29, 30, True), (31, 30, False), (1, 0.5, False)])
def test_crawl_may_not_stop_early_if_all_listings_were_read_too_long_ago(
    tmp_path: Path, days_ago: int, every: float, may_stop: bool
) -> None:
    fill(tmp_path, DAYS[:1])
    ended = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    rows(tmp_path, f"UPDATE crawls SET ended = '{ended}'")
    assert may_stop_early(tmp_path, AUDIT_EVERY_DAYS=every) == may_stop


# What happens to pages.


def test_page_is_pending_until_it_is_read(state: CrawlState) -> None:
    for _ in range(2):  # a retry
        state.request_scheduled(Request(URL))
    assert (state.pending, list(state.missing)) == (1, [URL])
    state.record_page(page(), known=0, is_start=False)
    assert (state.pending, state.missing) == (0, {})


def test_page_is_pending_until_it_has_failed(state: CrawlState) -> None:
    state.request_scheduled(Request(URL))
    state.record_failure(URL, "HTTP 404")
    assert (state.pending, state.missing) == (0, {URL: "HTTP 404"})


def test_listing_is_pending_until_the_site_cannot_be_read(state: CrawlState) -> None:
    state.request_scheduled(Request(URL))
    state.record_site_error(URL, "HTTP 503")
    assert state.pending == 0


def test_dropped_duplicate_leaves_the_first_request_pending(state: CrawlState) -> None:
    first, duplicate = Request(URL), Request(URL)
    state.request_scheduled(first)
    state.request_scheduled(duplicate)
    state.request_dropped(duplicate)
    assert state.pending == 1
    state.request_dropped(first)
    assert state.pending == 0


def test_page_that_is_listed_again_is_not_awaited_again(state: CrawlState) -> None:
    state.request_scheduled(Request(URL))
    state.record_page(page(), known=0, is_start=False)
    duplicate = Request(URL)
    state.request_scheduled(duplicate)
    state.request_dropped(duplicate)  # by the duplicate filter
    assert state.pending == 0


def test_pages_are_one_if_they_differ_in_ignored_parameters(state: CrawlState) -> None:
    state.request_scheduled(Request(f"{URL}?sid=1"))
    state.request_scheduled(Request(f"{URL}?sid=2"))
    assert state.pending == 1


def test_pages_are_counted_but_for_start_pages(state: CrawlState) -> None:
    state.record_page(page(records=0), known=0, is_start=True)
    state.record_page(page(records=0), known=15, is_start=False)
    state.record_page(page(records=1), known=0, is_start=False)
    assert (state.pages_read, state.item_pages_read, state.known_pages_listed) == (2, 1, 15)


def test_failure_is_noted_once_in_one_line(state: CrawlState, tmp_path: Path) -> None:
    state.record_failure(URL, "a reason\n\x1b[2J")
    state.record_failure(URL, "another reason")
    assert state.missing == {URL: r"a reason\n\x1b[2J"}
    assert state._crawler.stats.get_value("covers/failed") == 1
    close(state)
    assert failures(tmp_path) == state.missing


def test_page_that_was_read_after_it_failed_has_still_failed(state: CrawlState, tmp_path: Path) -> None:
    state.record_failure(URL, "its image is gone")
    asyncio.run(state.settle())
    state.record_page(page(), known=0, is_start=False)
    close(state)
    assert failures(tmp_path) == {URL: "its image is gone"}


@pytest.mark.parametrize(
    ("reason", "arguments", "forgets"),
    [("finished", {}, True), ("shutdown", {}, False), ("finished", {"limit": "1"}, False)],
)
def test_failure_of_a_page_that_the_site_no_longer_has_is_forgotten_after_a_crawl_of_all_listings(
    tmp_path: Path, reason: str, arguments: dict[str, Any], forgets: bool
) -> None:
    fill(tmp_path, DAYS[2:4])
    rows(tmp_path, f"INSERT INTO pages VALUES ('{OTHER}', 0, 0, '', 'HTTP 404', '')")
    with make_crawler(tmp_path, arguments=arguments) as crawler:
        state = CrawlState.of(crawler)
        state.record_failure(URL, "HTTP 503")
        if state.has_limit:
            state.cut("limit")
        close(state, reason)
    assert set(failures(tmp_path)) == ({URL} if forgets else {URL, OTHER})


def test_page_that_is_pending_at_the_end_of_a_finished_crawl_has_failed(tmp_path: Path) -> None:
    for reason in ("shutdown", "finished"):
        with make_crawler(tmp_path) as crawler:
            state = CrawlState.of(crawler)
            state.request_scheduled(Request(URL))
            close(state, reason)
        assert list(failures(tmp_path)) == ([URL] if reason == "finished" else [])


# Failures that a user has accepted.


def accept(folder: Path, reason: str = "HTTP 404") -> None:
    with Dataset(folder / "output", write=True) as dataset:
        dataset.catalog.save(failures={URL: reason})
        assert dataset.catalog.accept_failures([URL]) == []


@pytest.mark.parametrize(("reason", "counts"), [("HTTP 404", 0), ("HTTP 500", 1)])
def test_accepted_failure_is_no_error_unless_it_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: str, counts: int
) -> None:
    accept(tmp_path)
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        state.record_failure(URL, reason)
        assert (len(state.missing), state.accepted) == (counts, 1 - counts)
        close(state)
        assert (state.outcome is None) == (not counts)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == counts
    assert failures(tmp_path) == {URL: reason}
    assert rows(tmp_path, "SELECT accepted FROM pages") == [("" if counts else "HTTP 404",)]


def test_page_without_a_record_that_is_accepted_is_one_of_those_that_the_site_states(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[1:4])
    accept(tmp_path)
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        state.stated = 4
        assert state.may_stop_early(0)
        assert not state.is_known(URL)  # a listing has it: the middleware counts the request
        assert not state.may_stop_early(0)
        assert state.may_stop_early(1)


def test_accepted_failure_that_no_listing_showed_stays_if_the_listings_ended_early(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[1:4])
    accept(tmp_path)
    for ends_early in (True, False):
        with make_crawler(tmp_path) as crawler:
            state = CrawlState.of(crawler)
            if ends_early:
                state.stop_early()
            close(state)
        assert bool(failures(tmp_path)) == ends_early


def test_failure_of_an_earlier_crawl_is_forgotten_when_the_page_is_read(tmp_path: Path) -> None:
    for fails in (True, False):
        with make_crawler(tmp_path) as crawler:
            state = CrawlState.of(crawler)
            if fails:
                state.record_failure(URL, "HTTP 404")
            else:
                state.record_page(page(), known=0, is_start=False)
            close(state)
        assert bool(failures(tmp_path)) == fails
