"""The images of a data set in the order of their dates, each with the title and the date of its record."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Image
from timecoverspider.text import first_text

_TITLE = ("title", "name")  # item fields that are tried if the spider does not name its own


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
    titles = (fields.title,) if fields.title else _TITLE
    seen: set[str] = set()
    for record in dataset.records():
        title, day = first_text(record.item, titles), fields.date_of(record.item)
        for image in record.images:
            if image.path not in seen:
                seen.add(image.path)
                yield Entry(image, title, day, record.page_url, record.item)
