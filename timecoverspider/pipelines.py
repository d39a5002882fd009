"""Pictures on their way into the store, and covers on theirs into the catalog."""

import asyncio
import hashlib
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from itemadapter import ItemAdapter
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem
from scrapy.http import Response
from scrapy.pipelines.files import FilesPipeline
from scrapy.pipelines.media import FileException, MediaPipeline

from timecoverspider.dataset.catalog import Cover, now
from timecoverspider.dataset.image_store import ImageStore
from timecoverspider.dataset.images import InvalidImageError, StoredImage
from timecoverspider.downloadermiddlewares.retry import retry_later
from timecoverspider.exceptions import CatalogError
from timecoverspider.extensions.crawl_state import Dataset
from timecoverspider.items import MagazineCover
from timecoverspider.text import brief

_AT_A_TIME = 64  # pictures that wait for the disk before no more are asked for, lest they fill the memory


class ImageStorePipeline(FilesPipeline):
    """Stores whole pictures only, and then notes the cover in the catalog.

    A cover without its picture goes no further; the dataset says why it is missing. Of Scrapy's pipeline it has the
    fields, the requests, the stats and the order of things; what is stored, and how, is its own.
    """

    def __init__(self, store_uri: str, *, crawler: Crawler) -> None:
        super().__init__(store_uri, crawler=crawler)
        self._dataset = Dataset.of(crawler)
        self._image_store = ImageStore(self._dataset.folder)
        self._room = asyncio.Semaphore(_AT_A_TIME)
        self._under_way: dict[str, asyncio.Task[tuple[StoredImage, str]]] = {}
        # Where there was nothing, there is nothing to compare with what the archive has.
        self._may_be_here = any((self._dataset.folder / "full").glob("*"))

    async def process_item(self, item: MagazineCover) -> MagazineCover:  # type: ignore[override]
        """Give the cover its ``files``, with the tutorial's three keys.

        Raises DropItem where its picture or its row could not be stored.
        """
        [url] = ItemAdapter(item)["file_urls"]
        try:
            [request] = self.get_media_requests(item, self.spiderinfo)
            path = self.file_path(request)
            picture, etag = await self._picture(request, path, item.page_url)
            await self._dataset.save(_row(item, request.url, path, picture, etag))
        except (FileException, ValueError) as error:  # the latter where the address is none
            reason = f"its picture <{brief(url)}>: {brief(error)}"
            self._dataset.miss(item.page_url, reason)
            raise DropItem(reason) from error
        except CatalogError as error:
            self._dataset.give_up(str(error))
            raise DropItem(str(error)) from error
        item["files"] = [{"url": request.url, "path": path, "checksum": picture.checksum}]
        return item

    def file_path(
        self,
        request: Request,
        response: Response | None = None,
        info: MediaPipeline.SpiderInfo | None = None,
        *,
        item: Any = None,
    ) -> str:
        """The tutorial's path, ``full/<SHA-1 of the URL>.jpg``, in which a page has no say."""
        return f"full/{hashlib.sha1(request.url.encode(), usedforsecurity=False).hexdigest()}.jpg"

    async def _picture(self, request: Request, path: str, page_url: str) -> tuple[StoredImage, str]:
        """The picture when it is stored, and its ETag; two covers that share one wait for the same."""
        task = self._under_way.get(path)
        if task is None:
            task = self._under_way[path] = asyncio.create_task(self._fetch(request, path, page_url))
            task.add_done_callback(lambda _: self._under_way.pop(path))
        return await asyncio.shield(task)

    async def _fetch(self, request: Request, path: str, page_url: str) -> tuple[StoredImage, str]:
        """Ask for a picture until it is whole, or the one that is here turns out to be the current one.

        Raises FileException, with the last reason, when the tries are used up.
        """
        if self._may_be_here:
            await self._ask_for_changes(request, path, page_url)
        while True:
            async with self._room:
                pass  # not held on the way, for a request may have to wait before it is tried again
            try:
                response = await self.crawler.engine.download_async(request)
            except Exception as error:
                raise FileException(brief(error)) from error
            try:
                async with self._room:
                    return await self._accepted(request, response, path)
            except InvalidImageError as error:
                again = retry_later(response.request or request, self.crawler, "refused picture")
                if again is None:
                    raise FileException(str(error)) from error
                request = again

    async def _ask_for_changes(self, request: Request, path: str, page_url: str) -> None:
        """Have the server answer only if it has another one, where a whole one is here, not known to be damaged."""
        file = self._dataset.folder / path
        if page_url in self._dataset.damaged or not file.exists():
            return
        try:
            await self._image_store.inspect(path)
        except (InvalidImageError, OSError):
            return
        request.headers["If-Modified-Since"] = formatdate(file.stat().st_mtime, usegmt=True)
        if (cover := self._dataset.catalog.find(page_url)) and cover.etag and cover.image_url == request.url:
            request.headers["If-None-Match"] = cover.etag

    async def _accepted(self, request: Request, response: Response, path: str) -> tuple[StoredImage, str]:
        unchanged = response.status == 304 and b"If-Modified-Since" in request.headers
        if response.status != 200 and not unchanged:
            raise FileException(f"HTTP {response.status}")
        try:
            if unchanged:
                picture = await self._image_store.inspect(path)
            else:
                picture = await self._image_store.store(path, response.body, _modified(response))
        except OSError as error:
            self._dataset.give_up(f"cannot write to {self._dataset.folder}: {error.strerror}")
            raise FileException(f"it cannot be stored: {error.strerror}") from error
        self.inc_stats("uptodate" if unchanged else "downloaded")
        return picture, (response.headers.get("ETag") or b"").decode("latin-1")

    async def close_spider(self) -> None:
        await self._image_store.close()


def _modified(response: Response) -> float | None:
    """When the server says that a picture was last modified, in seconds since 1970, or None."""
    try:
        return parsedate_to_datetime((response.headers.get("Last-Modified") or b"").decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return None


def _row(item: MagazineCover, image_url: str, path: str, picture: StoredImage, etag: str) -> Cover:
    cover, time = ItemAdapter(item), now()
    return Cover(
        page_url=item.page_url,
        title=cover["title"],
        pub_date=cover["pubDate"],
        image_url=image_url,
        path=path,
        checksum=picture.checksum,
        width=picture.width,
        height=picture.height,
        bytes=picture.bytes,
        etag=etag,
        first_seen=time,
        last_checked=time,
    )
