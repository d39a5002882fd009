"""The rows of the catalog as Python classes. ``tables.py`` has the same columns in SQL."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from timecoverspider.text import cause, first_text, iso_date

ONLY_FAILED = "only=failed"  # Crawl.cut_by of a crawl that requests only failed pages, and reads no listings
_DATES = ("pubDate", "date")  # the fields that can have the date if the spider does not name its own


def now() -> str:
    """Return the current time in the catalog's format, e.g. ``2026-11-23T08:37:27+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Page(NamedTuple):
    """A page that a crawl has parsed, or failed to download or parse."""

    url: str
    records: int  # number of records that the page yielded when it was last read
    requests: int  # number of requests that the page yielded then
    last_read: str  # UTC; empty if the page was never read
    failure: str = ""  # why the page, or an image of its records, failed in the last crawl that requested it


class Failure(NamedTuple):
    """A page that failed in the last crawl that requested it, or that has a failed image."""

    url: str
    reason: str
    accepted: str = ""  # the reason that a user has accepted, or empty
    request: str = ""  # the request as JSON, or empty if it cannot be sent without its listing

    @property
    def is_accepted(self) -> bool:
        """Whether a user has accepted a failure with the same cause."""
        return bool(self.accepted) and cause(self.accepted) == cause(self.reason)


class Image(NamedTuple):
    """An image file. The path is the key."""

    path: str  # below the folder of the data set
    url: str
    checksum: str  # MD5 of the file, 32 hexadecimal digits
    width: int  # pixels
    height: int
    bytes: int
    etag: str  # the response header, or empty
    last_modified: str  # the response header, or empty
    stored: str  # UTC, with microseconds: the modification time of the file
    last_checked: str  # UTC
    source: str  # the URL of the archived copy, if the image was not downloaded from ``url``; else empty


class Record(NamedTuple):
    """An item as it left the last pipeline, with its images."""

    key: str
    item: dict[str, Any]
    page_url: str
    first_seen: str  # UTC
    last_checked: str
    images: tuple[Image, ...] = ()


class Feed(NamedTuple):
    """A file to which the data set was exported."""

    path: str  # absolute
    sha256: str
    records: int
    written: str  # UTC


class Crawl(NamedTuple):
    """A crawl of the data set, finished or not."""

    id: int
    spider: str
    archive: str
    since: str  # the first date of the requested range, or empty
    until: str  # the last date of the requested range, or empty
    started: str  # UTC
    ended: str | None  # UTC; None if the crawl runs or was killed
    outcome: str | None
    complete_walk: bool | None  # whether the crawl read all listings
    cut_by: str  # the limit that ended the crawl early, ONLY_FAILED, or empty
    stated: int | None  # the number of records according to the site
    known: int | None
    new: int | None
    failed: int | None
    requests: int | None


class Fields(NamedTuple):
    """The meaning of the item fields, defined by the spider and stored in the catalog."""

    urls: str = "file_urls"
    files: str = "files"
    key: tuple[str, ...] = ()  # the fields that identify a record; if empty, the image URLs identify it
    order: str = ""  # feeds are sorted by this field, in descending order
    title: str = ""
    date: str = ""

    @classmethod
    def from_facts(cls, facts: Mapping[str, str]) -> Self:
        """Return the fields stored by ``to_facts``; a missing field has its default."""
        known = {name: facts[f"{name}_field"] for name in cls._fields if f"{name}_field" in facts}
        return cls(**{**known, "key": tuple(json.loads(known.get("key", "[]")))})  # type: ignore[arg-type]

    def to_facts(self) -> dict[str, str]:
        """Return the fields as names and values of the catalog's table ``dataset``."""
        return {f"{name}_field": value for name, value in self._replace(key=to_json(self.key))._asdict().items()}  # type: ignore[arg-type]

    def key_of(self, item: Mapping[str, Any]) -> str:
        """Return the key of an item: the values of its key fields, or its image URLs, as JSON.

        Raises: ValueError if the item has none of the key fields.

        >>> Fields(key=("pubDate", "file_urls")).key_of({"pubDate": "2014-03-10", "file_urls": ["http://a/b.jpg"]})
        '["2014-03-10",["http://a/b.jpg"]]'
        """
        if self.key and not any(name in item for name in self.key):
            raise ValueError(f"the item has no field {' or '.join(self.key)}, but record_key requires one")
        return to_json([item.get(name) for name in self.key or (self.urls,)])

    def rank_of(self, item: Mapping[str, Any]) -> str:
        """Return the value by which feeds are sorted, or an empty string."""
        return str(item.get(self.order) or "") if self.order else ""

    @property
    def dates(self) -> tuple[str, ...]:
        """The names of the fields that can have the date."""
        return (self.date,) if self.date else _DATES

    def date_of(self, item: Mapping[str, Any]) -> str:
        """Return an item's date in ISO 8601, for example ``1923`` or ``1923-03-03``, or an empty string."""
        return iso_date(first_text(item, self.dates))

    def completed(self, item: dict[str, Any], images: Mapping[str, "Image"]) -> dict[str, Any]:
        """Update the checksums in an item's files to those of the stored images, and return the item."""
        for entry in item.get(self.files) or []:
            if isinstance(entry, dict) and entry.get("path") in images and "checksum" in entry:
                entry["checksum"] = images[entry["path"]].checksum
        return item

    def paths_of(self, item: Mapping[str, Any]) -> list[str]:
        """Return the paths of an item's images, in order."""
        files = item.get(self.files)
        entries: Sequence[Any] = files if isinstance(files, list) else []
        return [entry["path"] for entry in entries if isinstance(entry, dict) and "path" in entry]


def image_column(name: str, taken: Collection[str]) -> str:
    """Return the name of a column of an image in a table, with ``image_`` before it if an item field has this name.

    >>> image_column("url", ["title", "url"]), image_column("url", ["title"])
    ('image_url', 'url')
    """
    while name in taken:
        name = f"image_{name}"
    return name


def to_json(value: Any) -> str:
    """Return a value as compact JSON; equal values give equal text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
