"""The catalog: a database of pages, records, images, feeds and crawls, the only state between two crawls."""

import json
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from timecoverspider.dataset import migrations
from timecoverspider.dataset.catalog_url import open_database
from timecoverspider.dataset.database import Transaction
from timecoverspider.dataset.rows import ONLY_FAILED, Crawl, Failure, Feed, Fields, Image, Page, Record, now
from timecoverspider.dataset.tables import (
    TABLES,
    VERSION,
    accept_failures,
    create_tables,
    forget_moved,
    rename_records,
    save_facts,
    save_failures,
    save_images,
    save_pages,
    save_record,
    save_requests,
    settle_failures,
)
from timecoverspider.exceptions import COMPLETE, CatalogError, DatasetError
from timecoverspider.text import iso_date

_AT_A_TIME = 500  # rows per transaction
_IMAGE = ", ".join(Image._fields)
_ORDER = "ORDER BY rank DESC, page_url, key"
_FAILURES = (
    "SELECT pages.url, failure, accepted, coalesce(request, '') FROM pages "
    "LEFT JOIN page_requests ON page_requests.url = pages.url WHERE failure <> '' OR accepted <> '' ORDER BY pages.url"
)
_FAILURES_2 = "SELECT url, failure, accepted FROM pages WHERE failure <> '' OR accepted <> '' ORDER BY url"
_CRAWL = ", ".join(Crawl._fields)


