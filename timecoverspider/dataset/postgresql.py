"""PostgreSQL. Requires psycopg, and is imported only if CATALOG_URL is a PostgreSQL URL."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import Event, Thread
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from timecoverspider.dataset.database import Database
from timecoverspider.exceptions import DatasetError

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 30  # seconds
_NOTICE = 10  # seconds without an answer after which the log says what is waited for


class PostgreSQL(Database):
    """A database on a PostgreSQL server. Other programs can have tables in it."""

    shared = True
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    reading, writing = "BEGIN READ ONLY", "BEGIN READ WRITE"
    error = psycopg.Error

    def __init__(self, url: str) -> None:
        self._url, self.name = url, _without_password(url)
        self._connection: psycopg.Connection[Any] | None = None
        super().__init__()

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection and self._connection.closed:  # the server is gone; do not wait for it again
            raise psycopg.OperationalError("the connection is closed")
        timeout = conninfo_to_dict(self._url).get("connect_timeout", _CONNECT_TIMEOUT)
        return psycopg.connect(self._url, autocommit=True, connect_timeout=timeout)

    @contextmanager
    def _guard(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Close a connection if the server does not answer: psycopg waits for ever for a server that is frozen."""
        done = Event()
        watch = Thread(target=self._watch, args=(connection, done), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()

    def _watch(self, connection: psycopg.Connection[Any], done: Event) -> None:
        for seconds in count(1):
            if done.wait(1):
                return
            if seconds == _NOTICE:
                logger.warning("Waiting for the catalog %s: the server has not answered for %s s", self.name, seconds)
            if seconds >= self.patience:
                self._silence = seconds
                with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as link:
                    link.shutdown(socket.SHUT_RDWR)
                return

    def _streaming_cursor(self, connection: psycopg.Connection[Any]) -> psycopg.ServerCursor[Any]:
        return connection.cursor("rows")

    def spell(self, sql: str) -> str:
        return sql.replace("?", "%s")


def _without_password(url: str) -> str:
    """Return the URL without user name and password, for messages.

    Raises: DatasetError if the URL is invalid, or if the result could contain a password.
    """
    with suppress(psycopg.Error):  # not shown: its message quotes the URL
        known = {"host": "", "port": "", "dbname": ""} | conninfo_to_dict(url)
        host, port, name = (f"{known[part]}" for part in ("host", "port", "dbname"))
        if "@" not in host + name and re.fullmatch(r"[\d,]*", port):
            return f"postgresql://{host}{port and ':'}{port}/{name}"
    raise DatasetError(
        "CATALOG_URL is invalid: it must be postgresql://user:password@host:port/name; in a name or password, write "
        "/ : @ % as %2F %3A %40 %25"
    )
