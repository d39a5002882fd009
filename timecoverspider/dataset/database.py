"""SQL in transactions, whatever database runs it: ``sqlite.py`` or ``postgresql.py``."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Lock
from typing import Any

from timecoverspider.exceptions import CatalogError

Row = tuple[Any, ...]


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
