"""Images on their way into the store."""

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
from timecoverspider.dataset.images import InvalidImageError
from timecoverspider.dataset.layout import IMAGES
from timecoverspider.dataset.rows import Image, now
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.exceptions import CatalogError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.extensions.item_store import IncompleteItemError
from timecoverspider.text import brief

_AT_A_TIME = 64  # images that wait for the disk before no more are requested, lest they fill the memory


class ImageStorePipeline(FilesPipeline):
    """Give items their ``files``, after all their images have been validated and stored.

    Of Scrapy's pipeline it has the settings, the fields, the requests and the stats; how an image is fetched and
    stored is its own. An item without all its images goes no further.
    """

    def __init__(self, store_uri: str, *, crawler: Crawler) -> None:
        super().__init__(store_uri, crawler=crawler)
        self._state = state = CrawlState.of(crawler)
        state.register_pipeline()
        self._folder = state.dataset.folder
        self._image_store = ImageStore(self._folder)
        self._room = asyncio.Semaphore(_AT_A_TIME)
        self._under_way: dict[str, asyncio.Task[Image]] = {}
        self._damaged = {image.path for image in state.survey.damaged}
        # If there was nothing, there is nothing to compare with what the site has.
        self._may_be_stored = any(state.dataset.layout.images.glob("*"))

    async def process_item(self, item: Any) -> Any:  # type: ignore[override]
        """Give an item its files, each with the tutorial's three keys, in the order of its URLs.

        Raises IncompleteItemError if one of its images could not be stored.
        """
        try:
            requests = self.get_media_requests(item, self.spiderinfo)
        except ValueError as error:  # one of its URLs is none
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
        """Fetch the damaged images again, for the records that have them: few at a time, so that one can stop it."""
        images = iter(self._state.survey.damaged)
        few = self.crawler.settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN") or _AT_A_TIME
        await asyncio.gather(*(self._repair_all(images) for _ in range(few)))

    async def _repair_all(self, images: Iterator[Image]) -> None:
        for image in images:  # which all of them share
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
        """The tutorial's path, ``full/<SHA-1 of the URL>.jpg``, in which a page has no say."""
        return f"{IMAGES}/{hashlib.sha1(request.url.encode(), usedforsecurity=False).hexdigest()}.jpg"

    def _start(self, request: Request, path: str) -> asyncio.Task[Image]:
        """Begin to fetch an image, or give the task that does; records that share an image wait for the same one."""
        task = self._under_way.get(path)
        if task is None:
            task = self._under_way[path] = asyncio.create_task(self._fetch(request, path))
            task.add_done_callback(lambda _: self._under_way.pop(path))
        return task

    async def _fetch(self, request: Request, path: str) -> Image:
        """Request an image until it is complete, or the stored one turns out to be the current one.

        Raises FileException, with the last reason, if the retries are used up.
        """
        url = request.url
        known = await self._make_conditional(request, path) if self._may_be_stored else None
        while True:
            async with self._room:
                pass  # not held on the way, for a request may have to wait before it is sent again
            try:
                response = await self._engine.download_async(request)
            except Exception as error:
                raise FileException(brief(error)) from error
            try:
                async with self._room:
                    return await self._accept(request, response, (path, url), known)
            except InvalidImageError as error:
                again = retry_later(response.request or request, self.crawler, "refused picture")
                if again is None:
                    raise FileException(str(error)) from error
                request = again

    async def _make_conditional(self, request: Request, path: str) -> Image | None:
        """Have the server answer only if its image changed, if a valid one is stored; give that one's row."""
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
        """Store the image of a response, or take the stored one if the server says that it is the current one."""
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
            self._state.abort(f"cannot write to {self._folder}: {error.strerror}")
            raise FileException(f"it cannot be stored: {error.strerror}") from error
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
        assert self.crawler.engine is not None  # noqa: S101 (there is one as long as there are items)
        return self.crawler.engine

    async def close_spider(self) -> None:
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._image_store.close()


def _reason(url: str, error: Exception) -> str:
    return f"its picture <{brief(url)}>: {brief(error)}"
