"""Write metadata.jsonl: the images of a data set as rows, after the convention *imagefolder* of ``datasets``."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import Revision, flush_folder, regular_size, set_aside, sha256
from timecoverspider.dataset.rows import Record, image_column, to_json
from timecoverspider.exceptions import FeedError

_encode = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes a new encoder for each call


class _Rows:
    """The rows of images as JSON lines, one for each image: the first record in the feed with an image describes it.

    All rows have the same columns, because pyarrow reads a large file in parts: ``file_name``, the item fields in the
    order in which they were seen, ``url``, ``checksum``. Nested values are JSON text, because pyarrow refuses a column
    of different structures.
    """

    def __init__(self, dataset: Dataset, names: Iterable[str] = ()) -> None:
        self._fields, self._shared = dataset.catalog.fields, dataset.catalog.shared_images()
        self._described: set[str] = set()  # of the shared images
        self._latest: list[str] = []  # those of them that the latest record described
        self.names = dict.fromkeys(names)  # of all item fields
        self.is_mixed = False  # whether some rows lack a column, because a later record has another field
        self._is_empty = True
        self._name_columns()

    def of(self, record: Record) -> bytes:
        """Return the rows of a record, or b"" if its images have rows already."""
        if not record.item.keys() <= self.names.keys():
            self.names.update(dict.fromkeys(record.item))
            self._name_columns()
            self.is_mixed = not self._is_empty
        lines, self._latest = [], []
        for image in record.images:
            if image.path in self._shared:
                if image.path in self._described:
                    continue
                self._described.add(image.path)
                self._latest.append(image.path)
            row = {"file_name": image.path}
            for name, column in self._columns:
                row[column] = _plain(record.item, name)
            row[self._url], row[self._checksum] = image.url, image.checksum
            lines.append(_encode(row) + "\n")
            self._is_empty = False
        return "".join(lines).encode()

    def take_back(self) -> None:
        """Take back the latest rows, so that the next record with the same image describes the image."""
        self._described.difference_update(self._latest)

    def _name_columns(self) -> None:
        own = [name for name in self.names if name not in (self._fields.urls, self._fields.files)]
        self._columns = [(name, _column(name, own)) for name in own]
        self._url, self._checksum = image_column("url", own), image_column("checksum", own)


def _column(name: str, names: Iterable[str]) -> str:
    """Return the column of an item field: with ``_`` after it if ``datasets`` would read the field as a file.

    >>> _column("title", ["title"]), _column("image", ["image"]), _column("pdf_file_name", ["pdf_file_name"])
    ('title', 'image_', 'pdf_file_name_')
    """
    if name == "image" or name.endswith("file_name"):
        name += "_"
        while name in names:
            name += "_"
    return name


def _plain(item: Mapping[str, Any], name: str) -> Any:
    value = item.get(name)
    return to_json(value) if isinstance(value, list | dict) else value


class MetadataFile:
    """The file metadata.jsonl of a data set, which has the images of all complete records.

    *records* returns these records. The rows are written while the caller reads the records, so that a crawl reads the
    catalog only once. The first error is stored, and raised by ``publish``.
    """

    def __init__(self, dataset: Dataset, records: Callable[[], Iterable[Record]]) -> None:
        self._dataset, self._records, self._path = dataset, records, dataset.layout.metadata
        self._rows: _Rows | None = None
        self._revision: Revision | None = None
        self._error: Exception | None = None

    def passing(self) -> Iterator[Record]:
        """Yield the records, and write the rows of each."""
        self._begin()
        try:
            for record in self._records():
                self._add(record)
                yield record
        except Exception as error:  # the catalog failed: not all rows are written
            self._error = self._error or error
            raise

    def publish(self) -> str:
        """Replace the file if its content has changed, and return a warning for the log, or "".

        A file that this data set did not write is renamed, so that nothing is lost.

        Raises: FeedError, with the file, if it cannot be written; CatalogError. The existing file then stays.
        """
        try:
            if self._rows is not None and self._rows.is_mixed:
                self._begin(self._rows.names)
                for record in self._records():
                    self._add(record)
            if self._error is not None:
                raise self._error
            return self._replace()
        except (OSError, ValueError) as error:
            raise FeedError(f"cannot write {self._path}: {getattr(error, 'strerror', None) or error}") from error

    def close(self) -> None:
        """Close all files, and delete the draft."""
        if self._revision is not None:
            self._revision.close()

    def _begin(self, names: Iterable[str] = ()) -> None:
        self.close()
        try:
            self._rows = _Rows(self._dataset, names)
            self._revision = Revision(self._path, self._dataset.layout.drafts)
        except Exception as error:  # noqa: BLE001 (publish raises it)
            self._error = error

    def _add(self, record: Record) -> None:
        if self._rows is None or self._revision is None or self._error is not None:
            return
        try:
            self._revision.write(self._rows.of(record))
        except Exception as error:  # noqa: BLE001 (publish raises it, so that the caller can go on)
            self._error = error

    def _replace(self) -> str:
        assert self._revision is not None  # noqa: S101 (otherwise there was an error)
        draft = self._revision.finish()
        catalog, ours = self._dataset.catalog, self._dataset.catalog.metadata_digests()
        if draft is None:
            if not ours:  # the catalog was deleted and filled again
                catalog.save_metadata_digests([sha256(self._path)])
            return ""
        current, warning = sha256(self._path) if self._path.exists() else "", ""
        # Before the rename, so that after a kill the catalog knows the file, whichever of the two it is.
        catalog.save_metadata_digests([sha256(draft), *[current] * (current in ours)])
        if current and current not in ours:
            aside = set_aside(self._path, "kept").name
            warning = f"{self._path} is not a file that this data set wrote; the old file is now {aside}"
        draft.replace(self._path)
        flush_folder(self._path.parent)
        return warning


def metadata_problem(dataset: Dataset, damaged: Collection[str]) -> tuple[str, str]:
    """Return what is wrong with metadata.jsonl and the reason, or empty strings.

    Records with an image whose path is in *damaged* may be missing: the last crawl may have left them out.

    Raises: CatalogError if the catalog cannot be read.
    """
    file = dataset.layout.metadata
    try:
        regular_size(file)
        with file.open("rb") as rows:
            is_current = _has_all_rows(rows, dataset, damaged)
    except FileNotFoundError:
        return "missing", "the file does not exist"
    except (OSError, ValueError) as error:
        return "altered", f"the file cannot be compared: {getattr(error, 'strerror', None) or error}"
    return ("", "") if is_current else ("altered", "the rows are not those of the catalog")


def _has_all_rows(file: BinaryIO, dataset: Dataset, damaged: Collection[str]) -> bool:
    rows = _Rows(dataset, (name for record in dataset.records() for name in record.item))
    for record in dataset.records():
        expected = rows.of(record)
        if (found := file.read(len(expected))) != expected:
            if not any(image.path in damaged for image in record.images):
                return False
            file.seek(-len(found), os.SEEK_CUR)
            rows.take_back()
    return not file.read(1)
