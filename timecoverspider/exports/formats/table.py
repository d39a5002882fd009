"""The rows of an export: one for each image, with the plain fields of its record, in columns of one type each."""

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.collection import Entry, iterate_collection

Value = str | int | float | bool | None

# Columns that every export has. "image" is the column that readers make of the file name.
_OWN = ("image_url", "page_url", "checksum")
_RESERVED = frozenset({*_OWN, "image", "file_name", "file_names", "jpg", "json", "__key__", "__url__"})
_INT64 = range(-(2**63), 2**63)
_STORED_NAME = re.compile(r"full/[A-Za-z0-9_-]+\.(?:jpe?g|png|gif|webp)", re.IGNORECASE | re.ASCII)


class Column(NamedTuple):
    """A column of the export, with the name that Arrow and the data set card have for its type."""

    name: str
    kind: str  # string, int64, float64, bool or date32
    field: str = ""  # the field of the item; empty: a column that every export has


class Row(NamedTuple):
    """A row, before it is known whether the image file is as the catalog says."""

    path: str  # of the image, below the folder of the data set
    checksum: str  # MD5
    bytes: int
    page_url: str
    date: str  # as in collection.Entry
    values: dict[str, Value]  # by column

    @property
    def file_name(self) -> str:
        """The path of the image below the export's folder: the same as in the data set, if readers can use it."""
        return self.path if _STORED_NAME.fullmatch(self.path) else f"full/{_digest(self.path)}.jpg"

    @property
    def key(self) -> str:
        """A name without dots, which no other image has."""
        path = PurePosixPath(self.file_name)
        return path.stem if path.suffix == ".jpg" and len(path.stem) < 80 else _digest(self.path)


class Table:
    """All rows, oldest first, in a temporary file that SQLite deletes, so that the memory does not grow with them.

    If several records have an image, the row is of the first record in the feed. *drawn_hosts*: the hosts whose images
    are the replica's drawings.

    Raises: CatalogError if the catalog cannot be read; sqlite3.Error if the disk of the temporary file is full.
    """

    def __init__(self, dataset: Dataset, drawn_hosts: Collection[str] = ()) -> None:
        self._database = sqlite3.connect("")
        self._database.execute(
            "CREATE TABLE rows (path TEXT PRIMARY KEY, checksum, bytes INTEGER, page_url, date, url, item)"
        )
        self._skipped = {dataset.catalog.fields.urls, dataset.catalog.fields.files}
        self._dates = dataset.catalog.fields.dates
        self._kinds: dict[str, set[str]] = {}
        self.drawn = 0  # how many images are drawings
        for entry in iterate_collection(dataset):
            self._add(entry, drawn_hosts)
        #: The number of rows, and the bytes of their images.
        self.count, self.bytes = self._database.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM rows").fetchone()
        #: Fields that no column has, because they are lists or objects.
        self.left_out = sorted(name for name, kinds in self._kinds.items() if "other" in kinds)
        self.columns = [*self._item_columns(), *(Column(name, "string") for name in _OWN)]

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()

    def _add(self, entry: Entry, drawn_hosts: Collection[str]) -> None:
        item = {name: _plain(value) for name, value in entry.item.items() if name not in self._skipped}
        image = entry.image
        row = (image.path, image.checksum, image.bytes, entry.page_url, entry.date, image.url, json.dumps(item))
        if self._database.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount:
            self.drawn += _host(image.url) in drawn_hosts
            for name, value in item.items():
                self._kinds.setdefault(name, set()).update(self._kind(name, value))

    def _kind(self, name: str, value: Any) -> list[str]:
        """Return the type that this value needs: none if it is None."""
        if value is None:
            return []
        if name in self._dates and _is_date(value):
            return ["date32"]
        return [{str: "string", bool: "bool", int: "int64", float: "float64"}.get(type(value), "other")]

    def _item_columns(self) -> Iterator[Column]:
        taken = set(_RESERVED)
        for field, kinds in self._kinds.items():
            if "other" not in kinds:
                name = field
                while name in taken or name.endswith(("_file_name", "_file_names")):  # a reader would open this file
                    name += "_"
                taken.add(name)
                one = next(iter(kinds)) if len(kinds) == 1 else "string"
                yield Column(name, "float64" if kinds == {"int64", "float64"} else one, field)

    def __iter__(self) -> Iterator[Row]:
        query = "SELECT * FROM rows ORDER BY date = '', date, page_url, path"
        for path, checksum, size, page_url, day, url, item in self._database.execute(query):
            own = {"image_url": url, "page_url": page_url, "checksum": checksum}
            yield Row(path, checksum, size, page_url, day, self._values(json.loads(item), own))

    def _values(self, item: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Value]:
        return {
            column.name: _cast(item.get(column.field) if column.field else own[column.name], column.kind)
            for column in self.columns
        }


def _plain(value: Any) -> Any:
    """Return a value that JSON and Arrow can have: no NaN, and no integer of more than 64 bits."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and value not in _INT64:
        return str(value)
    return {} if isinstance(value, list | dict) else value


def _cast(value: Value, kind: str) -> Value:
    if value is None or kind in ("int64", "bool"):
        return value
    if kind == "float64":
        return float(value)
    return value if isinstance(value, str) else json.dumps(value)


def _is_date(value: Any) -> bool:
    """Return whether a value is a date as Arrow's date32 has it.

    >>> _is_date("1923-03-03"), _is_date("1923-03"), _is_date("19230303"), _is_date(1923)
    (True, False, False, False)
    """
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _digest(path: str) -> str:
    return hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
