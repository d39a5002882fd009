"""What is already here: a row for each cover and each crawl, and the only state between crawls."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from timecoverspider.errors import DatasetError

SCHEMA_VERSION = 1

_METADATA = sa.MetaData()
_SCHEMA = sa.Table("timecoverspider", _METADATA, sa.Column("schema_version", sa.Integer, primary_key=True))
_COVERS = sa.Table(
    "covers",
    _METADATA,
    sa.Column("page_url", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("pub_date", sa.Text, nullable=False),  # year-month-day
    sa.Column("image_url", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),  # below FILES_STORE
    sa.Column("checksum", sa.Text, nullable=False),  # MD5
    sa.Column("width", sa.Integer, nullable=False),  # pixels
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),  # as the server sent it, or empty
    sa.Column("first_seen", sa.Text, nullable=False),  # UTC
    sa.Column("last_checked", sa.Text, nullable=False),
)
_CRAWLS = sa.Table(
    "crawls",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("archive", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("ended", sa.Text),  # empty while it runs, and for ever where it was killed
    sa.Column("outcome", sa.Text),
    sa.Column("whole_walk", sa.Boolean),  # whether it went through all listings
    sa.Column("known", sa.Integer),
    sa.Column("new", sa.Integer),
    sa.Column("failed", sa.Integer),
    sa.Column("requests", sa.Integer),
)
COMPLETE = "complete"


def now() -> str:
    """The time as the catalog writes it, e.g. ``2026-11-23T08:37:27+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Cover:
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


class Catalog:
    """The catalog at a database URL, SQLite or PostgreSQL. Safe to use from several threads."""

    def __init__(self, url: str | sa.URL, *, create: bool = True) -> None:
        """Open the catalog, or make an empty one where there is none and *create* allows it.

        Raises DatasetError where it is not ours, newer than this program, or out of reach; it is not changed then.
        """
        try:
            self._engine = sa.create_engine(url)
            self._prepare(create)
        except (SQLAlchemyError, ImportError) as error:
            raise DatasetError(f"cannot open the catalog {_shown(url)}: {cause(error)}") from error
        # Both dialects spell this alike, SQLAlchemy's core has no word for it.
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert

    def _prepare(self, create: bool) -> None:
        with self._engine.begin() as connection:
            if create and self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # which Python's driver leaves out before CREATE TABLE
            tables = set(sa.inspect(connection).get_table_names())
            if _SCHEMA.name in tables:
                version = connection.scalar(sa.select(sa.func.max(_SCHEMA.c.schema_version)))
                if version != SCHEMA_VERSION:
                    raise DatasetError(
                        f"the catalog {_shown(self._engine.url)} has schema version {version}, and this program "
                        f"knows {SCHEMA_VERSION}: use the program that made it"
                    )
                return
            if not create or tables & set(_METADATA.tables) or (tables and self._engine.dialect.name == "sqlite"):
                raise DatasetError(f"{_shown(self._engine.url)} is not a catalog of timecoverspider")
            _METADATA.create_all(connection)
            connection.execute(_SCHEMA.insert().values(schema_version=SCHEMA_VERSION))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def covers(self) -> Iterator[Cover]:
        """All covers, newest first, ties by picture URL, without holding them all in memory."""
        binary = "C" if self._engine.dialect.name == "postgresql" else "BINARY"
        order = (_COVERS.c.pub_date.desc(), sa.collate(_COVERS.c.image_url, binary), _COVERS.c.page_url)
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=1000).execute(sa.select(_COVERS).order_by(*order)):
                yield Cover(*row)

    def count(self) -> int:
        """The number of covers."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(_COVERS)) or 0

    def find(self, page_url: str) -> Cover | None:
        """The cover of a page, or None where it is not here."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_COVERS).where(_COVERS.c.page_url == page_url)).first()
        return Cover(*row) if row else None

    def save(self, covers: Iterable[Cover]) -> None:
        """Write covers in one transaction, in place of earlier rows, but for when those were first seen."""
        insert = self._insert(_COVERS)
        changed = {
            column.name: insert.excluded[column.name]
            for column in _COVERS.c
            if column.name not in ("page_url", "first_seen")
        }
        statement = insert.on_conflict_do_update(index_elements=[_COVERS.c.page_url], set_=changed)
        with self._engine.begin() as connection:
            connection.execute(statement, [asdict(cover) for cover in covers])

    def begin_crawl(self, archive: str) -> int:
        """Note that a crawl starts, and give the number of its row."""
        with self._engine.begin() as connection:
            key = connection.execute(_CRAWLS.insert().values(archive=archive, started=now())).inserted_primary_key
        assert key is not None  # noqa: S101 (both databases tell it)
        return int(key[0])

    def end_crawl(self, number: int, **values: Any) -> None:
        """Note how a crawl ended; the values are columns of its row."""
        with self._engine.begin() as connection:
            connection.execute(_CRAWLS.update().where(_CRAWLS.c.id == number).values(ended=now(), **values))

    def last_crawl_was_complete(self) -> bool:
        """Whether the latest crawl found the data set complete when it ended."""
        with self._engine.connect() as connection:
            latest = sa.select(_CRAWLS.c.outcome).order_by(_CRAWLS.c.id.desc()).limit(1)
            return connection.scalar(latest) == COMPLETE

    def last_whole_walk(self) -> datetime | None:
        """When the latest complete crawl that went through all listings ended."""
        with self._engine.connect() as connection:
            whole = (_CRAWLS.c.outcome == COMPLETE) & _CRAWLS.c.whole_walk
            ended = connection.scalar(sa.select(sa.func.max(_CRAWLS.c.ended)).where(whole))
        return datetime.fromisoformat(ended) if ended else None


def sqlite_url(file: Path, *, create: bool = True) -> sa.URL:
    """The database URL of a file; with *create* off, opening it fails where there is no such file."""
    mode = "rwc" if create else "rw"
    return sa.URL.create("sqlite", database=file.resolve().as_uri(), query={"mode": mode, "uri": "true"})


def cause(error: Exception) -> str:
    """What a database said was wrong, in one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _shown(url: str | sa.URL) -> str:
    """A database URL without its password; of SQLite just the file."""
    shown = sa.make_url(url)
    file = unquote((shown.database or "").removeprefix("file://")) if shown.drivername.startswith("sqlite") else ""
    return file or shown.render_as_string()


def set_aside_if_corrupt(path: Path) -> Path | None:
    """Rename an SQLite file that cannot be read, so that a new one can be made; gives its new name.

    Gives None where there is nothing wrong with it, or nothing there.
    """
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)
        try:
            if connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                return None
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return None  # locked, or not allowed: opening it will say so
    except sqlite3.DatabaseError:
        pass
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    path.rename(aside)
    return aside
