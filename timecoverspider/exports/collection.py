"""The images of a data set in the order of their dates, each with the title and the date of its record."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Image

_TITLE = ("title", "name")  # item fields that are tried if the spider does not name its own
_DATE = ("pubDate", "date")
_ISO = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?![\d-])", re.ASCII)


class Entry(NamedTuple):
    """One image of the collection. If several records have the image, the entry is of the first record in the feed."""

    image: Image
    title: str  # empty if the record has no title
    date: str  # year, year-month or year-month-day; empty if the record has no date
    page_url: str
    item: Mapping[str, Any]

    @property
    def year(self) -> int | None:
        """The year, or None if the record has no date."""
        return int(self.date[:4]) if self.date else None

    @property
    def decade(self) -> int | None:
        """The first year of the decade, or None if the record has no date."""
        return None if self.year is None else self.year // 10 * 10


def read_collection(dataset: Dataset) -> list[Entry]:
    """Return one entry for each image of a data set, the oldest first, and images without a date last.

    Raises: CatalogError if the catalog cannot be read.
    """
    return sorted(
        iterate_collection(dataset),
        key=lambda entry: (not entry.date, entry.date, entry.page_url, entry.image.path),
    )


def iterate_collection(dataset: Dataset) -> Iterator[Entry]:
    """Yield one entry for each image of a data set, in feed order.

    Title and date are the fields that the spider names in ``title_field`` and ``date_field``; by default the first of
    ``title`` and ``name``, and of ``pubDate`` and ``date``, that the record has.

    Raises: CatalogError if the catalog cannot be read.
    """
    fields = dataset.catalog.fields
    titles, dates = ([fields.title] if fields.title else _TITLE), ([fields.date] if fields.date else _DATE)
    seen: set[str] = set()
    for record in dataset.records():
        title, day = _first(record.item, titles), iso_date(_first(record.item, dates))
        for image in record.images:
            if image.path not in seen:
                seen.add(image.path)
                yield Entry(image, title, day, record.page_url, record.item)


def _first(item: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return the first of these fields that is not empty, as text on one line."""
    values = (" ".join(str(item[name]).split()) for name in names if item.get(name) not in (None, "", [], {}))
    return next(values, "")


def iso_date(text: str) -> str:
    """Return the date at the beginning of a text in ISO 8601, or an empty string.

    >>> iso_date("2014-03-10T12:00:00Z"), iso_date("1923-03"), iso_date("1923"), iso_date("10.3.2014")
    ('2014-03-10', '1923-03', '1923', '')
    >>> iso_date("2014-02-30"), iso_date("0000"), iso_date("20140310")
    ('', '', '')
    """
    match = _ISO.match(text)
    if not match:
        return ""
    try:
        date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return ""
    return match[0]
