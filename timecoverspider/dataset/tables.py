"""The tables of the catalog in SQL, and functions that write rows inside a transaction."""

import json
import re
from collections.abc import Collection, Iterable, Mapping

from timecoverspider.dataset.database import Transaction
from timecoverspider.dataset.rows import Failure, Fields, Image, Page, Record, to_json

VERSION = 3

TABLES = {
    "timecoverspider": """
CREATE TABLE timecoverspider (
    schema_version INTEGER NOT NULL PRIMARY KEY
)""",
    # The spider of the data set, and the meaning of the item fields.
    "dataset": """
CREATE TABLE dataset (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
)""",
    "pages": """
CREATE TABLE pages (
    url TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    records INTEGER NOT NULL,    -- number yielded when the page was last read
    requests INTEGER NOT NULL,   -- number yielded then
    last_read TEXT NOT NULL,     -- UTC; empty if the page was never read
    failure TEXT NOT NULL,       -- why the page or an image failed in the last crawl that requested it, or empty
    accepted TEXT NOT NULL       -- the failure that a user has accepted, or empty
)""",
    # The requests of failed pages, for crawls that request only these.
    "page_requests": """
CREATE TABLE page_requests (
    url TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    request TEXT NOT NULL        -- JSON: callback, headers, meta and arguments
)""",
    "records": """
CREATE TABLE records (
    id SERIAL NOT NULL PRIMARY KEY,
    key TEXT COLLATE "C" NOT NULL UNIQUE,  -- JSON: the values that identify the record
    item TEXT NOT NULL,          -- JSON: the item as it left the last pipeline
    rank TEXT COLLATE "C" NOT NULL,  -- feeds are sorted by it, in descending order
    page_url TEXT COLLATE "C" NOT NULL,
    crawl INTEGER NOT NULL,      -- the latest crawl that yielded the record
    first_seen TEXT NOT NULL,    -- UTC
    last_checked TEXT NOT NULL
)""",
    "images": """
CREATE TABLE images (
    path TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- below FILES_STORE
    url TEXT NOT NULL,
    checksum TEXT NOT NULL,      -- MD5
    width INTEGER NOT NULL,      -- pixels
    height INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    etag TEXT NOT NULL,          -- the response header, or empty
    last_modified TEXT NOT NULL, -- the response header, or empty
    stored TEXT NOT NULL,        -- UTC
    last_checked TEXT NOT NULL,
    source TEXT NOT NULL         -- the URL of the archived copy, or empty if downloaded from url
)""",
    "record_images": """
CREATE TABLE record_images (
    record INTEGER NOT NULL,     -- id of the record
    number INTEGER NOT NULL,     -- position in the record, from 0
    path TEXT NOT NULL,
    PRIMARY KEY (record, number)
)""",
    "feeds": """
CREATE TABLE feeds (
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    records INTEGER NOT NULL,
    written TEXT NOT NULL,       -- UTC
    PRIMARY KEY (path, sha256)
)""",
    "crawls": """
CREATE TABLE crawls (
    id SERIAL NOT NULL PRIMARY KEY,
    spider TEXT NOT NULL,
    archive TEXT NOT NULL,
    since TEXT NOT NULL,         -- first date of the requested range, or empty
    until TEXT NOT NULL,         -- last date of the requested range, or empty
    started TEXT NOT NULL,       -- UTC
    ended TEXT,                  -- NULL if the crawl runs or was killed
    outcome TEXT,
    complete_walk BOOLEAN,       -- whether the crawl read all listings
    cut_by TEXT NOT NULL,        -- the limit that ended the crawl early, only=failed, or empty
    stated INTEGER,              -- the number of records according to the site
    known INTEGER,
    new INTEGER,
    failed INTEGER,
    requests INTEGER
)""",
}


def _upsert(table: str, names: tuple[str, ...], keys: tuple[str, ...], kept: tuple[str, ...] = ()) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in (*keys, *kept))
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "  # noqa: S608 (our own names)
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"
    )


