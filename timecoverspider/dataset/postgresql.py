"""PostgreSQL. Requires psycopg, and is imported only if CATALOG_URL is a PostgreSQL URL."""

import re
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from timecoverspider.dataset.database import Database
from timecoverspider.exceptions import DatasetError

_AT_A_TIME = 1000  # rows


class PostgreSQL(Database):
    """A database on a PostgreSQL server. Other programs can have tables in it."""

    shared = True
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    reading, writing = "BEGIN READ ONLY", "BEGIN READ WRITE"
    error = psycopg.Error

    def __init__(self, url: str) -> None:
        self._url, self.name = url, _without_password(url)
        super().__init__()

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, autocommit=True)

    def _streaming_cursor(self, connection: psycopg.Connection[Any]) -> psycopg.ServerCursor[Any]:
        cursor = connection.cursor("rows")
        cursor.itersize = _AT_A_TIME
        return cursor

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
