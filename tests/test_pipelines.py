"""Which images are requested, stored, retried and refused."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from components import ETAG, LAST_MODIFIED, FakeEngine, fill, make_crawler, small_image
from data_set import image_path
from local_image_store import LocalImageStore
from mock_archive import DAYS
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadTimeoutError, IgnoreRequest
from scrapy.http import Response

from timecoverspider import pipelines
from timecoverspider.exceptions import AbortedError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.extensions.item_store import IncompleteItemError
from timecoverspider.pipelines import ImageStorePipeline
from timecoverspider.replica.pages import image_url

DAY = DAYS[0]
URL = image_url(DAY)
IMAGE, OTHER = small_image(0), small_image(200)


@pytest.fixture(autouse=True)
def _local_image_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "ImageStore", LocalImageStore)
    monkeypatch.setattr(LocalImageStore, "error", None)


@pytest.fixture
def crawler(tmp_path: Path) -> Iterator[Crawler]:
    """A crawler for a data set that is empty."""
    with make_crawler(tmp_path) as crawler:
        yield crawler


@pytest.fixture
def recrawler(tmp_path: Path) -> Iterator[Crawler]:
    """A crawler for a data set that has the image of DAY, and the one of DAYS[1], which is damaged."""
    fill(tmp_path, DAYS[:2])
    image_path(tmp_path, DAYS[1]).unlink()
    with make_crawler(tmp_path) as crawler:
        yield crawler


@pytest.fixture
def refresher(tmp_path: Path) -> Iterator[Crawler]:
    """A crawler that requests again what is stored: the image of DAY."""
    fill(tmp_path, DAYS[:1])
    with make_crawler(tmp_path, arguments={"refresh": "1"}) as crawler:
        yield crawler


def process(crawler: Crawler, items: Sequence[dict[str, Any]], *responses: Response | Exception) -> FakeEngine:
    """Process items at the same time, with an engine that gives these responses. Raises what an item raises."""
    crawler.engine = engine = FakeEngine(list(responses))  # type: ignore[assignment]
    pipeline = ImageStorePipeline.from_crawler(crawler)
    pipeline.open_spider()

    async def run() -> None:
        try:
            await asyncio.gather(*map(pipeline.process_item, items))
        finally:
            await pipeline.close_spider()

    asyncio.run(run())
    assert not engine.responses
    return engine


def image(body: bytes = IMAGE, status: int = 200, **headers: str) -> Response:
    return Response(URL, status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def stored(tmp_path: Path, day: date = DAY) -> bytes:
    return image_path(tmp_path, day).read_bytes()


def test_item_gets_its_files_with_the_three_keys_of_the_tutorial(crawler: Crawler, tmp_path: Path) -> None:
    item: dict[str, Any] = {"file_urls": [URL]}
    process(crawler, [item], image())
    path = image_path(tmp_path, DAY).relative_to(tmp_path / "output")
    assert item["files"] == [{"url": URL, "path": str(path), "checksum": hashlib.md5(IMAGE).hexdigest()}]
    assert stored(tmp_path) == IMAGE
    assert crawler.stats.get_value("file_status_count/downloaded") == 1


def test_files_are_in_the_order_of_their_urls(crawler: Crawler) -> None:
    urls = [image_url(day) for day in DAYS[:3]]
    item: dict[str, Any] = {"file_urls": urls}
    process(crawler, [item], image(), image(OTHER), image())
    assert [file["url"] for file in item["files"]] == urls


def test_item_without_urls_passes(crawler: Crawler) -> None:
    item: dict[str, Any] = {"title": "No image", "file_urls": []}
    process(crawler, [item])
    assert item["files"] == []


def test_image_of_two_items_is_requested_once(crawler: Crawler) -> None:
    items: list[dict[str, Any]] = [{"file_urls": [URL]}, {"file_urls": [URL]}]
    engine = process(crawler, items, image())
    assert len(engine.requests) == 1
    assert items[0]["files"] == items[1]["files"] != []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (IMAGE[:-100], "(?i)truncated"),
        (b"<html>busy</html>", "JPEG"),
        (b"", "empty"),
    ],
)
def test_invalid_image_is_retried_four_times_and_then_refused(
    crawler: Crawler, tmp_path: Path, bad: bytes, reason: str
) -> None:
    item: dict[str, Any] = {"file_urls": [URL]}
    with pytest.raises(IncompleteItemError, match=reason):
        process(crawler, [item], *[image(bad) for _ in range(5)])
    assert item["files"] == []
    assert not image_path(tmp_path, DAY).exists()


def test_cut_image_is_refused_and_retried(crawler: Crawler, tmp_path: Path) -> None:
    item: dict[str, Any] = {"file_urls": [URL]}
    engine = process(crawler, [item], image(IMAGE[:-100]), image())
    assert [request.meta.get("retry_times", 0) for request in engine.requests] == [0, 1]
    assert stored(tmp_path) == IMAGE


@pytest.mark.parametrize("status", [404, 410, 204, 304, 302, 503])
def test_image_with_another_status_is_missing(crawler: Crawler, status: int) -> None:
    with pytest.raises(IncompleteItemError, match=f"{URL}.*HTTP {status}"):
        process(crawler, [{"file_urls": [URL]}], image(b"", status))


@pytest.mark.parametrize("error", [DownloadTimeoutError("late"), IgnoreRequest("forbidden")])
def test_image_that_cannot_be_downloaded_is_missing(crawler: Crawler, error: Exception) -> None:
    with pytest.raises(IncompleteItemError, match=f"{URL}.*{error}"):
        process(crawler, [{"file_urls": [URL]}], error)


def test_item_with_one_missing_image_is_incomplete(crawler: Crawler) -> None:
    item: dict[str, Any] = {"file_urls": [URL, image_url(DAYS[1])]}
    with pytest.raises(IncompleteItemError, match="404"):
        process(crawler, [item], image(), image(b"", 404))
    assert item["files"] == []


@pytest.mark.parametrize("url", ["", "no-scheme", "http://["])
def test_item_with_an_invalid_url_is_incomplete(crawler: Crawler, url: str) -> None:
    with pytest.raises(IncompleteItemError):
        process(crawler, [{"file_urls": [URL, url]}])


def test_image_that_cannot_be_written_aborts_the_crawl(crawler: Crawler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalImageStore, "error", OSError(28, "No space left on device"))
    with pytest.raises(IncompleteItemError, match="No space left"):
        process(crawler, [{"file_urls": [URL]}], image())
    outcome = CrawlState.of(crawler).outcome
    assert isinstance(outcome, AbortedError)
    assert "No space left" in str(outcome)


def test_new_image_is_requested_without_conditions(crawler: Crawler) -> None:
    [request] = process(crawler, [{"file_urls": [URL]}], image()).requests
    assert not {b"If-Modified-Since", b"If-None-Match"} & request.headers.keys()


def test_stored_image_is_not_requested_again(recrawler: Crawler) -> None:
    item: dict[str, Any] = {"file_urls": [URL]}
    assert not process(recrawler, [item]).requests
    assert item["files"][0]["checksum"] == hashlib.md5(IMAGE).hexdigest()


def test_stored_image_of_a_refresh_is_requested_on_condition_that_it_changed(
    refresher: Crawler, tmp_path: Path
) -> None:
    item: dict[str, Any] = {"file_urls": [URL]}
    [request] = process(refresher, [item], image(b"", 304)).requests
    assert request.headers["If-Modified-Since"] == LAST_MODIFIED.encode()
    assert request.headers["If-None-Match"] == ETAG.encode()
    assert refresher.stats.get_value("file_status_count/uptodate") == 1
    assert item["files"][0]["checksum"] == hashlib.md5(stored(tmp_path)).hexdigest()


def test_stored_image_that_changed_is_replaced(refresher: Crawler, tmp_path: Path) -> None:
    process(refresher, [{"file_urls": [URL]}], image(OTHER))
    assert stored(tmp_path) == OTHER


def test_stored_image_is_never_replaced_by_an_invalid_one(refresher: Crawler, tmp_path: Path) -> None:
    with pytest.raises(IncompleteItemError):
        process(refresher, [{"file_urls": [URL]}], *[image(OTHER[:-50]) for _ in range(5)])
    assert stored(tmp_path) == IMAGE


def test_damaged_image_is_requested_without_conditions(recrawler: Crawler, tmp_path: Path) -> None:
    [request] = process(recrawler, [{"file_urls": [image_url(DAYS[1])]}], image()).requests
    assert b"If-Modified-Since" not in request.headers
    assert stored(tmp_path, DAYS[1]) == IMAGE


def test_file_that_is_no_image_is_requested_without_conditions(refresher: Crawler, tmp_path: Path) -> None:
    image_path(tmp_path, DAY).write_bytes(b"x" * len(IMAGE))  # of the right size
    [request] = process(refresher, [{"file_urls": [URL]}], image()).requests
    assert b"If-Modified-Since" not in request.headers
