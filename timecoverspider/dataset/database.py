"""SQL in transactions, whatever database it runs in. This has SQLite, and ``postgresql.py`` the other one."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from timecoverspider.exceptions import CatalogError, DatasetError

Row = tuple[Any, ...]

_PATIENCE = 60.0  # seconds that a transaction waits while somebody else reads or writes the same SQLite file


class Transaction:
    """What happens as a whole or not at all."""

    def __init__(self, database: "Database", cursor: Any) -> None:
        self._database, self._cursor = database, cursor

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run a statement, and give its rows."""
        self._cursor.execute(self._database.spell(sql), values)
        return list(self._cursor) if self._cursor.description else []

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement with the values of each row."""
        self._cursor.executemany(self._database.spell(sql), rows)


class Database(ABC):
    """A database, safe to use from several threads. Whatever it complains of is raised as CatalogError.

    SQL is written as PostgreSQL has it, with ``?`` for a value.
    """

    name: str  # for people, without a password
    shared: bool  # whether tables of others may stand in it
    tables: str  # the query for the names of its tables
    reading: str  # how a transaction begins, and how one that writes
    writing: str
    error: type[Exception]  # what its driver raises

    def __init__(self) -> None:
        self._lock = Lock()
        with self._complaints():
            self._connection = self._connect()

    @abstractmethod
    def _connect(self) -> Any:
        """A connection of the driver's that begins no transaction by itself."""

    @abstractmethod
    def _streaming_cursor(self, connection: Any) -> Any:
        """A cursor that fetches rows as they are needed."""

    @abstractmethod
    def spell(self, sql: str) -> str:
        """The SQL as this database, or its driver, wants it."""

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Transaction]:
        """Commit when the context ends, or roll back where it ends in an exception."""
        with self._lock, self._complaints(), closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(self.writing if write else self.reading)
                yield Transaction(self, cursor)
                self._connection.commit()
            except BaseException:
                with suppress(self.error):
                    self._connection.rollback()
                raise

    def stream(self, sql: str) -> Iterator[Row]:
        """The rows of a query as they stand when the first is asked for, on a connection of their own."""
        with self._complaints(), closing(self._connect()) as connection:
            connection.execute(self.reading)
            with closing(self._streaming_cursor(connection)) as cursor:
                yield from cursor.execute(self.spell(sql))

    def close(self) -> None:
        """Let go of it, when the transaction that is under way has ended."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except self.error as error:
            raise CatalogError(f"cannot use the catalog {self.name}: {' '.join(str(error).split())}") from error


class SQLite(Database):
    """A file of its own; with *create* off there must be one."""

    shared = False
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    reading, writing = "BEGIN", "BEGIN IMMEDIATE"
    error = sqlite3.Error

    def __init__(self, file: Path, *, create: bool) -> None:
        self.name = str(file.absolute())
        self._uri = f"{file.resolve().as_uri()}?mode={'rwc' if create else 'rw'}"
        super().__init__()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, _PATIENCE, uri=True, isolation_level=None, check_same_thread=False)

    def _streaming_cursor(self, connection: sqlite3.Connection) -> sqlite3.Cursor:
        return connection.cursor()

    def spell(self, sql: str) -> str:
        return sql.replace("SERIAL", "INTEGER").replace('COLLATE "C"', "COLLATE BINARY")


def open_database(place: str | Path, *, create: bool) -> Database:
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
        from timecoverspider.dataset.postgresql import PostgreSQL  # noqa: PLC0415 (not everybody has psycopg)
    except ImportError as error:
        raise DatasetError('CATALOG_URL needs psycopg: pip install "psycopg[binary]"') from error
    return PostgreSQL(f"postgresql://{rest}")


def is_corrupt(file: Path) -> bool:
    """Whether an SQLite file is there and cannot be read. One that is locked or forbidden is not corrupt."""
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.OperationalError:
        return False  # opening it will say so
    except sqlite3.DatabaseError:
        return True
