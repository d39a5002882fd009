"""The pipeline that downloads and stores the images of items."""

import asyncio
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
from timecoverspider.dataset.rows import Image, now
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.exceptions import CatalogError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.extensions.item_store import EnoughRecordsError, IncompleteItemError
from timecoverspider.text import brief

_AT_A_TIME = 64  # if so many images wait for the disk, no further image is requested, to limit memory

_RECENT = 1000  # images of this crawl that are remembered


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
        self._recent: dict[str, Image] = {}  # the latest images of this crawl: many records may have the same one
        self._tasks: dict[str, asyncio.Task[Image]] = {}
        self._checks = state.refresh or state.only_failed  # a stored image may be the one that failed to change
        self._damaged = {image.path for image in state.survey.damaged}
        # If no image was stored before the crawl, no request needs to be conditional.
        self._may_be_stored = any(state.dataset.layout.images.glob("*"))

    async def process_item(self, item: Any) -> Any:  # type: ignore[override]
        """Return the item with its files in the order of its URLs, each with the keys url, path and checksum.

        Raises: IncompleteItemError if one of its images could not be stored.
        """
        adapter = ItemAdapter(item)
        if self.files_urls_field not in adapter and not self._has_urls_elsewhere(adapter):
            return item
        if self._state.has_limit and self._state.is_enough(adapter.asdict()):
            raise EnoughRecordsError
        requests = self._requests(item, adapter)
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
        adapter[self.files_result_field] = files
        return item

    def _has_urls_elsewhere(self, adapter: ItemAdapter) -> bool:
        """Raise IncompleteItemError if the item has its URLs in a field that the settings do not name."""
        for name in ("file_urls", "image_urls"):
            if adapter.get(name):
                results = name.replace("_url", "")
                raise IncompleteItemError(
                    f"the item has {name} and no {self.files_urls_field}: set FILES_URLS_FIELD to {name!r} and "
                    f"FILES_RESULT_FIELD to {results!r}"
                )
        return False

    def _requests(self, item: Any, adapter: ItemAdapter) -> list[Request]:
        """Return the requests for an item's images.

        Raises: IncompleteItemError if its URLs are not a list, if one of them is invalid, or if there is no field for
        the results.
        """
        try:
            adapter[self.files_result_field] = []
        except KeyError as error:
            raise IncompleteItemError(
                f"the item class {type(item).__name__} has no field {self.files_result_field!r} for the images"
            ) from error
        try:
            return self.get_media_requests(item, self.spiderinfo)
        except TypeError as error:  # not a list
            raise IncompleteItemError(brief(error).strip(" .")) from error
        except ValueError as error:  # a URL is invalid
            urls = adapter[self.files_urls_field]
            raise IncompleteItemError(_reason(", ".join(map(str, urls)), error)) from error

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
        """Return the path of FilesPipeline: ``full/<SHA-1 of the URL>`` and the extension of the URL."""
        return super().file_path(request, response, info, item=item)

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
        if (stored := self._find_stored(path, url)) is not None:
            return stored
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

    def _find_stored(self, path: str, url: str) -> Image | None:
        """Return an image that need not be requested, because it is stored, or None.

        Raises: FileException if the catalog fails.
        """
        image = self._recent.get(path)
        if image is None and self._may_be_stored and not self._checks and path not in self._damaged:
            try:
                image = self._state.dataset.catalog.find_image(path)
            except CatalogError as error:
                self._state.abort(str(error))
                raise FileException(str(error)) from error
        return image if image and image.url == url else None

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
        self._damaged.discard(path)
        self._recent[path] = image
        if len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]
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
