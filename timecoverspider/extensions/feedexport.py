"""The whole data set, newest first, published in one step."""

import csv
import filecmp
import glob
import io
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self, TextIO
from xml.etree import ElementTree

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.extensions.feedexport import FeedExporter, FileFeedStorage

from timecoverspider.dataset.catalog import Cover
from timecoverspider.exceptions import CatalogError, FeedError
from timecoverspider.extensions.crawl_state import Dataset
from timecoverspider.items import MagazineCover

logger = logging.getLogger(__name__)


def record(cover: Cover) -> MagazineCover:
    """The record of a cover, as the feeds have it."""
    return MagazineCover(
        title=cover.title,
        pubDate=cover.pub_date,
        file_urls=[cover.image_url],
        files=[{"url": cover.image_url, "path": cover.path, "checksum": cover.checksum}],
    )


class DatasetExporter(FeedExporter):
    """Scrapy's feeds, with all covers of the data set in place of those that this crawl scraped.

    Where there is no data set, as in ``scrapy parse``, they are Scrapy's own.
    """

    _dataset: Dataset | None = None

    def open_spider(self, spider: Spider) -> None:
        self._dataset = self.crawler.get_extension(Dataset)
        if self._dataset is not None:
            self.crawler.signals.disconnect(self.item_scraped, signals.item_scraped)
        super().open_spider(spider)

    async def close_spider(self, spider: Spider) -> None:
        if self._dataset is not None:
            try:
                for cover in self._dataset.covers():
                    self.item_scraped(record(cover), spider)
            except CatalogError as error:
                self._dataset.give_up(str(error))
                logger.error("The feed stays as it was: %s", error)
                return  # the draft is cleared away by the next crawl
        await super().close_spider(spider)


class _Draft(io.BufferedIOBase):
    """A file that becomes another one later. What goes wrong meanwhile is kept for then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] | None = path.open("wb")
        except OSError as error:
            self.error, self._file = error, None

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._do("write", content)
        return len(content)

    def flush(self) -> None:
        self._do("flush")

    def _do(self, what: str, *arguments: Any) -> None:
        if self._file is None or self.error:
            return
        try:
            getattr(self._file, what)(*arguments)
        except OSError as error:
            self.error = error

    def finish(self) -> None:
        """Flush it to disk. Raises the first OSError that happened."""
        if self._file is not None:
            self.flush()
            try:
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
        if self.error:
            raise self.error


class AtomicFeedStorage(FileFeedStorage):
    """A feed in a file that is replaced in one step, and never by a poorer one.

    ``-o`` and ``-O`` mean the same.
    """

    def __init__(self, uri: str, *, feed_options: dict[str, Any] | None = None, crawler: Crawler) -> None:
        super().__init__(uri, feed_options=feed_options or {"overwrite": True})
        self._uri = uri
        self._target = Path(self.path).resolve()  # what a symbolic link points to
        options = feed_options or {}
        self._format = "" if options.get("postprocessing") else str(options.get("format"))
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler, uri: str, *, feed_options: dict[str, Any] | None = None) -> Self:
        return cls(uri, feed_options=feed_options, crawler=crawler)

    def open(self, spider: Spider) -> IO[bytes]:
        for stale in self._target.parent.glob(f".{glob.escape(self._target.name)}.*.tmp"):
            stale.unlink(missing_ok=True)
        return _Draft(self._target.with_name(f".{self._target.name}.{os.getpid()}.tmp"))  # type: ignore[return-value]

    def store(self, file: IO[bytes]) -> None:
        assert isinstance(file, _Draft)  # noqa: S101 (from open())
        try:
            file.finish()
            self._publish(file.path)
        except OSError as error:
            dataset = self._crawler.get_extension(Dataset)
            reason = f"cannot write {self._uri}: {error.strerror}"
            if dataset is not None:
                dataset.give_up(reason)
            logger.error("The feed stays as it was: %s", reason)
            raise FeedError(reason) from error
        finally:
            file.path.unlink(missing_ok=True)

    def _publish(self, draft: Path) -> None:
        if self._target.exists():
            if filecmp.cmp(draft, self._target, shallow=False):
                return
            there, here = _read(self._target, self._format), _read(draft, self._format)
            if there is None or (here and there[0] != here[0] and there[1]):
                self._set_aside()
            elif self._is_incomplete() and here and there[1] > here[1]:
                logger.warning("%s stays as it was: it has more records than this crawl knows of", self._uri)
                return
        draft.replace(self._target)
        _flush_folder(self._target.parent)

    def _is_incomplete(self) -> bool:
        dataset = self._crawler.get_extension(Dataset)
        return dataset is not None and dataset.exit_status != 0

    def _set_aside(self) -> None:
        aside = self._target.with_name(f"{self._target.name}.kept-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        self._target.rename(aside)
        logger.warning("%s was no list of records. It is kept as %s.", self._uri, aside.name)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, form: str) -> tuple[Any, int] | None:
    """What a feed's records look like, and how many there are; None where it is no list of records.

    Of formats that are not to be read without need, such as pickles, there are none.
    """
    read = {"json": _json, "jsonlines": _lines, "jsonl": _lines, "jl": _lines, "csv": _csv, "xml": _xml}.get(form)
    if read is None or path.stat().st_size == 0:
        return None, 0
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return read(file)
    except (ValueError, RecursionError, csv.Error, ElementTree.ParseError):
        return None


def _json(file: TextIO) -> tuple[None, int]:
    return _all_records(json.load(file))


def _lines(file: TextIO) -> tuple[None, int]:
    return _all_records([json.loads(line) for line in file])


def _csv(file: TextIO) -> tuple[list[str], int]:
    rows = csv.reader(file, strict=True)
    return next(rows), sum(1 for _ in rows)


def _xml(file: TextIO) -> tuple[str, int]:
    root = ElementTree.parse(file).getroot()  # noqa: S314 (it only has to survive what a crawl has written)
    return root.tag, len(root)


def _all_records(rows: Any) -> tuple[None, int]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("no list of records")
    return None, len(rows)
