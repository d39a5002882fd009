"""What is already here: a row for each cover and each crawl, and the only state between crawls."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from timecoverspider.dataset.database import Database, SQLite
from timecoverspider.exceptions import DatasetError

SCHEMA_VERSION = 1
COMPLETE = "complete"

_TABLES = {
    "timecoverspider": """
CREATE TABLE timecoverspider (
    schema_version INTEGER NOT NULL PRIMARY KEY
)""",
    "covers": """
CREATE TABLE covers (
    page_url TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    pub_date TEXT NOT NULL,      -- year-month-day
    image_url TEXT NOT NULL,
    path TEXT NOT NULL,          -- below FILES_STORE
    checksum TEXT NOT NULL,      -- MD5
    width INTEGER NOT NULL,      -- pixels
    height INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    etag TEXT NOT NULL,          -- as the server sent it, or empty
    first_seen TEXT NOT NULL,    -- UTC
    last_checked TEXT NOT NULL
)""",
    "crawls": """
CREATE TABLE crawls (
    id SERIAL NOT NULL PRIMARY KEY,
    archive TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,                  -- empty while it runs, and for ever where it was killed
    outcome TEXT,
    whole_walk BOOLEAN,          -- whether it went through all listings
    known INTEGER,
    new INTEGER,
    failed INTEGER,
    requests INTEGER
)""",
}


class Cover(NamedTuple):
    """A row of the catalog: a cover whose picture is stored. The columns say what each field is."""

    page_url: str
    title: str
    pub_date: str
    image_url: str
    path: str
    checksum: str
    width: int
    height: int
    bytes: int
    etag: str
    first_seen: str
    last_checked: str


_COLUMNS = ", ".join(Cover._fields)
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in Cover._fields if name not in ("page_url", "first_seen"))
_SELECT = f"SELECT {_COLUMNS} FROM covers"  # noqa: S608 (nothing from outside)
_SAVE = (
    f"INSERT INTO covers ({_COLUMNS}) VALUES ({', '.join('?' * len(Cover._fields))}) "  # noqa: S608
    f"ON CONFLICT (page_url) DO UPDATE SET {_CHANGED}"
)


def now() -> str:
    """The time as the catalog writes it, e.g. ``2026-11-23T08:37:27+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Catalog:
    """The catalog in an SQLite file, or at the URL of a database. Safe to use from several threads.

    All methods raise CatalogError where the database cannot be used.
    """

    def __init__(self, place: str | Path, *, create: bool = True) -> None:
        """Open the catalog, or make an empty one where there is none and *create* allows it.

        Raises DatasetError where it is not ours, newer than this program, or out of reach; it is not changed then.
        """
        self._database = _database(place, create=create)
        try:
            self._prepare(create)
        except DatasetError:
            self.close()
            raise

    def _prepare(self, create: bool) -> None:
        with self._database.transaction(write=create) as transaction:
            tables = {name for (name,) in transaction.execute(self._database.tables)}
            if "timecoverspider" in tables:
                [(version,)] = transaction.execute("SELECT max(schema_version) FROM timecoverspider")
                if version != SCHEMA_VERSION:
                    raise DatasetError(
                        f"the catalog {self._database.name} has schema version {version}, and this program "
                        f"knows {SCHEMA_VERSION}: use the program that made it"
                    )
                return
            if not create or tables & set(_TABLES) or (tables and not self._database.shared):
                raise DatasetError(f"{self._database.name} is not a catalog of timecoverspider")
            for table in _TABLES.values():
                transaction.execute(table)
            transaction.execute("INSERT INTO timecoverspider (schema_version) VALUES (?)", [SCHEMA_VERSION])

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def covers(self) -> Iterator[Cover]:
        """All covers, newest first, ties by picture URL, without holding them all in memory."""
        order = 'ORDER BY pub_date DESC, image_url COLLATE "C", page_url'
        return map(Cover._make, self._database.stream(f"{_SELECT} {order}"))

    def count(self) -> int:
        """The number of covers."""
        with self._database.transaction() as transaction:
            [(number,)] = transaction.execute("SELECT count(*) FROM covers")
        return int(number)

    def find(self, page_url: str) -> Cover | None:
        """The cover of a page, or None where it is not here."""
        with self._database.transaction() as transaction:
            rows = transaction.execute(f"{_SELECT} WHERE page_url = ?", [page_url])
        return Cover._make(rows[0]) if rows else None

    def save(self, covers: Iterable[Cover]) -> None:
        """Write covers in one transaction, in place of earlier rows, but for when those were first seen."""
        with self._database.transaction(write=True) as transaction:
            transaction.executemany(_SAVE, covers)

    def begin_crawl(self, archive: str) -> int:
        """Note that a crawl starts, and give the number of its row."""
        with self._database.transaction(write=True) as transaction:
            [(number,)] = transaction.execute(
                "INSERT INTO crawls (archive, started) VALUES (?, ?) RETURNING id", [archive, now()]
            )
        return int(number)

    def end_crawl(
        self, number: int, *, outcome: str, whole_walk: bool, known: int, new: int, failed: int, requests: int
    ) -> None:
        """Note how a crawl ended."""
        with self._database.transaction(write=True) as transaction:
            transaction.execute(
                "UPDATE crawls SET ended = ?, outcome = ?, whole_walk = ?, known = ?, new = ?, failed = ?, "
                "requests = ? WHERE id = ?",
                [now(), outcome, whole_walk, known, new, failed, requests, number],
            )

    def last_crawl_was_complete(self) -> bool:
        """Whether the latest crawl found the data set complete when it ended."""
        with self._database.transaction() as transaction:
            return transaction.execute("SELECT outcome FROM crawls ORDER BY id DESC LIMIT 1") == [(COMPLETE,)]

    def last_whole_walk(self) -> datetime | None:
        """When the latest complete crawl that went through all listings ended."""
        with self._database.transaction() as transaction:
            [(ended,)] = transaction.execute(
                "SELECT max(ended) FROM crawls WHERE outcome = ? AND whole_walk", [COMPLETE]
            )
        return datetime.fromisoformat(ended) if ended else None


def _database(place: str | Path, *, create: bool) -> Database:
    """The database at a place that CATALOG_URL can name, or in a file. Raises DatasetError."""
    if isinstance(place, Path):
        return SQLite(place, create=create)
    scheme, _, rest = place.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/" and "?" not in rest:
        return SQLite(Path(rest[1:]), create=create)
    if scheme not in ("postgresql", "postgresql+psycopg", "postgres"):
        raise DatasetError(
            "CATALOG_URL must be postgresql://user:password@host:port/name, sqlite:////absolute/path, "
            "sqlite:///relative/path, or empty"
        )
    try:
        from timecoverspider.dataset.postgresql import PostgreSQL  # noqa: PLC0415 (not everybody has psycopg, nor needs it)
    except ImportError as error:
        raise DatasetError('CATALOG_URL needs psycopg: pip install "psycopg[binary]"') from error
    return PostgreSQL(f"postgresql://{rest}")
