"""SQLite: a catalog in a file."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from timecoverspider.dataset.database import Database

logger = logging.getLogger(__name__)

_BUSY_TIMEOUT = 1.0  # seconds that SQLite waits for other transactions on the same file, before execute() waits on
_NOTICE = 10  # seconds after which the log says what is waited for


class SQLite(Database):
    """A database in a file. If *create* is false, the file must exist."""

    shared = False
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    reading, writing = "BEGIN", "BEGIN IMMEDIATE"
    error = sqlite3.Error

    def __init__(self, file: Path, *, create: bool) -> None:
        self.name = str(file.absolute())
        self._uri = f"{file.resolve().as_uri()}?mode={'rwc' if create else 'rw'}"
        super().__init__()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, _BUSY_TIMEOUT, uri=True, isolation_level=None, check_same_thread=False)

    def _streaming_cursor(self, connection: sqlite3.Connection) -> sqlite3.Cursor:
        return connection.cursor()

    def execute(self, action: Callable[..., object], *arguments: Any) -> None:
        """Execute a statement or a commit, and again if another program has locked the file: nothing changed then."""
        for seconds in count(1):
            try:
                action(*arguments)
            except sqlite3.OperationalError as error:
                if (
                    error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                    or seconds >= self.patience
                ):
                    raise
                if seconds == _NOTICE:
                    logger.warning("Waiting for the catalog %s: another program has locked it", self.name)
            else:
                return

    def spell(self, sql: str) -> str:
        return sql.replace("SERIAL", "INTEGER").replace('COLLATE "C"', "COLLATE BINARY")


def is_corrupt(file: Path) -> bool:
    """Return whether an SQLite file exists and is corrupt. A locked or unreadable file is not corrupt."""
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", 60, uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.OperationalError:
        return False  # SQLite.__init__ reports this error later
    except sqlite3.DatabaseError:
        return True
