"""A data set on disk: its folder, its images and its catalog."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.files import set_aside
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.lock import Lock, claim
from timecoverspider.dataset.rows import Crawl, Failure, Feed, Image, Record
from timecoverspider.dataset.sqlite import is_corrupt
from timecoverspider.dataset.survey import Survey
from timecoverspider.exceptions import DatasetError


class Dataset:
    """The data set in a folder.

    Reading takes no lock and changes nothing, and is possible while a crawl runs:

        with Dataset("output") as dataset:
            for record in dataset.records():
                print(record.item["title"], dataset.folder / record.images[0].path)

    If *write* is true, the constructor takes the lock, creates a missing folder or catalog, migrates an earlier
    catalog, and deletes the drafts of an interrupted crawl. *catalog_url* and *archive* are the settings CATALOG_URL
    and ARCHIVE; without an archive, images of any archive may be written.

    Raises: DatasetError if the catalog is missing, or the data set cannot be used; DatasetLockedError, with *write*, if
    another process writes.
    """

    def __init__(self, folder: str | Path, catalog_url: str = "", *, write: bool = False, archive: str = "") -> None:
        try:
            self.folder = Path(folder).resolve()
        except (OSError, RuntimeError) as error:  # RuntimeError until Python 3.12
            raise DatasetError(f"cannot use the folder {folder}: the symbolic link leads to itself") from error
        self.layout = Layout(self.folder)
        self._lock: Lock | None = None
        self.corrupt_catalog: Path | None = None  # the new path of a catalog that could not be read
        with ExitStack() as held:
            place = catalog_url or self.layout.catalog
            if write:
                self._take(held, archive, replaceable=not catalog_url)
            elif isinstance(place, Path) and not place.exists():
                raise DatasetError(f"there is no catalog at {place}")
            self.catalog = Catalog(place, write=write)
            held.callback(self.catalog.close)
            self._held = held.pop_all()

    def _take(self, held: ExitStack, archive: str, *, replaceable: bool) -> None:
        """Lock the folder and prepare it for writing; closing *held* releases the lock."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.layout.lock)
            held.callback(self._lock.close)
            if archive:
                claim(self.layout.archive, archive)
            for draft in self.layout.drafts.glob("*"):
                draft.unlink(missing_ok=True)  # the interrupted crawl may still run and delete it too
            if replaceable and is_corrupt(self.layout.catalog):
                self.corrupt_catalog = set_aside(self.layout.catalog, "corrupt")
        except OSError as error:
            raise DatasetError(f"cannot use the folder {self.folder}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalog, and release the lock."""
        self._held.close()

    def records(self) -> Iterator[Record]:
        """Yield all records in feed order, including records with damaged images."""
        return self.catalog.records()

    def complete_records(self, survey: Survey) -> Iterator[Record]:
        """Yield the records that have all their images."""
        return (record for record in self.records() if not any(map(survey.is_damaged, record.images)))

    def images(self) -> Iterator[Image]:
        """Yield all images, ordered by path."""
        return self.catalog.images()

    def feeds(self) -> list[Feed]:
        """Return all published feeds, ordered by path."""
        return self.catalog.feeds()

    def failures(self) -> list[Failure]:
        """Return the pages that failed in the last crawl that requested them, ordered by URL."""
        return [failure for failure in self.catalog.failures() if failure.reason]

    def crawls(self) -> list[Crawl]:
        """Return all crawls, the oldest first."""
        return self.catalog.crawls()

    @property
    def lock(self) -> int | None:
        """The file descriptor of the lock, or None if the data set is only read."""
        return self._lock.descriptor if self._lock else None

    def survey(self, damaged: Collection[str] = ()) -> Survey:
        """Compare the image files with the catalog. Paths in *damaged* count as damaged in any case."""
        files = self.catalog.files()
        broken = [file[0] for file in files if file[0] in damaged or not self._is_intact(*file)]
        pages, others = {}, set()
        for url, is_item_page, last_read in self.catalog.stored_pages():
            if is_item_page:
                pages[url] = last_read
            else:
                others.add(url)
        return Survey(self.catalog.count(), pages, others, self.catalog.records_with(broken))

    def _is_intact(self, path: str, size: int, stored: str, checksum: str) -> bool:
        """Return whether a file is the one in the catalog: same size, and same modification time or checksum.

        If a crawl is killed after it has replaced a file, and before it writes the row, the time differs, and
        the checksum too if the image has changed. If the folder was copied, only the time differs: if the data set is
        open for writing, the file then gets the time of the row.
        """
        file = f"{self.folder}/{path}"
        try:
            status = os.stat(file)  # noqa: PTH116 (pathlib takes three times as long)
            if status.st_size != size or not stat.S_ISREG(status.st_mode):
                return False
            if _is_at(status.st_mtime, stored):
                return True
            is_same = hashlib.md5(Path(file).read_bytes(), usedforsecurity=False).hexdigest() == checksum
        except (OSError, ValueError):  # ValueError: somebody has changed the path in the catalog
            return False
        if is_same and self._lock:
            with suppress(OSError, ValueError):
                os.utime(file, (status.st_atime, datetime.fromisoformat(stored).timestamp()))
        return is_same


def _is_at(seconds: float, time: str) -> bool:
    """Return whether a modification time is the same as a time of the catalog, to the microsecond."""
    try:
        return abs(seconds - datetime.fromisoformat(time).timestamp()) < 2e-6
    except ValueError:
        return False
