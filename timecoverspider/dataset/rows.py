"""The rows of the catalog, as Python has them. ``tables.py`` says the same in SQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self


def now() -> str:
    """The time as the catalog writes it, e.g. ``2026-11-23T08:37:27+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Page(NamedTuple):
    """A page that a crawl has read, or could not read."""

    url: str
    records: int  # that it yielded when it was last read
    requests: int  # that it yielded then
    last_read: str  # UTC, or empty if it never could be read
    failure: str = ""  # why it, or an image of its records, could not be had by the last crawl that tried


class Image(NamedTuple):
    """An image file. Its path is its key."""

    path: str  # below the folder of the data set
    url: str
    checksum: str  # MD5 of the file, 32 hexadecimal digits
    width: int  # pixels
    height: int
    bytes: int
    etag: str  # as the server sent it, or empty
    last_modified: str  # likewise
    stored: str  # UTC, with microseconds: the file's own time
    last_checked: str  # UTC
    source: str  # the URL of the copy that it came from, or empty if that is ``url``


class Record(NamedTuple):
    """An item that a spider yielded, as it left the last pipeline, with the files that it has."""

    key: str
    item: dict[str, Any]
    page_url: str
    first_seen: str  # UTC
    last_checked: str
    images: tuple[Image, ...] = ()


class Feed(NamedTuple):
    """A file that the data set was published as."""

    path: str  # as the crawl was given it, absolute
    sha256: str
    records: int
    written: str  # UTC


class Crawl(NamedTuple):
    """A crawl of the data set, also one that was killed."""

    id: int
    spider: str
    archive: str
    since: str  # the range of dates that it was asked for, or empty
    until: str
    started: str  # UTC
    ended: str | None  # None while it runs, and for ever if it was killed
    outcome: str | None
    complete_walk: bool | None  # whether it went through all listings
    cut_by: str  # the limit that ended it early, or empty
    stated: int | None  # how many records the site says that it has
    known: int | None
    new: int | None
    failed: int | None
    requests: int | None


class Fields(NamedTuple):
    """What the fields of the data set's items mean; a spider says so, the catalog remembers it."""

    urls: str = "file_urls"
    files: str = "files"
    key: tuple[str, ...] = ()  # those that make a record another record; without them, its image URLs
    order: str = ""  # the one that feeds are ordered by, the greatest first
    title: str = ""
    date: str = ""

    @classmethod
    def from_facts(cls, facts: Mapping[str, str]) -> Self:
        """Read what ``to_facts`` gave; what is not there has its default."""
        known = {name: facts[f"{name}_field"] for name in cls._fields if f"{name}_field" in facts}
        return cls(**{**known, "key": tuple(json.loads(known.get("key", "[]")))})  # type: ignore[arg-type]

    def to_facts(self) -> dict[str, str]:
        """The names and values by which the catalog remembers it."""
        return {f"{name}_field": value for name, value in self._replace(key=to_json(self.key))._asdict().items()}  # type: ignore[arg-type]

    def key_of(self, item: Mapping[str, Any]) -> str:
        """The key of an item: the values of its key fields as JSON, or of its image URLs.

        Raises ValueError if it has none of the key fields.

        >>> Fields(key=("pubDate", "file_urls")).key_of({"pubDate": "2014-03-10", "file_urls": ["http://a/b.jpg"]})
        '["2014-03-10",["http://a/b.jpg"]]'
        """
        if self.key and not any(name in item for name in self.key):
            raise ValueError(f"it has no field {' or '.join(self.key)}, which record_key names")
        return to_json([item.get(name) for name in self.key or (self.urls,)])

    def rank_of(self, item: Mapping[str, Any]) -> str:
        """The value that an item is ordered by, or an empty string."""
        return str(item.get(self.order) or "") if self.order else ""

    def completed(self, item: dict[str, Any], images: Mapping[str, "Image"]) -> dict[str, Any]:
        """An item whose files have the checksums of the images that are stored under their paths."""
        for entry in item.get(self.files) or []:
            if isinstance(entry, dict) and entry.get("path") in images and "checksum" in entry:
                entry["checksum"] = images[entry["path"]].checksum
        return item

    def paths_of(self, item: Mapping[str, Any]) -> list[str]:
        """The paths of an item's images, in order."""
        files = item.get(self.files)
        entries: Sequence[Any] = files if isinstance(files, list) else []
        return [entry["path"] for entry in entries if isinstance(entry, dict) and "path" in entry]


def to_json(value: Any) -> str:
    """A value as compact JSON, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
