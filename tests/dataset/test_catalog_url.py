"""Where a catalog can be."""

import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sample_dataset import table_names

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.tables import TABLES
from timecoverspider.exceptions import DatasetError


def test_postgresql_database_is_shared_unless_a_table_has_our_name(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs (x TEXT)")
        Catalog(database, write=True).close()
        assert table_names(database) == {"theirs", *TABLES}
        connection.execute("DROP TABLE timecoverspider")
        with pytest.raises(DatasetError, match="not a catalog"):
            Catalog(database, write=True)
        assert table_names(database) == {"theirs", *TABLES} - {"timecoverspider"}


def test_url_of_each_scheme_opens_the_same_catalog(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (f"sqlite:///{tmp_path}/catalog.db", "sqlite:///catalog.db"):
        with closing(Catalog(url, write=True)) as catalog:
            catalog.begin_crawl("covers", "live")
    for scheme in ("postgresql+psycopg", "postgres"):
        with closing(Catalog(f"{scheme}{database.removeprefix('postgresql')}", write=True)) as catalog:
            catalog.begin_crawl("covers", "live")
    for place in (tmp_path / "catalog.db", database):
        with closing(Catalog(place, write=True)) as catalog:
            assert catalog.begin_crawl("covers", "live") == 3


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/x", "postgresql:u:secret", "secret", "sqlite://", "sqlite:///", "sqlite:////tmp/x?y=secret",
        "postgresql://u:se/secret@h/x", "postgresql://u:se@secret@h/x", "postgresql://u:secret", "postgresql://[::1:secret",
        "postgresql://u:%secret@h/x", "postgresql://u@127.0.0.1:1/x?password=secret", "postgres://u:secret@127.0.0.1:1",
        "sqlite:////no/such/folder/catalog.db",
    ],
)  # fmt: skip
def test_unusable_url_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(DatasetError) as raised:
        Catalog(url, write=True)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_psycopg_is_needed_for_postgresql_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "timecoverspider.dataset.postgresql", raising=False)
    Catalog(tmp_path / "catalog.db", write=True).close()
    with pytest.raises(DatasetError, match=r'pip install "psycopg\[binary\]"$'):
        Catalog("postgresql://h/x", write=True)
