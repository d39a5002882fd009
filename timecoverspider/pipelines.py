"""Pictures on their way into the store."""

import hashlib
from typing import Any, NoReturn

from itemadapter import ItemAdapter
from scrapy import Request
from scrapy.exceptions import DropItem
from scrapy.http import Response
from scrapy.pipelines.files import FilesPipeline
from scrapy.pipelines.media import FileException, FileInfoOrError, MediaPipeline
from twisted.python.failure import Failure


class CoverPipeline(FilesPipeline):
    """Stores the picture of each cover. A cover without its picture goes no further."""

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

    def media_failed(self, failure: Failure, request: Request, info: MediaPipeline.SpiderInfo) -> NoReturn:
        """Raise FileException with the reason; item_completed says it."""
        raise FileException(str(failure.value) or type(failure.value).__name__) from failure.value

    def item_completed(self, results: list[FileInfoOrError], item: Any, info: MediaPipeline.SpiderInfo) -> Any:
        """Note in ``files`` where the picture is, with the tutorial's three keys.

        Raises DropItem, naming the URL and the reason, where the picture could not be stored.
        """
        cover = ItemAdapter(item)
        cover["files"] = []
        for _, result in results:
            if isinstance(result, Failure):
                url, reason = cover["file_urls"][0], result.getErrorMessage()
                raise DropItem(f"the picture of {cover['pubDate']}, <{url}>: {reason}")
            cover["files"].append({"url": result["url"], "path": result["path"], "checksum": result["checksum"]})
        return item
