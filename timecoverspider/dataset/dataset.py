"""A data set on disk: its folder, its catalog, and what of it is complete."""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.files import set_aside
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.lock import Lock, claim
from timecoverspider.dataset.rows import Crawl, Feed, Image, Record
from timecoverspider.dataset.sqlite import is_corrupt
from timecoverspider.dataset.survey import Survey
from timecoverspider.exceptions import DatasetError


class Dataset:
    """The data set in a folder.

    Opened to read, it takes no lock and changes nothing, also beside a crawl:

        with Dataset("output") as dataset:
            for record in dataset.records():
                print(record.item["title"], dataset.folder / record.images[0].path)

    Opened to *write*, it takes the lock, makes what is missing, migrates an earlier catalog, and deletes the drafts
    that an interrupted crawl left. *catalog_url* is the setting CATALOG_URL.

    Raises DatasetError if there is no catalog to read, or it cannot be used; DatasetLockedError if it is to write, and
    another process writes.
    """

    def __init__(self, folder: str | Path, catalog_url: str = "", *, write: bool = False, archive: str = "") -> None:
        self.folder = Path(folder).resolve()
        self.layout = Layout(self.folder)
        self.corrupt_catalog: Path | None = None  # where one that could not be read has been moved to
        with ExitStack() as held:
            place = catalog_url or self.layout.catalog
            if write:
                self._take(held, archive, replaceable=not catalog_url)
            elif isinstance(place, Path) and not place.exists():
                raise DatasetError(f"there is no catalog at {place}, so there is nothing to read")
            self.catalog = Catalog(place, write=write)
            held.callback(self.catalog.close)
            self._held = held.pop_all()

    def _take(self, held: ExitStack, archive: str, *, replaceable: bool) -> None:
        """Lock the folder and make it ready; *held* lets go of it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.layout.lock)
            held.callback(self._lock.close)
            claim(self.layout.archive, archive)
            for draft in self.layout.drafts.glob("*"):
                draft.unlink(missing_ok=True)  # by the process of that crawl, which may not have ended yet
            if replaceable and is_corrupt(self.layout.catalog):
                self.corrupt_catalog = set_aside(self.layout.catalog, "corrupt")
        except OSError as error:
            raise DatasetError(f"cannot use {self.folder}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the catalog, and of the lock."""
        self._held.close()

    def records(self) -> Iterator[Record]:
        """All records in the order of the feeds, also those whose images are damaged."""
        return self.catalog.records()

    def complete_records(self, survey: Survey) -> Iterator[Record]:
        """The records all of whose images are stored."""
        return (record for record in self.records() if not any(map(survey.is_damaged, record.images)))

    def images(self) -> Iterator[Image]:
        """All images, by path."""
        return self.catalog.images()

    def feeds(self) -> list[Feed]:
        """The feeds that the data set was published as."""
        return self.catalog.feeds()

    def crawls(self) -> list[Crawl]:
        """All crawls, the first one first."""
        return self.catalog.crawls()

    def size(self, path: str) -> int | None:
        """The size of an image in bytes, or None if there is none."""
        try:
            return os.stat(f"{self.folder}/{path}").st_size  # noqa: PTH116 (pathlib takes thrice as long)
        except OSError:
            return None

    def survey(self, damaged: Collection[str] = ()) -> Survey:
        """See what is stored. Images whose path is in *damaged* count as such, whatever their size."""
        sizes = self.catalog.sizes()
        broken = [path for path, size in sizes if path in damaged or self.size(path) != size]
        return Survey(self.catalog.count(), set(self.catalog.stored_pages()), self.catalog.records_with(broken))
