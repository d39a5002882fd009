"""SQL transactions, the same for ``sqlite.py`` and ``postgresql.py``."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Lock
from typing import Any

from timecoverspider.exceptions import CatalogError

Row = tuple[Any, ...]

_AT_A_TIME = 1000  # rows of a stream in memory


class Transaction:
    """A transaction: all of its statements take effect, or none."""

    def __init__(self, database: "Database", cursor: Any) -> None:
        self._database, self._cursor = database, cursor

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Execute a statement, and return its rows."""
        self._database.execute(self._cursor.execute, self._database.spell(sql), values)
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
        self.patience = 60.0  # seconds that a server may take for a transaction
        self._silence = 0  # seconds after which a server that did not answer was given up
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

    def execute(self, action: Callable[..., object], *arguments: Any) -> None:
        """Execute a statement, a commit or a rollback."""
        action(*arguments)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Transaction]:
        """Commit when the context ends, or roll back if it raises an exception."""
        connection = self._connection
        with self._lock, self._convert_errors(), self._guard(connection), closing(connection.cursor()) as cursor:
            try:
                self.execute(cursor.execute, self.writing if write else self.reading)
                yield Transaction(self, cursor)
                self.execute(connection.commit)
            except BaseException:
                with suppress(self.error):
                    connection.rollback()
                raise

    def stream(self, sql: str) -> Iterator[Row]:
        """Yield the rows of a query, on a separate connection, as of the time when the first row is read."""
        with self._convert_errors(), closing(self._connect()) as connection:
            with self._guard(connection):
                connection.execute(self.reading)
                cursor = self._streaming_cursor(connection)
                self.execute(cursor.execute, self.spell(sql))
            with closing(cursor):
                while True:
                    with self._guard(connection):
                        rows = cursor.fetchmany(_AT_A_TIME)
                    if not rows:
                        return
                    yield from rows

    def close(self) -> None:
        """Close the connection after the current transaction."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _guard(self, connection: Any) -> Iterator[None]:
        """Watch over a connection while the context lasts."""
        yield

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            yield
        except self.error as error:
            reason = f"the server has not answered for {self._silence} s" if self._silence else str(error)
            raise CatalogError(f"cannot use the catalog {self.name}: {' '.join(reason.split())}") from error
