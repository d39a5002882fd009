"""Which stored pages a crawl requests again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from components import fill, make_crawler
from data_set import image_path, rows
from mock_archive import DAYS

from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import cover_url

STORED, UNKNOWN = cover_url(DAYS[0]), cover_url(DAYS[5])


def is_skipped(
    folder: Path,
    url: str = STORED,
    *,
    is_item_page: bool = False,
    arguments: dict[str, Any] | None = None,
    **settings: Any,
) -> bool:
    with make_crawler(folder, arguments=arguments, **settings) as crawler:
        return CrawlState.of(crawler).need_not_request(url, is_item_page=is_item_page)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a data set of two covers."""
    fill(tmp_path, DAYS[:2])
    return tmp_path


@pytest.mark.parametrize("is_item_page", [False, True])
def test_page_of_a_stored_record_is_skipped_and_an_unknown_page_is_not(folder: Path, is_item_page: bool) -> None:
    assert is_skipped(folder, is_item_page=is_item_page)
    assert not is_skipped(folder, UNKNOWN, is_item_page=is_item_page)


def test_page_of_a_record_whose_image_is_damaged_is_skipped(folder: Path) -> None:
    image_path(folder, DAYS[0]).unlink()  # it is downloaded without the page
    assert is_skipped(folder)


@pytest.mark.parametrize(("records", "requests"), [(2, 0), (1, 1), (0, 3)])
def test_page_that_yielded_something_else_is_skipped_only_if_the_spider_says_so(
    folder: Path, records: int, requests: int
) -> None:
    rows(folder, f"UPDATE pages SET records = {records}, requests = {requests}")
    assert not is_skipped(folder)
    assert is_skipped(folder, is_item_page=True)


def test_page_without_a_stored_record_is_never_skipped(folder: Path) -> None:
    rows(folder, "DELETE FROM records")
    assert not is_skipped(folder)
    assert not is_skipped(folder, is_item_page=True)


@pytest.mark.parametrize(("days_ago", "every", "skipped"), [(29, 30, True), (31, 30, False), (1, 0.5, False)])
def test_inferred_item_page_is_requested_again_after_the_days_of_an_audit(
    folder: Path, days_ago: int, every: float, skipped: bool
) -> None:
    read = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    rows(folder, f"UPDATE pages SET last_read = '{read}'")
    assert is_skipped(folder, AUDIT_EVERY_DAYS=every) == skipped
    assert is_skipped(folder, is_item_page=True, AUDIT_EVERY_DAYS=every)


@pytest.mark.parametrize(
    ("argument", "is_item_page", "skipped"),
    [("full", False, False), ("full", True, True), ("refresh", False, False), ("refresh", True, False)],
)
def test_full_requests_inferred_item_pages_and_refresh_all(
    folder: Path, argument: str, is_item_page: bool, skipped: bool
) -> None:
    assert is_skipped(folder, is_item_page=is_item_page, arguments={argument: "1"}) == skipped
