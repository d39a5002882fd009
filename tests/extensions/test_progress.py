"""What a crawl says while it runs and when it ends."""

import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from components import FakeEngine, fill, make_crawler
from mock_archive import DAYS
from scrapy.crawler import Crawler

from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.extensions.progress import Progress
from timecoverspider.replica.pages import cover_url

LOGGER = "timecoverspider.extensions.progress"


@pytest.fixture
def crawler(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Crawler]:
    """A crawler of a data set of five covers."""
    caplog.set_level(logging.INFO, LOGGER)
    fill(tmp_path, DAYS[:5])
    with make_crawler(tmp_path, FEEDS={"output.json": {"format": "json"}}) as crawler:
        crawler.engine = FakeEngine(running=False)  # type: ignore[assignment]
        yield crawler


def closing_line(crawler: Crawler, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """End a crawl, and return the last line of its log."""
    progress = crawler.get_extension(Progress)
    assert progress
    progress.engine_stopped()
    assert caplog.records[-1].name == LOGGER
    return caplog.records[-1]


def test_closing_line_names_feed_stored_covers_new_ones_and_requests(
    crawler: Crawler, caplog: pytest.LogCaptureFixture
) -> None:
    CrawlState.of(crawler).record_saved(is_new=True)
    crawler.stats.set_value("downloader/request_count", 1234)
    message = closing_line(crawler, caplog).getMessage()
    for part in ("6 covers", "output.json", "1 new", "1,234 requests"):
        assert part in message


def test_closing_line_counts_accepted_failures(crawler: Crawler, caplog: pytest.LogCaptureFixture) -> None:
    state = CrawlState.of(crawler)
    state._accepted = {cover_url(DAYS[10]): "HTTP 404"}
    state.record_failure(cover_url(DAYS[10]), "HTTP 404")
    assert "nothing new, 1 accepted as failed" in closing_line(crawler, caplog).getMessage()


def test_closing_line_counts_images_after_the_data_set_is_closed(
    crawler: Crawler, caplog: pytest.LogCaptureFixture
) -> None:
    state = CrawlState.of(crawler)
    image = next(state.dataset.images())
    state.dataset.catalog.save(images=[image._replace(path="full/another.jpg")])
    state.engine_stopped()
    assert "5 covers in output.json, 6 images in" in closing_line(crawler, caplog).getMessage()


@pytest.mark.parametrize(
    ("new", "has_gallery", "end"),
    [
        (True, False, "To look at the images: scrapy gallery"),
        (False, False, "To look at the images: scrapy gallery"),
        (True, True, "To renew the gallery: scrapy gallery"),
        (False, True, "Gallery: {}"),
    ],
)
def test_closing_line_says_where_the_gallery_is_or_how_to_build_it(
    crawler: Crawler, caplog: pytest.LogCaptureFixture, new: bool, has_gallery: bool, end: str
) -> None:
    state = CrawlState.of(crawler)
    page = state.dataset.layout.gallery_page
    if has_gallery:
        page.parent.mkdir()
        page.touch()
    if new:
        state.record_saved(is_new=True)
    message = closing_line(crawler, caplog).getMessage()
    assert f" s. {end.format(os.path.relpath(page))}" in message


def test_closing_line_says_that_nothing_is_new(crawler: Crawler, caplog: pytest.LogCaptureFixture) -> None:
    assert "nothing new" in closing_line(crawler, caplog).getMessage()


@pytest.mark.parametrize("count", [1, 3, 4])
def test_closing_line_names_three_missing_covers_at_most(
    crawler: Crawler, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    urls = [cover_url(day) for day in DAYS[10 : 10 + count]]
    for url in urls:
        CrawlState.of(crawler).record_failure(url, "HTTP 404")
    line = closing_line(crawler, caplog)
    assert line.levelno == logging.ERROR
    assert f"{count} missing" in line.getMessage()
    assert [url in line.getMessage() for url in urls] == [True] * min(count, 3) + [False] * (count - 3)
    assert ("…" in line.getMessage()) == (count > 3)


@pytest.mark.parametrize("outcome", ["aborted", "interrupted", "site", "limit", "limit and missing"])
def test_closing_line_of_a_crawl_that_failed_is_an_error_and_says_why(
    crawler: Crawler, caplog: pytest.LogCaptureFixture, outcome: str
) -> None:
    state = CrawlState.of(crawler)
    match outcome:
        case "aborted":
            state.abort("the reason")
        case "interrupted":
            state.interrupt(signal.SIGTERM)
        case "site":
            state.record_site_error("http://search.time.com/", "the reason")
        case "limit":
            state.cut("the reason")
        case "limit and missing":
            state.record_failure(cover_url(DAYS[10]), "HTTP 404")
            state.cut("the reason")
    line = closing_line(crawler, caplog)
    assert line.levelno == logging.ERROR
    assert ("interrupted" if outcome == "interrupted" else "the reason") in line.getMessage().lower()
    assert "5 covers" in line.getMessage()
    assert "\n" not in line.getMessage()


def test_progress_line_counts_processed_covers_and_the_rest(crawler: Crawler, caplog: pytest.LogCaptureFixture) -> None:
    progress = crawler.get_extension(Progress)
    assert progress
    progress._log()
    assert not [record for record in caplog.records if record.name == LOGGER]  # nothing is stored yet
    state = CrawlState.of(crawler)
    state.stated = 20
    state.record_saved(is_new=True)
    progress._log()
    assert re.search(r"\b6 of 20 covers .* s left", caplog.records[-1].getMessage())  # five were stored before


def test_closing_line_names_three_files_that_were_set_aside_at_most(
    crawler: Crawler, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Set aside" not in closing_line(crawler, caplog).getMessage()
    (tmp_path / "output" / "catalog.db.corrupt-1").write_text("")
    (tmp_path / "other.json.kept-1").write_text("")  # of another feed
    assert closing_line(crawler, caplog).getMessage().endswith(". Set aside: output/catalog.db.corrupt-1")
    for number in range(4):
        (tmp_path / f"output.json.kept-{number}").write_text("")
    names = "output.json.kept-0, output.json.kept-1, output.json.kept-2 and 2 more"
    assert closing_line(crawler, caplog).getMessage().endswith(f". Set aside: {names}")


@pytest.mark.parametrize("stated", [None, 7])
def test_closing_line_says_how_many_covers_the_site_states(
    crawler: Crawler, caplog: pytest.LogCaptureFixture, stated: int | None
) -> None:
    CrawlState.of(crawler).stated = stated
    assert ("nothing new, 7 on the site" in closing_line(crawler, caplog).getMessage()) == (stated == 7)


@pytest.mark.parametrize(
    ("feed", "place"),
    [
        ("ftp://me:s3cret@127.0.0.1:9/covers.json", "5 covers in ftp://127.0.0.1:9/covers.json"),
        ("s3://key:s3cret@bucket/covers.json", "5 covers in s3://bucket/covers.json"),
    ],
)
def test_closing_line_names_a_feed_without_its_password(
    crawler: Crawler, caplog: pytest.LogCaptureFixture, feed: str, place: str
) -> None:
    crawler.settings.frozen = False
    crawler.settings.set("FEEDS", {feed: {"format": "json"}}, "cmdline")
    assert place in closing_line(crawler, caplog).getMessage()