_NUMBER = re.compile(r" \d+$")  # added to the key if another record has the same images
_SAVE_FACT = _upsert("dataset", ("name", "value"), ("name",))
_SAVE_IMAGE = _upsert("images", Image._fields, ("path",))
_SAVE_PAGE = (
    "INSERT INTO pages (url, records, requests, last_read, failure, accepted) VALUES (?, ?, ?, ?, ?, '') "
    "ON CONFLICT (url) DO UPDATE SET records = excluded.records, requests = excluded.requests, "
    "last_read = excluded.last_read, failure = excluded.failure"
)
_SAVE_FAILURE = (
    "INSERT INTO pages (url, records, requests, last_read, failure, accepted) VALUES (?, 0, 0, '', ?, '') "
    "ON CONFLICT (url) DO UPDATE SET failure = excluded.failure"
)
_SAVE_REQUEST = _upsert("page_requests", ("url", "request"), ("url",))
_RECORD = ("key", "item", "rank", "page_url", "crawl", "first_seen", "last_checked")
_ADD_RECORD = f"INSERT INTO records ({', '.join(_RECORD)}) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"  # noqa: S608
_CHANGE_RECORD = (
    "UPDATE records SET item = ?, rank = ?, page_url = ?, crawl = ?, last_checked = ? WHERE id = ?"  # first_seen stays
)


def create_tables(transaction: Transaction) -> None:
    """Create all tables."""
    for table in TABLES.values():
        transaction.execute(table)
    transaction.execute("INSERT INTO timecoverspider (schema_version) VALUES (?)", [VERSION])


def save_facts(transaction: Transaction, facts: Mapping[str, str]) -> None:
    """Insert or update the spider's name and the item fields."""
    transaction.executemany(_SAVE_FACT, facts.items())


def save_images(transaction: Transaction, images: Iterable[Image]) -> None:
    """Insert images, or update images with the same path."""
    transaction.executemany(_SAVE_IMAGE, images)


def save_pages(transaction: Transaction, pages: Iterable[Page]) -> None:
    """Insert pages that were read, or update pages with the same URL."""
    transaction.executemany(_SAVE_PAGE, pages)


def save_failures(transaction: Transaction, failures: Iterable[tuple[str, str]]) -> None:
    """Store why pages failed, as pairs of URL and reason. The other columns of these pages stay unchanged."""
    transaction.executemany(_SAVE_FAILURE, failures)


def save_requests(transaction: Transaction, requests: Iterable[tuple[str, str]]) -> None:
    """Store the requests of failed pages, as pairs of URL and JSON."""
    transaction.executemany(_SAVE_REQUEST, requests)


def accept_failures(transaction: Transaction, urls: Collection[str]) -> list[str]:
    """Accept the failures of these pages as they are. If a page has not failed, change nothing; return these pages."""
    failed = {url for (url,) in transaction.execute("SELECT url FROM pages WHERE failure <> ''")}
    wrong = [url for url in urls if url not in failed]
    if not wrong:
        transaction.executemany("UPDATE pages SET accepted = failure WHERE url = ?", [[url] for url in urls])
    return wrong


def settle_failures(transaction: Transaction, current: Collection[str] | None) -> None:
    """Forget accepted failures that have changed, and all failures of pages that are not *current*, if given."""
    rows = transaction.execute("SELECT url, failure, accepted FROM pages WHERE failure <> '' OR accepted <> ''")
    failures = [Failure(*row) for row in rows]
    gone = [[failure.url] for failure in failures if current is not None and failure.url not in current]
    changed = [[failure.url] for failure in failures if failure.accepted and not failure.is_accepted]
    transaction.executemany("UPDATE pages SET failure = '', accepted = '' WHERE url = ?", gone)
    transaction.executemany("UPDATE pages SET accepted = '' WHERE url = ?", changed)
    transaction.execute("DELETE FROM page_requests WHERE url NOT IN (SELECT url FROM pages WHERE failure <> '')")


