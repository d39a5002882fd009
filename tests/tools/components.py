"""Components without a crawl: a crawler with the project's settings, a spider and a data set, but no engine."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from data_set import image_path
from PIL import Image as PillowImage
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.http import HtmlResponse, Request, Response
from scrapy.settings import Settings
from twisted.python.failure import Failure

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import modified
from timecoverspider.dataset.rows import Fields, Image, Page, Record, now
from timecoverspider.exceptions import COMPLETE
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.replica.pages import cover_url, image_url
from timecoverspider.spidermiddlewares.failed_pages import FailedPagesMiddleware
from timecoverspider.spiders.coverspider import CoverSpider

LAST_MODIFIED, ETAG = "Mon, 10 Mar 2014 00:00:00 GMT", '"1"'


def small_image(shade: int = 0) -> bytes:
    """Return a valid image of 64 pixels."""
    file = BytesIO()
    PillowImage.new("L", (8, 8), shade).save(file, "JPEG")
    return file.getvalue()


@contextmanager
def make_crawler(
    folder: Path | None = None,
    spider: type[Spider] = CoverSpider,
    arguments: dict[str, Any] | None = None,
    *,
    has_pipeline: bool = True,
    **more: Any,
) -> Iterator[Crawler]:
    """Make a crawler for the data set in *folder*, or for none, with more settings and the spider's arguments."""
    settings = Settings()
    settings.setmodule("timecoverspider.settings")
    settings.setdict({"ADDONS": {}, "ARCHIVE": "live", "RETRY_BACKOFF": 0, "RETRY_TIMES": 4})
    if folder is not None:
        settings.setdict({"DATASET_ENABLED": True, "FILES_STORE": str(folder / "output")})
    settings.setdict(more)
    crawler = Crawler(spider, settings)
    crawler.spider = crawler._create_spider(**(arguments or {}))
    crawler._apply_settings()
    state = crawler.get_extension(CrawlState)
    if state and has_pipeline:
        state.register_pipeline()  # as ImageStorePipeline does when the engine makes it
    try:
        yield crawler
    finally:
        if state:
            state.dataset.close()


@dataclass
class FakeEngine:
    """An engine that answers requests with the given responses, in order, and notes the reason why it is closed."""

    responses: list[Response | Exception] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    running: bool = True
    downloader: Any = field(default_factory=lambda: SimpleNamespace(active=set()))

    async def download_async(self, request: Request) -> Response:
        self.requests.append(request)
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        response.request = request
        return response

    async def close_spider_async(self, *, reason: str) -> None:
        self.closed.append(reason)


def fill(folder: Path, days: Sequence[date], *, outcome: str = COMPLETE, complete_walk: bool = True) -> None:
    """Make a data set of the covers of some days with small images, as a crawl that ended so would leave it."""
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        catalog = dataset.catalog
        catalog.describe(CoverSpider.name, Fields(key=tuple(CoverSpider.record_key), order=CoverSpider.order_field))
        crawl = catalog.begin_crawl(CoverSpider.name, "live")
        images = [_store_image(folder, day) for day in days]
        catalog.save(
            images=images,
            records=[_record(catalog.fields, day, image) for day, image in zip(days, images, strict=True)],
            pages=[Page(cover_url(day), 1, 0, now()) for day in days],
            crawl=crawl,
        )
        catalog.end_crawl(crawl, outcome=outcome, complete_walk=complete_walk)


def _store_image(folder: Path, day: date) -> Image:
    content, file = small_image(), image_path(folder, day)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    path = f"full/{file.name}"
    checksum, stored = hashlib.md5(content).hexdigest(), modified(file.stat())
    return Image(path, image_url(day), checksum, 8, 8, len(content), ETAG, LAST_MODIFIED, stored, now(), "")


def _record(fields: Fields, day: date, image: Image) -> Record:
    item = {
        "title": "A title",
        "pubDate": day.isoformat(),
        "file_urls": [image.url],
        "files": [{"url": image.url, "path": image.path, "checksum": image.checksum}],
    }
    return Record(fields.key_of(item), item, cover_url(day), now(), now())


def page_of(request: Request, body: str = "<p></html>", status: int = 200) -> HtmlResponse:
    """Return the page that a spider would get for a request."""
    return HtmlResponse(request.url, body=body.encode(), encoding="utf-8", status=status, request=request)


def spider_output(middleware: Any, response: Response, outputs: Iterable[Any]) -> list[Any]:
    """Pass what a spider yields for a page through a spider middleware, and return what comes out."""

    async def collect() -> list[Any]:
        async def yielded() -> Any:
            for output in outputs:
                yield output

        return [output async for output in middleware.process_spider_output(response, yielded())]

    return asyncio.run(collect())


def fail(middleware: FailedPagesMiddleware, error: Exception, request: Request) -> Any:
    """Have the download of a request fail, and return what its errback returns."""
    middleware.request_scheduled(request)
    failure = Failure(error)
    failure.request = request  # type: ignore[attr-defined]
    assert request.errback
    return request.errback(failure)


def close(state: CrawlState, reason: str = "finished") -> None:
    """End a crawl as Scrapy does."""
    asyncio.run(state.spider_closed(state._spider, reason))
