"""How a crawl ends, and what the catalog says of it."""

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from components import FakeEngine, close, fill, make_crawler
from data_set import image_path, rows
from mock_archive import DAYS
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import Request

from timecoverspider.exceptions import (
    AbortedError,
    CatalogError,
    IncompleteError,
    InterruptedCrawlError,
    SiteError,
    UsageError,
)
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


def test_crawl_that_read_everything_is_complete(state: CrawlState, tmp_path: Path) -> None:
    close(state)
    assert state.outcome is None
    assert rows(tmp_path, "SELECT outcome, complete_walk, cut_by FROM crawls") == [("complete", 1, "")]


def test_crawl_that_is_not_finished_is_incomplete(state: CrawlState) -> None:
    assert isinstance(state.outcome, IncompleteError)


def test_crawl_with_a_missing_page_is_incomplete(state: CrawlState, tmp_path: Path) -> None:
    state.record_failure(URL, "HTTP 404")
    close(state)
    assert isinstance(state.outcome, IncompleteError)
    assert state.outcome.exit_status == 3
    assert rows(tmp_path, "SELECT outcome, failed FROM crawls") == [("covers missing", 1)]


def test_crawl_with_a_pending_page_is_incomplete(state: CrawlState) -> None:
    state.request_scheduled(Request(URL))
    close(state)
    assert isinstance(state.outcome, IncompleteError)


@pytest.mark.parametrize("reason", ["closespider_pagecount", "closespider_timeout"])
def test_crawl_that_a_limit_ended_is_incomplete_and_names_the_limit(
    state: CrawlState, tmp_path: Path, reason: str
) -> None:
    close(state, reason)
    assert isinstance(state.outcome, IncompleteError)
    assert str(state.outcome) == reason
    assert rows(tmp_path, "SELECT complete_walk, cut_by FROM crawls") == [(0, reason)]


def test_first_limit_that_cut_the_crawl_is_named(state: CrawlState) -> None:
    state.cut("DEPTH_LIMIT")
    close(state, "closespider_timeout")
    assert str(state.outcome) == "DEPTH_LIMIT"


def test_listings_that_lead_in_a_circle_are_incomplete(state: CrawlState) -> None:
    state.record_circle()
    close(state)
    assert isinstance(state.outcome, IncompleteError)


def test_crawl_that_stopped_early_is_complete_and_no_complete_walk(state: CrawlState, tmp_path: Path) -> None:
    state.stop_early()
    close(state)
    assert state.outcome is None
    assert rows(tmp_path, "SELECT outcome, complete_walk FROM crawls") == [("complete", 0)]


def test_first_error_of_the_site_is_named(state: CrawlState) -> None:
    state.record_site_error(URL, "HTTP 503")
    state.record_site_error("", "another")
    close(state)
    assert isinstance(state.outcome, SiteError)
    assert (str(state.outcome), state.outcome.exit_status) == (f"<{URL}>: HTTP 503", 4)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_crawl_has_the_exit_status_of_its_signal(
    crawler: Crawler, state: CrawlState, number: int, status: int
) -> None:
    crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
    state.interrupt(number)
    assert state.stopping.is_set()
    assert isinstance(state.outcome, InterruptedCrawlError)
    assert state.outcome.exit_status == status


def test_worst_outcome_counts(crawler: Crawler, state: CrawlState) -> None:
    crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
    state.record_failure(URL, "HTTP 404")
    assert isinstance(state.outcome, IncompleteError)
    state.record_site_error(OTHER, "HTTP 503")
    assert isinstance(state.outcome, SiteError)
    state.interrupt(signal.SIGINT)
    assert isinstance(state.outcome, InterruptedCrawlError)
    state.abort("a full disk")
    state.abort("another reason")
    assert isinstance(state.outcome, AbortedError)
    assert (str(state.outcome), state.outcome.exit_status) == ("a full disk", 1)


