"""The catalog alone: the same in SQLite and in PostgreSQL, and the same as earlier versions made it."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from timecoverspider.dataset.catalog import COMPLETE, Catalog, Cover
from timecoverspider.exceptions import CatalogError, DatasetError

TIME = "2026-11-23T08:37:27+00:00"

# What SQLAlchemy made of it, until it was replaced.
EARLIER = """
CREATE TABLE timecoverspider (schema_version {serial} NOT NULL, PRIMARY KEY (schema_version));
CREATE TABLE covers (
    page_url TEXT NOT NULL, title TEXT NOT NULL, pub_date TEXT NOT NULL, image_url TEXT NOT NULL, path TEXT NOT NULL,
    checksum TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL,
    etag TEXT NOT NULL, first_seen TEXT NOT NULL, last_checked TEXT NOT NULL, PRIMARY KEY (page_url)
);
CREATE TABLE crawls (
    id {serial} NOT NULL, archive TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, outcome TEXT,
    whole_walk BOOLEAN, known INTEGER, new INTEGER, failed INTEGER, requests INTEGER, PRIMARY KEY (id)
);
INSERT INTO timecoverspider (schema_version) VALUES (1);
INSERT INTO covers VALUES ('p', 't', '2014-03-10', 'i', 'full/i.jpg', 'c', 600, 790, 5, '', '{time}', '{time}');
INSERT INTO crawls (archive, started, ended, outcome, whole_walk) VALUES ('live', '{time}', '{time}', 'complete', {yes})
"""


def cover(page_url: str, *, pub_date: str = "2014-03-10", image_url: str = "i", title: str = "t") -> Cover:
    return Cover(page_url, title, pub_date, image_url, "full/i.jpg", "c", 600, 790, 5, "", TIME, TIME)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a catalog can be, and none is yet."""
    if request.param == "sqlite":
        return tmp_path / "with space, 50%, # and ?.db"
    url: str = request.getfixturevalue("database")
    return url


def tables(place: str | Path) -> set[str]:
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    with psycopg.connect(place) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_covers_are_newest_first_then_by_the_bytes_of_the_picture_url(place: str | Path) -> None:
    ordered = [cover("b", pub_date="2014-03-17")]
    ordered += [
        cover(page, image_url=url) for page, url in [("9", "A"), ("8", "Z"), ("7", "_"), ("5", "a"), ("6", "a")]
    ]
    ordered += [cover(f"{number:05}", pub_date="1923-03-03") for number in range(2500)]
    with closing(Catalog(place)) as catalog:
        catalog.save(ordered[::-1])
        assert list(catalog.covers()) == ordered
        assert catalog.count() == len(ordered)


def test_a_cover_that_comes_again_keeps_when_it_was_first_seen(place: str | Path) -> None:
    with closing(Catalog(place)) as catalog:
        catalog.save([cover("p"), cover("q")])
        changed = cover("p", title="What? 100 %s :p “é” \U0001f5de")._replace(bytes=7, last_checked="later")
        catalog.save(iter([changed._replace(first_seen="later")]))
        assert catalog.find("p") == changed
        assert catalog.find("q") == cover("q")
        assert catalog.find("r") is None


def test_covers_are_written_together_or_not_at_all(place: str | Path) -> None:
    with closing(Catalog(place)) as catalog:
        with pytest.raises(CatalogError, match=r"cannot use the catalog .*: [^\n]*title[^\n]*$"):
            catalog.save([cover("p"), cover("q")._replace(title=None)])  # type: ignore[arg-type]
        assert catalog.count() == 0
        catalog.save([cover("p")])
        assert catalog.count() == 1


