"""The whole data set in the feeds, each published in one step."""

import logging
from pathlib import Path
from typing import IO, Any, Self

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.extensions.feedexport import FeedExporter, FileFeedStorage

from timecoverspider.dataset.feed_file import Draft, FeedFile
from timecoverspider.exceptions import CatalogError, FeedError
from timecoverspider.extensions.crawl_state import CrawlState

logger = logging.getLogger(__name__)


class DatasetExporter(FeedExporter):
    """Scrapy's feeds, with all records of the data set in place of those that this crawl scraped.

    In a command that works on no data set, such as ``scrapy parse``, they are Scrapy's own.
    """

    _state: CrawlState | None = None

    def open_spider(self, spider: Spider) -> None:
        self._state = self.crawler.get_extension(CrawlState)
        if self._state is not None:
            self.crawler.signals.disconnect(self.item_scraped, signals.item_scraped)
            for options in self.feeds.values():
                options.setdefault("gzip_mtime", 0)  # the same data set is the same file
        super().open_spider(spider)

    async def close_spider(self, spider: Spider) -> None:
        if self._state is not None:
            try:
                await self._state.settle()
                self._name_columns(self._state)
                for record in self._state.dataset.complete_records(self._state.survey):
                    self.item_scraped(record.item, spider)
            except CatalogError as error:
                self._state.abort(str(error))
                logger.error("The feed stays as it was: %s", error)
                return  # the next crawl deletes the draft
            for slot in self.slots:
                if isinstance(slot.storage, AtomicFeedStorage):
                    slot.storage.records = slot.itemcount
        await super().close_spider(spider)

    def _name_columns(self, state: CrawlState) -> None:
        """Have a CSV feed show each field that any record has: Scrapy takes the columns from the first item."""
        tables = [slot for slot in self.slots if slot.format == "csv" and not slot.feed_options["fields"]]
        if tables:
            records = state.dataset.complete_records(state.survey)
            columns = list(dict.fromkeys(name for record in records for name in record.item))
            for slot in tables:
                slot.feed_options["fields"] = columns


class AtomicFeedStorage(FileFeedStorage):
    """A feed in a file that is replaced in one step; ``-o`` and ``-O`` mean the same.

    In a command that works on no data set it is Scrapy's own.
    """

    records = 0  # in the file that is stored

    def __init__(self, uri: str, *, feed_options: dict[str, Any] | None = None, crawler: Crawler) -> None:
        super().__init__(uri, feed_options=feed_options or {"overwrite": True})
        self._uri, self._crawler = uri, crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler, uri: str, *, feed_options: dict[str, Any] | None = None) -> Self:
        return cls(uri, feed_options=feed_options, crawler=crawler)

    def open(self, spider: Spider) -> IO[bytes]:
        state = self._crawler.get_extension(CrawlState)
        if state is None:
            return super().open(spider)
        return FeedFile(Path(self.path), state.dataset).open()  # type: ignore[return-value]

    def store(self, file: IO[bytes]) -> None:
        state = self._crawler.get_extension(CrawlState)
        if state is None:
            super().store(file)
            return
        assert isinstance(file, Draft)  # noqa: S101 (from open())
        try:
            feed = FeedFile(Path(self.path), state.dataset)
            said = feed.publish(file, self.records, complete=state.outcome is None)
        except (FeedError, CatalogError) as error:
            reason = f"cannot write {self._uri}: {error}" if isinstance(error, FeedError) else str(error)
            state.abort(reason)
            logger.error("The feed stays as it was: %s", reason)
            raise FeedError(reason) from error
        if said:
            logger.warning("%s %s", self._uri, said)
