"""When a crawl must read all listings although an earlier one has."""

from pathlib import Path

import pytest
from components import fill, make_crawler
from data_set import rows
from mock_archive import DAYS

from timecoverspider.extensions.crawl_state import CrawlState


def test_crawl_may_not_stop_early_if_the_site_states_more_records_than_are_stored_or_requested(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:5])
    with make_crawler(tmp_path) as crawler:
        state = CrawlState.of(crawler)
        for stated, requested, may_stop in ((5, 0, True), (6, 0, False), (6, 1, True), (4, 0, True), (None, 0, True)):
            state.stated = stated
            assert state.may_stop_early(requested) == may_stop


@pytest.mark.parametrize("ended", ["2099-01-01T00:00:00+00:00", "garbage", "", "2026-13-45T00:00:00+00:00"])
def test_crawl_may_not_stop_early_if_the_time_of_the_last_audit_cannot_be_true(tmp_path: Path, ended: str) -> None:
    fill(tmp_path, DAYS[:1])
    rows(tmp_path, f"UPDATE crawls SET ended = '{ended}'")
    with make_crawler(tmp_path) as crawler:
        assert not CrawlState.of(crawler).may_stop_early(0)


@pytest.mark.parametrize("ended", ["2026-01-01", "2026-01-01T00:00:00"])
def test_time_without_a_zone_is_not_that_of_an_audit(tmp_path: Path, ended: str) -> None:
    fill(tmp_path, DAYS[:1])
    rows(tmp_path, f"UPDATE crawls SET ended = '{ended}'")
    with make_crawler(tmp_path) as crawler:
        assert not CrawlState.of(crawler).may_stop_early(0)


def test_audit_of_a_clock_that_was_wrong_does_not_hide_a_later_audit(tmp_path: Path) -> None:
    fill(tmp_path, DAYS[:1])
    rows(tmp_path, "UPDATE crawls SET ended = '2099-01-01T00:00:00+00:00'")
    fill(tmp_path, DAYS[:1])
    with make_crawler(tmp_path) as crawler:
        assert CrawlState.of(crawler).may_stop_early(0)