def test_crawls_are_noted(place: str | Path) -> None:
    with closing(Catalog(place)) as catalog:
        assert (catalog.last_crawl_was_complete(), catalog.last_whole_walk()) == (False, None)
        for number, whole in enumerate([True, False], start=1):
            assert catalog.begin_crawl("live") == number
            assert not catalog.last_crawl_was_complete()
            catalog.end_crawl(number, outcome=COMPLETE, whole_walk=whole, known=1, new=2, failed=0, requests=3)
            assert catalog.last_crawl_was_complete()
            walk = catalog.last_whole_walk()
            assert walk
        assert walk == catalog.last_whole_walk()
        catalog.end_crawl(
            catalog.begin_crawl("live"), outcome="x", whole_walk=True, known=1, new=2, failed=1, requests=3
        )
        assert not catalog.last_crawl_was_complete()


def test_threads_do_not_get_in_each_others_way(place: str | Path) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            catalog.save([cover(f"{thread}/{number}"), cover(f"{thread}/{number}b")])
            assert catalog.find(f"{thread}/{number}b")

    with closing(Catalog(place)) as catalog:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert catalog.count() == 8 * 20 * 2


def test_an_earlier_catalog_is_used_on(place: str | Path) -> None:
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            connection.executescript(EARLIER.format(serial="INTEGER", time=TIME, yes=1))
    else:
        with psycopg.connect(place) as connection:
            connection.execute(EARLIER.format(serial="SERIAL", time=TIME, yes="true"))
    with closing(Catalog(place)) as catalog:
        assert list(catalog.covers()) == [cover("p")]
        assert catalog.last_crawl_was_complete()
        assert str(catalog.last_whole_walk()) == "2026-11-23 08:37:27+00:00"
        catalog.save([cover("p", title="u")])
        assert catalog.begin_crawl("live") == 2
    with closing(Catalog(place, create=False)) as catalog:
        assert catalog.find("p") == cover("p", title="u")


def test_nothing_is_made_where_that_is_not_allowed(place: str | Path) -> None:
    with pytest.raises(DatasetError):
        Catalog(place, create=False)
    assert place.exists() is False if isinstance(place, Path) else tables(place) == set()


def test_a_postgresql_database_can_be_shared_but_for_our_names(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs (x TEXT)")
        Catalog(database).close()
        assert tables(database) == {"theirs", "covers", "crawls", "timecoverspider"}
        connection.execute("DROP TABLE timecoverspider")
        with pytest.raises(DatasetError, match="is not a catalog of timecoverspider"):
            Catalog(database)
        assert tables(database) == {"theirs", "covers", "crawls"}


def test_urls_are_those_that_were_known_before(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (f"sqlite:///{tmp_path}/catalog.db", "sqlite:///catalog.db"):
        with closing(Catalog(url)) as catalog:
            catalog.begin_crawl("live")
    for scheme in ("postgresql+psycopg", "postgres"):
        with closing(Catalog(f"{scheme}{database.removeprefix('postgresql')}")) as catalog:
            catalog.begin_crawl("live")
    for place in (tmp_path / "catalog.db", database):
        with closing(Catalog(place, create=False)) as catalog:
            assert catalog.begin_crawl("live") == 3


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/x", "postgresql:u:secret", "secret", "sqlite://", "sqlite:///", "sqlite:////tmp/x?y=secret",
        "postgresql://u:se/secret@h/x", "postgresql://u:se@secret@h/x", "postgresql://u:secret", "postgresql://[::1:secret",
        "postgresql://u:%secret@h/x", "postgresql://u@127.0.0.1:1/x?password=secret", "postgres://u:secret@127.0.0.1:1",
        "sqlite:////no/such/folder/catalog.db",
    ],
)  # fmt: skip
def test_a_url_of_no_use_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(DatasetError, match=r"^(CATALOG_URL|cannot use the catalog) .*$") as raised:
        Catalog(url)
    assert "secret" not in str(raised.value)


def test_only_postgresql_needs_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "timecoverspider.dataset.postgresql", raising=False)
    Catalog(tmp_path / "catalog.db").close()
    with pytest.raises(DatasetError, match=r'pip install "psycopg\[binary\]"$'):
        Catalog("postgresql://h/x")
