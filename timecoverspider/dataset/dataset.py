"""A data set on disk: its folder, its images and its catalog."""

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

    Reading takes no lock and changes nothing, and is possible while a crawl runs:

        with Dataset("output") as dataset:
            for record in dataset.records():
                print(record.item["title"], dataset.folder / record.images[0].path)

    With *write*, take the lock, create a missing folder or catalog, migrate an earlier catalog, and delete the drafts
    of an interrupted crawl. *catalog_url* and *archive* are the settings CATALOG_URL and ARCHIVE.

    Raises: DatasetError if the catalog is missing, or the data set cannot be used; DatasetLockedError, with *write*, if
    another process writes.
    """

    def __init__(self, folder: str | Path, catalog_url: str = "", *, write: bool = False, archive: str = "") -> None:
        self.folder = Path(folder).resolve()
        self.layout = Layout(self.folder)
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

    def crawls(self) -> list[Crawl]:
        """Return all crawls, the oldest first."""
        return self.catalog.crawls()

    def size(self, path: str) -> int | None:
        """Return the size of an image file in bytes, or None if the file is missing."""
        try:
            return os.stat(f"{self.folder}/{path}").st_size  # noqa: PTH116 (pathlib takes three times as long)
        except OSError:
            return None

    def survey(self, damaged: Collection[str] = ()) -> Survey:
        """Compare the image files with the catalog. Paths in *damaged* count as damaged even if the size is right."""
        sizes = self.catalog.sizes()
        broken = [path for path, size in sizes if path in damaged or self.size(path) != size]
        return Survey(self.catalog.count(), set(self.catalog.stored_pages()), self.catalog.records_with(broken))
