"""Write the whole data set to each feed and to metadata.jsonl, and replace each file in one step."""

import hashlib
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Self

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.extensions.feedexport import FeedExporter, FeedSlot, FeedStorageProtocol, FileFeedStorage
from scrapy.utils.defer import ensure_awaitable

from timecoverspider.dataset.feed_file import Draft, FeedFile
from timecoverspider.dataset.metadata import MetadataFile
from timecoverspider.dataset.rows import Record
from timecoverspider.exceptions import CatalogError, FeedError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.text import brief, one_line, without_password

logger = logging.getLogger(__name__)


class DatasetExporter(FeedExporter):
    """Scrapy's feeds, but with all records of the data set instead of the items of this crawl; and metadata.jsonl.

    In commands without a data set, such as ``scrapy parse``, the feeds work as in Scrapy.
    """

    _state: CrawlState | None = None

    def __init__(self, crawler: Crawler) -> None:
        try:
            super().__init__(crawler)
        except NotConfigured:
            if self.feeds or not crawler.settings.getbool("DATASET_ENABLED"):
                raise  # otherwise there is no feed, but metadata.jsonl is written

    def open_spider(self, spider: Spider) -> None:
        self._state = self.crawler.get_extension(CrawlState)
        if self._state is not None:
            self.crawler.signals.disconnect(self.item_scraped, signals.item_scraped)
            for options in self.feeds.values():
                options.setdefault("gzip_mtime", 0)  # the same data set gives the same bytes
        super().open_spider(spider)

    async def close_spider(self, spider: Spider) -> None:
        if self._state is not None and not await self._export(self._state, spider):
            return  # the next crawl deletes the drafts
        await super().close_spider(spider)

    async def _export(self, state: CrawlState, spider: Spider) -> bool:
        """Write all records to the drafts of the feeds and to metadata.jsonl; return whether the feeds have all."""
        is_exported = False
        with closing(MetadataFile(state.dataset, lambda: state.dataset.complete_records(state.survey))) as metadata:
            records = metadata.passing()
            try:
                await state.settle()
                self._name_columns(state)
                for record in records:
                    self.item_scraped(record.item, spider)
                is_exported = True
            except CatalogError as error:
                self._report(state, str(error))
                return False
            except Exception as error:  # noqa: BLE001 (an exporter cannot represent a value, or the catalog has been changed by hand)
                self._abort(error)
            self._publish(state, metadata, records)
        return is_exported

    def _publish(self, state: CrawlState, metadata: MetadataFile, rest: Iterator[Record]) -> None:
        """Publish metadata.jsonl after the *rest* of the records, and abort the crawl if this fails."""
        try:
            deque(rest, maxlen=0)
            if warning := metadata.publish():
                logger.warning("%s", warning)
        except (CatalogError, FeedError) as error:
            self._report(state, str(error))
        except Exception as error:  # noqa: BLE001 (whatever the cause, the exit status says that the file is not up to date)
            reason = f"cannot write {state.dataset.layout.metadata}: {type(error).__name__}: {brief(error)}"
            self._report(state, reason, error)

    def _report(self, state: CrawlState, reason: str, error: Exception | None = None) -> None:
        state.abort(reason)
        logger.error("Feed export failed: %s", one_line(reason), exc_info=error)

    async def _close_slot(self, slot: FeedSlot, spider: Spider) -> None:
        """Close a feed, and abort the crawl if its exporter raises: Scrapy 2.19 loses the error."""
        try:
            await super()._close_slot(slot, spider)
        except Exception as error:
            if self._state is None:
                raise
            self._abort(error)

    def _abort(self, error: Exception) -> None:
        assert self._state is not None  # noqa: S101 (checked by close_spider)
        reason = f"cannot write {' and '.join(slot.uri for slot in self.slots)}: {type(error).__name__}: {brief(error)}"
        self._report(self._state, reason, error)

    def _start_new_batch(self, *arguments: Any, **keywords: Any) -> FeedSlot:
        slot = super()._start_new_batch(*arguments, **keywords)
        if self._state is not None:
            slot.uri = without_password(slot.uri)  # from now on only for the log
            if isinstance(slot.storage, AtomicFeedStorage):
                slot.storage.slot = slot
            else:
                slot.storage = _ReportingStorage(slot.storage, slot.uri, self._state)  # type: ignore[assignment]
        return slot

    def _name_columns(self, state: CrawlState) -> None:
        """Give CSV feeds a column for each field of any record: Scrapy takes the columns from the first item only."""
        slots = [slot for slot in self.slots if slot.format == "csv" and not slot.feed_options["fields"]]
        if slots:
            records = state.dataset.complete_records(state.survey)
            columns = list(dict.fromkeys(name for record in records for name in record.item))
            for slot in slots:
                slot.feed_options["fields"] = columns


class _ReportingStorage:
    """A storage of Scrapy, for example FTP, that aborts the crawl if it fails: its feed does not exist then."""

    def __init__(self, storage: FeedStorageProtocol, uri: str, state: CrawlState) -> None:
        self._storage, self._uri, self._state = storage, uri, state

    def open(self, spider: Spider) -> IO[bytes]:
        return self._storage.open(spider)

    async def store(self, file: IO[bytes]) -> None:
        try:
            await ensure_awaitable(self._storage.store(file))
        except Exception as error:
            reason = f"cannot write {self._uri}: {brief(error)}"
            self._state.abort(reason)
            logger.error("Feed export failed: %s", reason)
            raise FeedError(reason) from error


class AtomicFeedStorage(FileFeedStorage):
    """A feed in a file that is replaced in one step; ``-o`` and ``-O`` mean the same.

    In commands without a data set, it works as in Scrapy.
    """

    slot: FeedSlot

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
            message = feed.publish(file, self.slot.itemcount, complete=state.outcome is None)
        except (FeedError, CatalogError) as error:
            reason = f"cannot write {self._uri}: {error}" if isinstance(error, FeedError) else str(error)
            state.abort(reason)
            logger.error("Feed export failed: %s", reason)
            raise FeedError(reason) from error
        if message:
            logger.warning("%s %s", self._uri, message)
            if hashlib.sha256(Path(self.path).read_bytes()).hexdigest() != file.sha256:  # the file was not replaced
                raise FeedError(message)  # otherwise Scrapy 2.19 logs "Stored json feed"
