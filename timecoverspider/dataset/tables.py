"""The tables of the catalog in SQL, and how rows are written to them inside a transaction."""

import json
import re
from collections.abc import Collection, Iterable, Mapping

from timecoverspider.dataset.database import Transaction
from timecoverspider.dataset.rows import Fields, Image, Page, Record, to_json

VERSION = 2

TABLES = {
    "timecoverspider": """
CREATE TABLE timecoverspider (
    schema_version INTEGER NOT NULL PRIMARY KEY
)""",
    # What the data set is: its spider, and what the fields of its items mean.
    "dataset": """
CREATE TABLE dataset (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
)""",
    "pages": """
CREATE TABLE pages (
    url TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    records INTEGER NOT NULL,    -- that it yielded when it was last read
    requests INTEGER NOT NULL,   -- likewise
    last_read TEXT NOT NULL,     -- UTC, or empty if it never could be read
    failure TEXT NOT NULL,       -- why it could not be had by the last crawl that tried, or empty
    accepted TEXT NOT NULL       -- the failure that a person has accepted, or empty
)""",
    "records": """
CREATE TABLE records (
    id SERIAL NOT NULL PRIMARY KEY,
    key TEXT COLLATE "C" NOT NULL UNIQUE,  -- JSON: what makes it another record
    item TEXT NOT NULL,          -- JSON: the item as it left the last pipeline
    rank TEXT COLLATE "C" NOT NULL,  -- what feeds are ordered by, the greatest first
    page_url TEXT COLLATE "C" NOT NULL,
    crawl INTEGER NOT NULL,      -- the latest that yielded it
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
    etag TEXT NOT NULL,          -- as the server sent it, or empty
    last_modified TEXT NOT NULL, -- likewise
    stored TEXT NOT NULL,        -- UTC
    last_checked TEXT NOT NULL,
    source TEXT NOT NULL         -- the URL of the copy that it came from, or empty if that is url
)""",
    "record_images": """
CREATE TABLE record_images (
    record INTEGER NOT NULL,     -- id
    number INTEGER NOT NULL,     -- 0 is the first
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
    since TEXT NOT NULL,         -- the range of dates that it was asked for, or empty
    until TEXT NOT NULL,
    started TEXT NOT NULL,       -- UTC
    ended TEXT,                  -- empty while it runs, and for ever if it was killed
    outcome TEXT,
    complete_walk BOOLEAN,       -- whether it went through all listings
    cut_by TEXT NOT NULL,        -- the limit that ended it early, or empty
    stated INTEGER,              -- how many records the site says that it has
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


_NUMBER = re.compile(r" \d+$")  # behind the key of further records with the same images
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
_RECORD = ("key", "item", "rank", "page_url", "crawl", "first_seen", "last_checked")
_ADD_RECORD = f"INSERT INTO records ({', '.join(_RECORD)}) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"  # noqa: S608
_CHANGE_RECORD = (
    "UPDATE records SET item = ?, rank = ?, page_url = ?, crawl = ?, last_checked = ? WHERE id = ?"  # not first_seen
)


def create_tables(transaction: Transaction) -> None:
    """Make all tables in a database that has none of them."""
    for table in TABLES.values():
        transaction.execute(table)
    transaction.execute("INSERT INTO timecoverspider (schema_version) VALUES (?)", [VERSION])


def save_facts(transaction: Transaction, facts: Mapping[str, str]) -> None:
    """Write what the data set is."""
    transaction.executemany(_SAVE_FACT, facts.items())


def save_images(transaction: Transaction, images: Iterable[Image]) -> None:
    """Write images in place of those with the same path."""
    transaction.executemany(_SAVE_IMAGE, images)


def save_pages(transaction: Transaction, pages: Iterable[Page]) -> None:
    """Write pages that were read in place of those with the same URL."""
    transaction.executemany(_SAVE_PAGE, pages)


def save_failures(transaction: Transaction, failures: Iterable[tuple[str, str]]) -> None:
    """Write why pages could not be had: pairs of URL and reason. What was read of them earlier stays."""
    transaction.executemany(_SAVE_FAILURE, failures)


def save_record(transaction: Transaction, record: Record, fields: Fields, crawl: int) -> bool:
    """Write a record in place of the same one, but for when that was first seen; tell whether it is new."""
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
    """The key under which a record is stored, and the id of the same one, or None if it is new.

    If the spider names key fields, the same values are the same record. Otherwise several records may have the same
    image URLs, as where a placeholder stands for many images: a number tells them apart, and the one of the same page
    is the same record, unless this crawl has yielded it already.
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
    """Delete records whose page has another URL now: another record has their images, and no page leads to theirs.

    *listed* are the pages that a crawl of all listings has met.
    """
    same: dict[str, list[tuple[int, bool]]] = {}
    for number, key, page_url, last_crawl in transaction.execute("SELECT id, key, page_url, crawl FROM records"):
        same.setdefault(_NUMBER.sub("", key), []).append((number, last_crawl == crawl or page_url in listed))
    for records in same.values():
        if any(is_met for _, is_met in records):
            gone = [[number] for number, is_met in records if not is_met]
            transaction.executemany("DELETE FROM record_images WHERE record = ?", gone)
            transaction.executemany("DELETE FROM records WHERE id = ?", gone)


def rename_records(transaction: Transaction, fields: Fields) -> None:
    """Compute the keys and ranks of all records again, because the spider names other fields now.

    Of records that have the same key then, the one that was read last stays.
    """
    rows = transaction.execute("SELECT id, item, last_checked FROM records ORDER BY last_checked, id")
    transaction.execute("UPDATE records SET key = '#' || id")
    keys: dict[str, tuple[int, str]] = {}
    for number, text, _ in rows:
        item = json.loads(text)
        try:
            keys[fields.key_of(item)] = number, fields.rank_of(item)
        except ValueError:  # it has none of the fields
            keys[f"#{number}"] = number, fields.rank_of(item)
    kept = {number for number, _ in keys.values()}
    gone = [[number] for number, *_ in rows if number not in kept]
    transaction.executemany("DELETE FROM record_images WHERE record = ?", gone)
    transaction.executemany("DELETE FROM records WHERE id = ?", gone)
    values = [(key, rank, number) for key, (number, rank) in keys.items()]
    transaction.executemany("UPDATE records SET key = ?, rank = ? WHERE id = ?", values)
