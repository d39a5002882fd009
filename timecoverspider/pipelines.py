"""Pictures on their way into the store, and covers on theirs into the catalog."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate, parsedate_to_datetime
from io import BytesIO
from typing import Any, ClassVar, NoReturn

from itemadapter import ItemAdapter
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem
from scrapy.http import Response
from scrapy.pipelines.files import FilesPipeline, FilesStoreProtocol
from scrapy.pipelines.media import FileException, FileInfo, FileInfoOrError, MediaPipeline
from sqlalchemy.exc import SQLAlchemyError
from twisted.python.failure import Failure

from timecoverspider.catalog import Cover, cause, now
from timecoverspider.dataset import Dataset
from timecoverspider.items import MagazineCover
from timecoverspider.logs import brief
from timecoverspider.pictures import RefusedPicture, picture_size
from timecoverspider.retries import try_again
from timecoverspider.stores import AtomicFilesStore


class PictureInfo(FileInfo):
    """What is known of a stored picture: Scrapy's keys, and the catalog's."""

    width: int
    height: int
    bytes: int
    etag: str


class CoverPipeline(FilesPipeline):
    """Stores whole pictures only, and then notes the cover in the catalog.

    A cover without its picture goes no further; the dataset says why it is missing.
    """

    STORE_SCHEMES: ClassVar[dict[str, type[FilesStoreProtocol]]] = {
        **FilesPipeline.STORE_SCHEMES,
        "": AtomicFilesStore,
        "file": AtomicFilesStore,
    }

    def __init__(self, store_uri: str, *, crawler: Crawler) -> None:
        super().__init__(store_uri, crawler=crawler)
        self._dataset = Dataset.of(crawler)
        self._keeper = ThreadPoolExecutor(2, "keeper")

    async def process_item(self, item: MagazineCover) -> MagazineCover:  # type: ignore[override]
        """Give the cover its ``files``, with the tutorial's three keys.

        Raises DropItem where its picture or its row could not be stored.
        """
        try:
            picture: PictureInfo = await super().process_item(item)
            await self._dataset.save(_row(item, picture))
        except SQLAlchemyError as error:
            self._dataset.give_up(f"cannot write the catalog: {cause(error)}")
            raise DropItem("the catalog cannot be written") from error
        item["files"] = [{"url": picture["url"], "path": picture["path"], "checksum": picture["checksum"]}]
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

    async def media_to_download(  # type: ignore[override]
        self, request: Request, info: MediaPipeline.SpiderInfo, *, item: Any = None
    ) -> None:
        """Ask for a picture only if it changed, where a whole one is here that is not known to be damaged."""
        path = self._dataset.folder / self.file_path(request)
        if item.page_url in self._dataset.damaged or not path.exists():
            return
        try:
            await asyncio.to_thread(lambda: picture_size(path.read_bytes()))
        except RefusedPicture:
            return
        request.headers["If-Modified-Since"] = formatdate(path.stat().st_mtime, usegmt=True)
        if (cover := self._dataset.catalog.find(item.page_url)) and cover.etag and cover.image_url == request.url:
            request.headers["If-None-Match"] = cover.etag

    async def media_downloaded(
        self, response: Response, request: Request, info: MediaPipeline.SpiderInfo, *, item: Any = None
    ) -> PictureInfo:
        """Store what arrived if it is a whole picture, or take the one that is here if it is the current one.

        What is neither is asked for again. Raises FileException, with the last reason, in the end.
        """
        while True:
            try:
                return await self._accepted(response, request, info)
            except RefusedPicture:
                again = try_again(response.request or request, self.crawler, "refused picture")
                if again is None:
                    raise
            response = await self.crawler.engine.download_async(again)

    async def _accepted(self, response: Response, request: Request, info: MediaPipeline.SpiderInfo) -> PictureInfo:
        unchanged = response.status == 304 and b"If-Modified-Since" in request.headers
        if response.status != 200 and not unchanged:
            raise FileException(f"HTTP {response.status}")
        try:
            keep = self._kept if unchanged else self._keep
            picture = await asyncio.get_running_loop().run_in_executor(self._keeper, keep, request, response, info)
        except OSError as error:
            self._dataset.give_up(f"cannot write to {self._dataset.folder}: {error.strerror}")
            raise FileException(f"it cannot be stored: {error.strerror}") from error
        self.inc_stats(picture["status"])
        return picture

    def _keep(self, request: Request, response: Response, info: MediaPipeline.SpiderInfo) -> PictureInfo:
        picture = self._described(request, response, response.body, "downloaded")
        self.store.persist_file(picture["path"], BytesIO(response.body), info, {"modified": _modified(response)})
        return picture

    def _kept(self, request: Request, response: Response, info: MediaPipeline.SpiderInfo) -> PictureInfo:
        content = (self._dataset.folder / self.file_path(request)).read_bytes()
        return self._described(request, response, content, "uptodate")

    def _described(self, request: Request, response: Response, content: bytes, status: str) -> PictureInfo:
        width, height = picture_size(content)
        return {
            "url": request.url,
            "path": self.file_path(request),
            "checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "status": status,
            "width": width,
            "height": height,
            "bytes": len(content),
            "etag": (response.headers.get("ETag") or b"").decode("latin-1"),
        }

    def media_failed(self, failure: Failure, request: Request, info: MediaPipeline.SpiderInfo) -> NoReturn:
        """Raise FileException with the reason; item_completed says it."""
        raise FileException(brief(failure.value)) from failure.value

    def item_completed(self, results: list[FileInfoOrError], item: Any, info: MediaPipeline.SpiderInfo) -> Any:
        """The picture of the cover's one URL. Raises DropItem where there is none."""
        [(_, result)] = results
        if isinstance(result, Failure):
            reason = f"its picture <{item['file_urls'][0]}>: {result.getErrorMessage()}"
            self._dataset.miss(item.page_url, reason)
            raise DropItem(reason)
        return result


def _modified(response: Response) -> float | None:
    """When the server says that a picture was last modified, in seconds since 1970, or None."""
    try:
        return parsedate_to_datetime((response.headers.get("Last-Modified") or b"").decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return None


def _row(item: MagazineCover, picture: PictureInfo) -> Cover:
    cover, time = ItemAdapter(item), now()
    return Cover(
        page_url=item.page_url,
        title=cover["title"],
        pub_date=cover["pubDate"],
        image_url=picture["url"],
        path=picture["path"],
        checksum=picture["checksum"] or "",
        width=picture["width"],
        height=picture["height"],
        bytes=picture["bytes"],
        etag=picture["etag"],
        first_seen=time,
        last_checked=time,
    )
