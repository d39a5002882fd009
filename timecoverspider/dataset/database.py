"""SQL transactions, the same for ``sqlite.py`` and ``postgresql.py``."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Lock
from typing import Any

from timecoverspider.exceptions import CatalogError

Row = tuple[Any, ...]


class Transaction:
    """A transaction: all of its statements take effect, or none."""

    def __init__(self, database: "Database", cursor: Any) -> None:
        self._database, self._cursor = database, cursor

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Execute a statement, and return its rows."""
        self._cursor.execute(self._database.spell(sql), values)
        return list(self._cursor) if self._cursor.description else []

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement once for each row of values."""
        self._cursor.executemany(self._database.spell(sql), rows)


class Database(ABC):
    """A database that several threads can use. SQL has PostgreSQL's syntax, with ``?`` for each value.

    Raises: CatalogError, from all methods, for each error of the driver.
    """

    name: str  # for messages, without a password
    shared: bool  # whether other programs can have tables in this database
    tables: str  # the query for the names of all tables
    reading: str  # the statement that begins a transaction for reading
    writing: str  # the statement that begins a transaction for writing
    error: type[Exception]  # the base class of the driver's exceptions

    def __init__(self) -> None:
        self._lock = Lock()
        with self._convert_errors():
            self._connection = self._connect()

    @abstractmethod
    def _connect(self) -> Any:
        """Return a connection of the driver, in autocommit mode."""

    @abstractmethod
    def _streaming_cursor(self, connection: Any) -> Any:
        """Return a cursor that does not load all rows at once."""

    @abstractmethod
    def spell(self, sql: str) -> str:
        """Return the SQL in the syntax of this database and its driver."""

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Transaction]:
        """Commit when the context ends, or roll back if it raises an exception."""
        with self._lock, self._convert_errors(), closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(self.writing if write else self.reading)
                yield Transaction(self, cursor)
                self._connection.commit()
            except BaseException:
                with suppress(self.error):
                    self._connection.rollback()
                raise

    def stream(self, sql: str) -> Iterator[Row]:
        """Yield the rows of a query, on a separate connection, as of the time when the first row is read."""
        with self._convert_errors(), closing(self._connect()) as connection:
            connection.execute(self.reading)
            with closing(self._streaming_cursor(connection)) as cursor:
                yield from cursor.execute(self.spell(sql))

    def close(self) -> None:
        """Close the connection after the current transaction."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            yield
        except self.error as error:
            raise CatalogError(f"cannot use the catalog {self.name}: {' '.join(str(error).split())}") from error