class Catalog:
    """The catalog in an SQLite file, or at the URL of a database. Can be used from several threads.

    A crawl can write while the catalog is read: no lock is held between two rows.

    Raises: CatalogError, from all methods, if the database cannot be used.
    """

    def __init__(self, place: str | Path, *, write: bool = False) -> None:
        """Open a catalog. With *write*, also create a missing catalog, or migrate an earlier version.

        Raises: DatasetError if the database is not a catalog, has a newer version, or cannot be opened.
        """
        self._database = open_database(place, create=write)
        self._version = VERSION
        try:
            with self._database.transaction(write=write) as transaction:
                self._prepare(transaction, write)
                facts = self._facts(transaction)
        except BaseException:
            self.close()
            raise
        self.spider = facts.pop("spider", "")
        try:
            self.hosts: list[str] = json.loads(facts.pop("hosts", "[]"))  # by which the site of the records is known
            self.fields = Fields.from_facts(facts)
        except (TypeError, ValueError) as error:  # somebody has changed the catalog
            self.close()
            raise DatasetError(f"the catalog {self._database.name} has invalid facts: {error}") from error

    def _prepare(self, transaction: Transaction, write: bool) -> None:
        tables = {name for (name,) in transaction.execute(self._database.tables)}
        if "timecoverspider" in tables:
            [(self._version,)] = transaction.execute("SELECT max(schema_version) FROM timecoverspider")
            if self._version not in range(1, VERSION + 1):
                raise DatasetError(
                    f"the catalog {self._database.name} has schema version {self._version}, but this program supports "
                    f"only versions up to {VERSION}: use a newer version of this program"
                )
            if write and self._version < VERSION:
                migrations.migrate(transaction, self._version)
                self._version = VERSION
            return
        if not write or tables & {*TABLES, "covers"} or (tables and not self._database.shared):
            raise DatasetError(f"{self._database.name} is not a catalog of timecoverspider")
        create_tables(transaction)

    def _is_version_1(self) -> bool:
        """Return whether the catalog still has version 1; read again each time, because a crawl can migrate it."""
        if self._version == 1:
            with self._database.transaction() as transaction:
                [(self._version,)] = transaction.execute("SELECT max(schema_version) FROM timecoverspider")
        return self._version == 1

    def _facts(self, transaction: Transaction) -> dict[str, str]:
        if self._version == 1:
            return {"spider": migrations.SPIDER_1, **migrations.FIELDS_1.to_facts()}
        return dict(transaction.execute("SELECT name, value FROM dataset"))

    def hurry(self) -> None:
        """Wait only a few seconds more for a database that does not answer."""
        self._database.patience = 3

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def records(self) -> Iterator[Record]:
        """Yield all records in feed order, without loading all of them into memory."""
        if self._is_version_1():
            yield from migrations.records_of_version_1(self._database)
            return
        numbers = array("q", (number for (number,) in self._database.stream(f"SELECT id FROM records {_ORDER}")))  # noqa: S608
        for start in range(0, len(numbers), _AT_A_TIME):
            yield from self._some_records(numbers[start : start + _AT_A_TIME])

    def _some_records(self, numbers: Sequence[int]) -> Iterator[Record]:
        query = (
            "SELECT id, key, item, page_url, first_seen, records.last_checked, "  # noqa: S608 (our own names)
            f"{', '.join(f'images.{name}' for name in Image._fields)} FROM records "
            "LEFT JOIN record_images ON record_images.record = records.id "
            "LEFT JOIN images ON images.path = record_images.path "
            f"WHERE id IN ({', '.join('?' * len(numbers))}) ORDER BY id, number"
        )
        with self._database.transaction() as transaction:
            rows = transaction.execute(query, list(numbers))
        found = {number: list(group) for number, group in groupby(rows, itemgetter(0))}
        for number in numbers:
            if group := found.get(number):
                _, key, item, page_url, first_seen, last_checked, *_ = group[0]
                images = tuple(Image._make(row[6:]) for row in group if row[6] is not None)
                try:
                    complete = self.fields.completed(json.loads(item), {image.path: image for image in images})
                except (AttributeError, TypeError, ValueError) as error:  # somebody has changed the catalog
                    raise CatalogError(
                        f"cannot use the catalog {self._database.name}: the record of <{page_url}> is invalid: {error}"
                    ) from error
                yield Record(key, complete, page_url, first_seen, last_checked, images)

    def dates(self) -> Iterator[str]:
        """Yield the date of each record in ISO 8601, or an empty string, in any order.

        If feeds are sorted by the date, the items need not be parsed: that takes a third of the time.
        """
        if self._is_version_1():
            yield from (self.fields.date_of(record.item) for record in self.records())
        elif self.fields.order == self.fields.dates[0] and not self._count("records WHERE rank = ''"):
            yield from (iso_date(rank) for (rank,) in self._database.stream("SELECT rank FROM records"))
        else:
            for (text,) in self._database.stream("SELECT item FROM records"):
                with suppress(AttributeError, ValueError):  # somebody has changed the catalog
                    yield self.fields.date_of(json.loads(text))

    def images(self) -> Iterator[Image]:
        """Yield all images, ordered by path."""
        if self._is_version_1():
            yield from sorted({image.path: image for record in self.records() for image in record.images}.values())
            return
        yield from map(Image._make, self._pages_of(f"SELECT {_IMAGE} FROM images", "path"))  # noqa: S608

    def pages(self) -> Iterator[Page]:
        """Yield all pages, ordered by URL."""
        if self._is_version_1():
            yield from sorted(Page(record.page_url, 1, 0, record.last_checked) for record in self.records())
            return
        query = "SELECT url, records, requests, last_read, failure FROM pages"
        yield from map(Page._make, self._pages_of(query, "url"))

    def _pages_of(self, query: str, key: str) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a query in the order of its first column *key*, 500 rows per transaction."""
        last = ""
        while True:
            with self._database.transaction() as transaction:
                rows = transaction.execute(f"{query} WHERE {key} > ? ORDER BY {key} LIMIT {_AT_A_TIME}", [last])
            yield from rows
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def crawls(self) -> list[Crawl]:
        """Return all crawls, the oldest first."""
        names = _CRAWL
        if self._is_version_1():
            names = names.replace("spider", f"'{migrations.SPIDER_1}'").replace("complete_walk", "whole_walk")
            for name, value in (("since", "''"), ("until", "''"), ("cut_by", "''"), ("stated", "NULL")):
                names = names.replace(name, value)
        with self._database.transaction() as transaction:
            rows = transaction.execute(f"SELECT {names} FROM crawls ORDER BY id")  # noqa: S608
        crawls = map(Crawl._make, rows)  # SQLite stores Booleans as integers
        return [row._replace(complete_walk=None if row.ended is None else bool(row.complete_walk)) for row in crawls]

    def feeds(self) -> list[Feed]:
        """Return all published feeds, ordered by path."""
        if self._is_version_1():
            return []
        with self._database.transaction() as transaction:
            rows = transaction.execute("SELECT path, sha256, records, written FROM feeds ORDER BY path, written")
        return [Feed._make(row) for row in rows]

    def count(self) -> int:
        """Return the number of records."""
        return self._count("covers" if self._is_version_1() else "records")

    def _count(self, rows: str) -> int:
        with self._database.transaction() as transaction:
            [(number,)] = transaction.execute(f"SELECT count(*) FROM {rows}")  # noqa: S608 (our own names)
        return int(number)

    def count_images(self) -> int:
        """Return the number of images."""
        return self.count() if self._is_version_1() else self._count("images")

    def count_bytes(self) -> int:
        """Return the number of bytes of all images."""
        if self._is_version_1():
            return sum(image.bytes for image in self.images())
        with self._database.transaction() as transaction:
            [(number,)] = transaction.execute("SELECT sum(bytes) FROM images")
        return int(number or 0)

    def files(self) -> Iterator[tuple[str, int, str, str]]:
        """Yield the path of each image, its size in bytes, its modification time and its MD5 checksum."""
        if self._is_version_1():
            return ((image.path, image.bytes, image.stored, image.checksum) for image in self.images())
        return self._database.stream("SELECT path, bytes, stored, checksum FROM images")

    def stored_pages(self) -> Iterator[tuple[str, bool, str]]:
        """Yield the URL of each page with a stored record, whether it yielded nothing else, and when it was read."""
        if self._is_version_1():
            return ((page.url, True, page.last_read) for page in self.pages())
        query = (
            "SELECT DISTINCT url, pages.records = 1 AND pages.requests = 0, last_read "
            "FROM records JOIN pages ON url = page_url"
        )
        return ((url, bool(is_item_page), last_read) for url, is_item_page, last_read in self._database.stream(query))

    def find_page(self, url: str) -> Page | None:
        """Return the page with this URL as it was when a crawl read it last, or None."""
        query = "SELECT url, records, requests, last_read, failure FROM pages WHERE url = ?"
        if self._is_version_1():
            return next((page for page in self.pages() if page.url == url), None)
        with self._database.transaction() as transaction:
            rows = transaction.execute(query, [url])
        return Page._make(rows[0]) if rows else None

    def failures(self) -> list[Failure]:
        """Return the failed pages, ordered by URL, with their requests; and pages that failed before, if accepted."""
        if self._is_version_1():
            return []
        with self._database.transaction() as transaction:
            rows = transaction.execute(_FAILURES if self._version > 2 else _FAILURES_2)
        return [Failure(*row) for row in rows]

    def accept_failures(self, urls: Collection[str]) -> list[str]:
        """Accept the failures of pages: they no longer count until they change.

        Return the URLs of pages that have not failed; if there is one, change nothing.
        """
        with self._database.transaction(write=True) as transaction:
            return accept_failures(transaction, urls)

    def settle_failures(self, current: Collection[str] | None) -> None:
        """Forget accepted failures that have changed, and failures of pages that are not *current*, if given."""
        with self._database.transaction(write=True) as transaction:
            settle_failures(transaction, current)

    def has_record(self, key: str) -> bool:
        """Return whether a record with this key is stored."""
        with self._database.transaction() as transaction:
            return bool(transaction.execute("SELECT 1 FROM records WHERE key = ?", [key]))

    def records_with(self, paths: Iterable[str]) -> dict[str, tuple[Image, dict[int, str]]]:
        """Map each path in the catalog to its image, and to the page URLs of its records by record id."""
        found: dict[str, tuple[Image, dict[int, str]]] = {}
        if self._is_version_1():
            wanted = set(paths)
            for number, record in enumerate(self.records()):
                for image in record.images:
                    if image.path in wanted:
                        found.setdefault(image.path, (image, {}))[1][number] = record.page_url
            return found
        query = (
            f"SELECT {', '.join(f'images.{name}' for name in Image._fields)}, records.id, page_url FROM images "  # noqa: S608
            "LEFT JOIN record_images ON record_images.path = images.path "
            "LEFT JOIN records ON records.id = record_images.record WHERE images.path = ?"
        )
        with self._database.transaction() as transaction:
            for path in paths:
                if rows := transaction.execute(query, [path]):
                    owners = {number: page for *_, number, page in rows if number is not None}
                    found[path] = Image._make(rows[0][:-2]), owners
        return found

    def find_image(self, path: str) -> Image | None:
        """Return the image with this path, or None."""
        return next((image for image, _ in self.records_with([path]).values()), None)

    def shared_images(self) -> set[str]:
        """Return the paths of images that several records have, or one record several times."""
        if self._is_version_1():
            paths = [image.path for record in self.records() for image in record.images]
            return {path for path, number in Counter(paths).items() if number > 1}
        query = "SELECT path FROM record_images GROUP BY path HAVING count(*) > 1"
        return {path for (path,) in self._database.stream(query)}

    def metadata_digests(self) -> list[str]:
        """Return the SHA-256 of each metadata.jsonl that this data set wrote and that may be on disk."""
        with self._database.transaction() as transaction:
            rows = transaction.execute("SELECT value FROM dataset WHERE name = 'metadata'")
        return rows[0][0].split() if rows else []

    def save_metadata_digests(self, digests: Iterable[str]) -> None:
        """Store the SHA-256 of the metadata.jsonl that is being written, and of the one that it replaces."""
        with self._database.transaction(write=True) as transaction:
            save_facts(transaction, {"metadata": " ".join(digests)})

    def describe(self, spider: str, fields: Fields, hosts: Collection[str] = ()) -> None:
        """Store the spider's name and fields, and add *hosts* to those of its site.

        If key or order have changed, update all records.
        """
        known = sorted({*self.hosts, *hosts})
        if (self.spider, self.fields, self.hosts) != (spider, fields, known):
            with self._database.transaction(write=True) as transaction:
                save_facts(transaction, {"spider": spider, "hosts": json.dumps(known), **fields.to_facts()})
                if (self.fields.key, self.fields.order) != (fields.key, fields.order):
                    rename_records(transaction, fields)
            self.spider, self.fields, self.hosts = spider, fields, known

    def save(
        self,
        *,
        records: Iterable[Record] = (),
        images: Iterable[Image] = (),
        pages: Iterable[Page] = (),
        failures: Mapping[str, str] | None = None,
        requests: Mapping[str, str] | None = None,
        crawl: int = 0,
    ) -> list[bool]:
        """Write all rows in one transaction, and return for each record whether it is new."""
        with self._database.transaction(write=True) as transaction:
            save_images(transaction, images)
            new = [save_record(transaction, record, self.fields, crawl) for record in records]
            save_pages(transaction, pages)
            save_failures(transaction, (failures or {}).items())
            save_requests(transaction, (requests or {}).items())
        return new

    def forget_moved(self, crawl: int, listed: Collection[str]) -> None:
        """Delete records if their page has moved to another URL. *listed*: all page URLs that the crawl found."""
        with self._database.transaction(write=True) as transaction:
            forget_moved(transaction, crawl, listed)

    def save_feed(self, feed: Feed) -> None:
        """Store a feed before its file is renamed; earlier feeds at the same path stay until ``forget_feeds``."""
        with self._database.transaction(write=True) as transaction:
            transaction.execute("DELETE FROM feeds WHERE path = ? AND sha256 = ?", [feed.path, feed.sha256])
            transaction.execute("INSERT INTO feeds (path, sha256, records, written) VALUES (?, ?, ?, ?)", list(feed))

    def forget_feeds(self, feed: Feed) -> None:
        """Delete the rows of earlier feeds at the path of this feed."""
        with self._database.transaction(write=True) as transaction:
            transaction.execute("DELETE FROM feeds WHERE path = ? AND sha256 <> ?", [feed.path, feed.sha256])

    def begin_crawl(self, spider: str, archive: str, cut_by: str = "") -> int:
        """Insert a row for a new crawl, and return its id."""
        with self._database.transaction(write=True) as transaction:
            [(number,)] = transaction.execute(
                "INSERT INTO crawls (spider, archive, since, until, started, cut_by) VALUES (?, ?, '', '', ?, ?) "
                "RETURNING id",
                [spider, archive, now(), cut_by],
            )
        return int(number)

    def end_crawl(self, number: int, **columns: str | int | bool | None) -> None:
        """Store the end time and the given columns of a crawl."""
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._database.transaction(write=True) as transaction:
            transaction.execute(
                f"UPDATE crawls SET ended = ?, {names} WHERE id = ?",  # noqa: S608 (our own names)
                [now(), *columns.values(), number],
            )

    def last_crawl_was_complete(self) -> bool:
        """Return whether the data set was complete at the end of the latest crawl, which no limit has cut.

        A crawl of only failed pages tells nothing about the listings.
        """
        query = "SELECT outcome, cut_by FROM crawls WHERE cut_by <> ? ORDER BY id DESC LIMIT 1"
        with self._database.transaction() as transaction:
            return transaction.execute(query, [ONLY_FAILED]) == [(COMPLETE, "")]

    def last_complete_walk(self) -> datetime | None:
        """Return the end time of the latest complete crawl that read all listings, or None."""
        # A later time is one of a clock that was wrong.
        query = "SELECT max(ended) FROM crawls WHERE outcome = ? AND complete_walk AND ended <= ?"
        with self._database.transaction() as transaction:
            [(ended,)] = transaction.execute(query, [COMPLETE, now()])
        try:
            time = datetime.fromisoformat(ended) if ended else None
        except ValueError:  # somebody has changed the catalog
            return None
        return time if time and time.tzinfo else None
