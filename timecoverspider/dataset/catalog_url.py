"""Open the database of a catalog by the setting CATALOG_URL."""

from pathlib import Path

from timecoverspider.dataset.database import Database
from timecoverspider.dataset.sqlite import SQLite
from timecoverspider.exceptions import DatasetError


def open_database(place: str | Path, *, create: bool) -> Database:
    """Return the database in the file *place*, or at the URL *place*.

    Raises: DatasetError if the URL is invalid, psycopg is not installed, or the database cannot be opened.
    """
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
        from timecoverspider.dataset.postgresql import PostgreSQL  # noqa: PLC0415 (psycopg is optional)
    except ImportError as error:
        raise DatasetError('CATALOG_URL requires psycopg: pip install "psycopg[binary]"') from error
    return PostgreSQL(f"postgresql://{rest}")
