"""The pipeline that downloads and stores the images of items."""

import asyncio
import hashlib
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

from itemadapter import ItemAdapter
from scrapy import Request
from scrapy.core.engine import ExecutionEngine
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.pipelines.files import FilesPipeline
from scrapy.pipelines.media import FileException, MediaPipeline

from timecoverspider.dataset.image_store import ImageStore
from timecoverspider.dataset.images import InvalidImageError, SlowImageError
from timecoverspider.dataset.layout import IMAGES
from timecoverspider.dataset.rows import Image, now
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.exceptions import CatalogError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.extensions.item_store import IncompleteItemError
from timecoverspider.text import brief

_AT_A_TIME = 64  # if so many images wait for the disk, no further image is requested, to limit memory

_BUDGET = 32 * 2**20  # bytes; the same limit for the size of the images that wait for the disk


class ImageStorePipeline(FilesPipeline):
    """Sets the ``files`` of each item after all images of the item have been validated and stored.

    Settings, fields, requests and stats are those of Scrapy's FilesPipeline. This class replaces the
    code that downloads and stores an image. If an image of an item fails, the item is dropped.
    """

    def __init__(self, store_uri: str, *, crawler: Crawler) -> None:
        super().__init__(store_uri, crawler=crawler)
        self._state = state = CrawlState.of(crawler)
        state.register_pipeline()
        self._folder = state.dataset.folder
        self._image_store = ImageStore(self._folder, lock=state.dataset.lock)
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._tasks: dict[str, asyncio.Task[Image]] = {}
        self._damaged = {image.path for image in state.survey.damaged}
        # If no image was stored before the crawl, no request needs to be conditional.
        self._may_be_stored = any(state.dataset.layout.images.glob("*"))

    async def process_item(self, item: Any) -> Any:  # type: ignore[override]
        """Return the item with its files in the order of its URLs, each with the keys url, path and checksum.

        Raises: IncompleteItemError if one of its images could not be stored.
        """
        try:
            requests = self.get_media_requests(item, self.spiderinfo)
        except ValueError as error:  # one of its URLs is invalid
            urls = ItemAdapter(item)[self.files_urls_field]
            raise IncompleteItemError(_reason(", ".join(map(str, urls)), error)) from error
        paths = [self.file_path(request, info=self.spiderinfo, item=item) for request in requests]
        tasks = list(map(self._start, requests, paths))
        files, failure = [], ""
        for request, task in zip(requests, tasks, strict=True):
            try:
                image = await asyncio.shield(task)
            except FileException as error:
                failure = failure or _reason(request.url, error)
            else:
                files.append({"url": request.url, "path": image.path, "checksum": image.checksum})
        if failure:
            raise IncompleteItemError(failure)
        ItemAdapter(item)[self.files_result_field] = files
        return item

    async def repair(self) -> None:
        """Fetch the damaged images again, only a few at a time, so that an interrupt takes effect soon."""
        images = iter(self._state.survey.damaged)
        limit = self.crawler.settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN") or _AT_A_TIME
        await asyncio.gather(*(self._repair_all(images) for _ in range(limit)))

    async def _repair_all(self, images: Iterator[Image]) -> None:
        for image in images:  # all tasks take images from the same iterator
            if self._state.stopping.is_set():
                return
            await self._repair(image)

    async def _repair(self, image: Image) -> None:
        try:
            await asyncio.shield(self._start(Request(image.url, callback=NO_CALLBACK), image.path))
        except (FileException, ValueError) as error:
            if not self._state.stopping.is_set():
                for page in self._state.survey.pages_with(image):
                    self._state.record_failure(page, _reason(image.url, error))

    def file_path(
        self,
        request: Request,
        response: Response | None = None,
        info: MediaPipeline.SpiderInfo | None = None,
        *,
        item: Any = None,
    ) -> str:
        """Return the same path as the tutorial, ``full/<SHA-1 of the URL>.jpg``: a page cannot choose it."""
        return f"{IMAGES}/{hashlib.sha1(request.url.encode(), usedforsecurity=False).hexdigest()}.jpg"

    def _start(self, request: Request, path: str) -> asyncio.Task[Image]:
        """Return the task that fetches an image, and start it if needed; items that share an image share the task."""
        task = self._tasks.get(path)
        if task is None:
            task = self._tasks[path] = asyncio.create_task(self._fetch(request, path))
            task.add_done_callback(lambda _: self._tasks.pop(path))
        return task

    async def _fetch(self, request: Request, path: str) -> Image:
        """Request an image until a valid image is stored or the server says that the stored image is current.

        Raises: FileException with the last reason if all retries have failed.
        """
        url = request.url
        known = await self._make_conditional(request, path) if self._may_be_stored else None
        while True:
            async with self._slots:
                pass  # wait for a free slot; do not hold the slot during the request, because a retry may wait a minute
            try:
                response = await self._engine.download_async(request)
            except Exception as error:
                raise FileException(brief(error)) from error
            self._state.bodies.add(size := len(response.body))
            try:
                async with self._slots:
                    return await self._accept(request, response, (path, url), known)
            except SlowImageError as error:
                raise FileException(str(error)) from error.with_traceback(None)
            except InvalidImageError as error:
                again = retry_later(response.request or request, self.crawler, "invalid image")
                if again is None:
                    raise FileException(str(error)) from error.with_traceback(None)
                request = again
            finally:
                self._state.bodies.release(size)
                del response  # an exception holds this frame

    async def _make_conditional(self, request: Request, path: str) -> Image | None:
        """Make the request conditional if a valid image is already stored, and return the row of that image."""
        file = self._folder / path
        if not file.exists() or path in self._damaged:
            return None
        try:
            await self._image_store.inspect(path)
            known = self._state.dataset.catalog.find_image(path)
            last_modified = formatdate(file.stat().st_mtime, usegmt=True)
        except (InvalidImageError, OSError):
            return None
        except CatalogError as error:
            self._state.abort(str(error))
            raise FileException(str(error)) from error
        if known and known.url != request.url:
            known = None
        request.headers["If-Modified-Since"] = (known and known.last_modified) or last_modified
        if known and known.etag:
            request.headers["If-None-Match"] = known.etag
        return known

    async def _accept(self, request: Request, response: Response, place: tuple[str, str], known: Image | None) -> Image:
        """Store the image of a response; if the response says that the stored image is current, keep that image."""
        path, url = place
        unchanged = response.status == 304 and b"If-Modified-Since" in request.headers
        if response.status != 200 and not unchanged:
            raise FileException(f"HTTP {response.status}")
        try:
            if unchanged:
                stored = await self._image_store.inspect(path)
            else:
                stored = await self._image_store.store(path, response.body)
        except OSError as error:
            self._state.abort(f"cannot write {self._folder / path}: {error.strerror}")
            raise FileException(f"the image cannot be stored: {error.strerror}") from error
        self.inc_stats("uptodate" if unchanged else "downloaded")
        etag, last_modified = (
            (known.etag, known.last_modified)
            if unchanged and known
            else ((response.headers.get(name) or b"").decode("latin-1") for name in ("ETag", "Last-Modified"))
        )
        image = Image(
            path=path,
            url=url,
            checksum=stored.checksum,
            width=stored.width,
            height=stored.height,
            bytes=stored.bytes,
            etag=etag,
            last_modified=last_modified,
            stored=stored.stored,
            last_checked=now(),
            source="",
        )
        self._state.record_image(image)
        return image

    @property
    def _engine(self) -> ExecutionEngine:
        assert self.crawler.engine is not None  # noqa: S101 (Scrapy creates it before the first item)
        return self.crawler.engine

    async def close_spider(self) -> None:
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._image_store.close()


def _reason(url: str, error: Exception) -> str:
    return f"image <{brief(url)}>: {brief(error)}"
