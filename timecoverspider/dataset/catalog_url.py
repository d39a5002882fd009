"""Where a catalog can be."""

from pathlib import Path

from timecoverspider.dataset.database import Database
from timecoverspider.dataset.sqlite import SQLite
from timecoverspider.exceptions import DatasetError


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
