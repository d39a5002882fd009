"""PostgreSQL. This needs psycopg, and is imported only where CATALOG_URL asks for it."""

import re
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from timecoverspider.dataset.database import Database
from timecoverspider.exceptions import DatasetError

_AT_A_TIME = 1000  # rows


class PostgreSQL(Database):
    """A database of a PostgreSQL server, in which others may have tables as well."""

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
    """The URL as messages may show it. Raises DatasetError where a password could be among what is left."""
    with suppress(psycopg.Error):  # whose message quotes from the URL
        known = {"host": "", "port": "", "dbname": ""} | conninfo_to_dict(url)
        host, port, name = (f"{known[part]}" for part in ("host", "port", "dbname"))
        if "@" not in host + name and re.fullmatch(r"[\d,]*", port):
            return f"postgresql://{host}{port and ':'}{port}/{name}"
    raise DatasetError(
        "CATALOG_URL cannot be read: it must be postgresql://user:password@host:port/name, with %2F, %3A, %40 and %25 "
        "for / : @ % in a name or password"
    )