@pytest.mark.parametrize(("stop", "reason"), [("abort", "aborted"), ("stop", "layout_changed")])
def test_stopping_closes_the_spider(crawler: Crawler, state: CrawlState, stop: str, reason: str) -> None:
    crawler.engine = engine = FakeEngine()  # type: ignore[assignment]

    async def run() -> None:
        getattr(state, stop)(reason)
        await state._closing

    asyncio.run(run())
    assert state.stopping.is_set()
    assert engine.closed == [reason]


@pytest.mark.parametrize("has_pipeline", [True, False])
def test_crawl_without_the_pipeline_that_stores_images_is_refused(tmp_path: Path, has_pipeline: bool) -> None:
    with make_crawler(tmp_path, has_pipeline=has_pipeline) as crawler:
        crawler.engine = engine = FakeEngine()  # type: ignore[assignment]
        state = CrawlState.of(crawler)

        async def run() -> None:
            state.engine_started()
            await asyncio.sleep(0)

        asyncio.run(run())
        assert engine.closed == ([] if has_pipeline else ["shutdown"])
        assert isinstance(state.outcome, UsageError) != has_pipeline


def test_catalog_that_fails_at_the_end_aborts_the_crawl(
    crawler: Crawler, state: CrawlState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **columns: Any) -> None:
        raise CatalogError("disk full")

    crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
    monkeypatch.setattr(state.dataset.catalog, "end_crawl", fail)
    close(state)
    assert isinstance(state.outcome, AbortedError)


def test_records_are_counted_with_those_that_were_stored_before(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:5])
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        state.record_saved(is_new=True)
        state.record_saved(is_new=False)  # one of the five, refreshed
        assert (state.stored, state.saved, state.new) == (6, 2, 1)
        close(state)
    assert rows(tmp_path, "SELECT known, new FROM crawls ORDER BY id DESC LIMIT 1") == [(5, 1)]


def test_repair_is_no_crawl_for_the_catalog(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:2])
    path = f"full/{image_path(tmp_path, DAYS[0]).name}"
    with make_crawler(tmp_path, arguments={"repair": [path]}) as crawler:
        state = CrawlState.of(crawler)
        assert [image.path for image in state.survey.damaged] == [path]
        state.survey.repair(path)
        close(state)
        assert state.outcome is None
    assert rows(tmp_path, "SELECT count(*) FROM crawls") == [(1,)]


@pytest.mark.parametrize(
    ("reason", "outcome"), [("finished", "complete"), ("shutdown", "interrupted"), ("aborted", "aborted")]
)
def test_crawl_leaves_a_report_however_it_ends(tmp_path: Path, reason: str, outcome: str) -> None:
    fill(tmp_path, DAYS[:2])
    with make_crawler(tmp_path) as crawler:
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        state = CrawlState.of(crawler)
        if reason == "shutdown":
            state.interrupt(signal.SIGTERM)
        if reason == "aborted":
            state.abort("a full disk")
        close(state, reason)
        state.engine_stopped()
    report = json.loads((tmp_path / "output" / "report.json").read_bytes())
    assert (report["crawls"][-1]["outcome"], report["complete"]) == (outcome, outcome == "complete")


def test_report_that_cannot_be_written_is_a_warning_and_the_data_set_is_closed(
    state: CrawlState, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "output" / "report.json").mkdir()
    close(state)
    state.engine_stopped()
    [line] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "report.json" in line.getMessage()
    assert state.outcome is None
    with make_crawler(tmp_path):  # the lock is free
        pass


class Unkeyed(Spider):
    """A spider that does not say what makes a record another one."""

    name = "pyimagesearch-cover-spider"


@pytest.mark.parametrize(("reason", "forgets"), [("finished", True), ("shutdown", False)])
def test_moved_records_are_forgotten_only_after_a_crawl_of_all_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, forgets: bool
) -> None:
    with make_crawler(tmp_path, Unkeyed) as crawler:
        state, calls = CrawlState.of(crawler), []
        monkeypatch.setattr(state.dataset.catalog, "forget_moved", lambda _, listed: calls.append(listed))
        state.is_known(URL)
        close(state, reason)
    assert calls == ([{URL}] if forgets else [])
