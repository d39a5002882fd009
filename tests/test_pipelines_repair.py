"""Which damaged images are fetched again, and how many images are fetched at a time."""

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from components import FakeEngine, fill, make_crawler, small_image
from data_set import image_path
from local_image_store import LocalImageStore
from mock_archive import DAYS
from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from timecoverspider import pipelines
from timecoverspider.dataset.images import StoredImage
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.pipelines import ImageStorePipeline
from timecoverspider.replica.pages import cover_url, image_url

DAY = DAYS[0]
URL = image_url(DAY)
IMAGE = small_image(0)


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


def image(body: bytes = IMAGE, status: int = 200, **headers: str) -> Response:
    return Response(URL, status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def stored(tmp_path: Path, day: date = DAY) -> bytes:
    return image_path(tmp_path, day).read_bytes()


def repair(crawler: Crawler, *responses: Response | Exception) -> FakeEngine:
    """Fetch the damaged images, with an engine that gives these responses."""
    crawler.engine = engine = FakeEngine(list(responses))  # type: ignore[assignment]
    pipeline = ImageStorePipeline.from_crawler(crawler)
    asyncio.run(pipeline.repair())
    return engine


def test_repair_fetches_only_damaged_images(recrawler: Crawler, tmp_path: Path) -> None:
    engine = repair(recrawler, image())
    assert [request.url for request in engine.requests] == [image_url(DAYS[1])]
    assert stored(tmp_path, DAYS[1]) == IMAGE
    assert not CrawlState.of(recrawler).missing


def test_repair_that_fails_names_the_page_of_the_image(recrawler: Crawler) -> None:
    repair(recrawler, image(b"", 404))
    [(page, reason)] = CrawlState.of(recrawler).missing.items()
    assert page == cover_url(DAYS[1])
    assert "HTTP 404" in reason


def test_repair_begins_nothing_if_the_crawl_stops(recrawler: Crawler) -> None:
    CrawlState.of(recrawler).stopping.set()
    assert not repair(recrawler).requests


def test_images_that_wait_for_their_retry_let_others_pass(crawler: Crawler) -> None:
    count = 100  # more than may wait for the disk at a time
    begun: list[str] = []

    async def run() -> None:
        all_begun = asyncio.Event()

        class SlowEngine(FakeEngine):
            async def download_async(self, request: Request) -> Response:
                begun.append(request.url)
                if len(begun) == count:
                    all_begun.set()
                await all_begun.wait()
                return Response(request.url, 404, request=request)

        crawler.engine = SlowEngine()  # type: ignore[assignment]
        pipeline = ImageStorePipeline.from_crawler(crawler)
        pipeline.open_spider()
        items = [{"file_urls": [f"{URL}?{number}"]} for number in range(count)]
        async with asyncio.timeout(30):
            await asyncio.gather(*map(pipeline.process_item, items), return_exceptions=True)

    asyncio.run(run())
    assert len(begun) == count


def test_no_image_is_requested_while_64_wait_for_the_disk(crawler: Crawler, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        disk_is_free, waiting, engine = asyncio.Event(), asyncio.Semaphore(0), FakeEngine([image() for _ in range(65)])

        class BusyImageStore(LocalImageStore):
            async def store(self, path: str, content: bytes) -> StoredImage:
                waiting.release()
                await disk_is_free.wait()
                return await super().store(path, content)

        monkeypatch.setattr(pipelines, "ImageStore", BusyImageStore)
        crawler.engine = engine  # type: ignore[assignment]
        pipeline = ImageStorePipeline.from_crawler(crawler)
        pipeline.open_spider()

        def begin(number: int) -> asyncio.Task[Any]:
            return asyncio.ensure_future(pipeline.process_item({"file_urls": [f"{URL}?{number}"]}))

        tasks = [begin(number) for number in range(64)]
        async with asyncio.timeout(30):
            for _ in tasks:
                await waiting.acquire()
            tasks.append(begin(64))
            for _ in range(100):  # turns of the event loop
                await asyncio.sleep(0)
            assert len(engine.requests) == 64
            disk_is_free.set()
            await asyncio.gather(*tasks)
        assert len(engine.requests) == 65

    asyncio.run(run())