def save_record(transaction: Transaction, record: Record, fields: Fields, crawl: int) -> bool:
    """Insert a record, or update all columns except ``first_seen``; return whether the record is new."""
    key, same = _find(transaction, record, fields, crawl)
    item, rank = to_json(record.item), fields.rank_of(record.item)
    if same is None:
        values = [key, item, rank, record.page_url, crawl, record.first_seen, record.last_checked]
        [(number,)] = transaction.execute(_ADD_RECORD, values)
    else:
        number = same
        transaction.execute(_CHANGE_RECORD, [item, rank, record.page_url, crawl, record.last_checked, number])
        transaction.execute("DELETE FROM record_images WHERE record = ?", [number])
    links = [(number, *link) for link in enumerate(fields.paths_of(record.item))]
    transaction.executemany("INSERT INTO record_images (record, number, path) VALUES (?, ?, ?)", links)
    return same is None


def _find(transaction: Transaction, record: Record, fields: Fields, crawl: int) -> tuple[str, int | None]:
    """Return the key of a record, and the id of its row, or None if the record is new.

    If the spider has key fields, records with the same values are the same record. Otherwise records with the same
    image URLs and the same page URL are the same record, unless this crawl has already yielded that record. Different
    records can have the same image URLs, for example of a placeholder: then a number is added to the key.
    """
    base = fields.key_of(record.item)
    rows = transaction.execute(
        "SELECT id, key, page_url, crawl FROM records WHERE key = ? OR (key >= ? AND key < ?) ORDER BY id",
        [base, f"{base} ", f"{base}!"],
    )
    if fields.key:
        return base, rows[0][0] if rows else None
    for number, key, page_url, last_crawl in rows:
        if page_url == record.page_url and last_crawl != crawl:
            return key, number
    taken = [int(key.removeprefix(base) or 1) for _, key, *_ in rows]
    return f"{base} {max(taken) + 1}" if taken else base, None


def forget_moved(transaction: Transaction, crawl: int, listed: Collection[str]) -> None:
    """Delete records if their page has moved: the crawl found another record with the same key, but not their page.

    *listed* has the URLs of all pages that the crawl found. The crawl must have read all listings.
    """
    same: dict[str, list[tuple[int, bool]]] = {}
    for number, key, page_url, last_crawl in transaction.execute("SELECT id, key, page_url, crawl FROM records"):
        same.setdefault(_NUMBER.sub("", key), []).append((number, last_crawl == crawl or page_url in listed))
    for records in same.values():
        if any(is_found for _, is_found in records):
            gone = [[number] for number, is_found in records if not is_found]
            transaction.executemany("DELETE FROM record_images WHERE record = ?", gone)
            transaction.executemany("DELETE FROM records WHERE id = ?", gone)


def rename_records(transaction: Transaction, fields: Fields) -> None:
    """Compute the keys and ranks of all records again, because the spider's fields have changed.

    If several records then have the same key, keep only the record that was checked last.
    """
    rows = transaction.execute("SELECT id, item, last_checked FROM records ORDER BY last_checked, id")
    transaction.execute("UPDATE records SET key = '#' || id")
    keys: dict[str, tuple[int, str]] = {}
    for number, text, _ in rows:
        item = json.loads(text)
        try:
            keys[fields.key_of(item)] = number, fields.rank_of(item)
        except ValueError:  # the item has none of the key fields
            keys[f"#{number}"] = number, fields.rank_of(item)
    kept = {number for number, _ in keys.values()}
    gone = [[number] for number, *_ in rows if number not in kept]
    transaction.executemany("DELETE FROM record_images WHERE record = ?", gone)
    transaction.executemany("DELETE FROM records WHERE id = ?", gone)
    values = [(key, rank, number) for key, (number, rank) in keys.items()]
    transaction.executemany("UPDATE records SET key = ?, rank = ? WHERE id = ?", values)
