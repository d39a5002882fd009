"""A catalog of an earlier version is read as it is, and migrated by the first crawl."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sample_dataset import TIME, record, save, table_names

from timecoverspider.dataset import migrations
from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.rows import Failure
from timecoverspider.dataset.tables import TABLES

# What version 1 made of two covers and a crawl.
VERSION_1 = """
CREATE TABLE timecoverspider (schema_version INTEGER NOT NULL, PRIMARY KEY (schema_version));
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
INSERT INTO covers VALUES ('p', 't', '2014-03-10', 'i', 'full/i.jpg', 'c', 600, 790, 5, '"e"', '{time}', '{time}');
INSERT INTO covers VALUES ('q', 'é', '1923-03-03', 'j', 'full/j.jpg', 'd', 400, 527, 6, '', '{time}', '{time}');
INSERT INTO crawls (archive, started, ended, outcome, whole_walk, known, new, failed, requests)
VALUES ('live', '{time}', '{time}', 'complete', {yes}, 0, 2, 0, 7)
"""


def make_version_1(place: str | Path) -> None:
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            connection.executescript(VERSION_1.format(serial="INTEGER", time=TIME, yes=1))
    else:
        with psycopg.connect(place) as connection:
            connection.execute(VERSION_1.format(serial="SERIAL", time=TIME, yes="true"))


def contents(catalog: Catalog) -> object:
    return (
        sorted(catalog.files()), sorted(catalog.stored_pages()), catalog.find_image("full/j.jpg"),
        len(catalog.records_with(["full/i.jpg"])["full/i.jpg"][1]),
        list(catalog.records()), list(catalog.images()), list(catalog.pages()), catalog.crawls(), catalog.count(),
        catalog.feeds(), catalog.spider, catalog.fields, sorted(catalog.dates()), catalog.count_bytes(),
    )  # fmt: skip


def test_catalog_of_version_1_is_read_as_it_is_and_migrated_when_written(place: str | Path) -> None:
    make_version_1(place)
    with closing(Catalog(place)) as catalog:
        before = contents(catalog)
        assert catalog.shared_images() == set()
    assert "covers" in table_names(place)  # only a crawl migrates
    with closing(Catalog(place, write=True)) as catalog:
        assert contents(catalog) == before
        assert list(catalog.records())[1].item == {
            "title": "é", "pubDate": "1923-03-03", "file_urls": ["j"],
            "files": [{"url": "j", "path": "full/j.jpg", "checksum": "d"}],
        }  # fmt: skip
        assert set(catalog.stored_pages()) == {("p", True, TIME), ("q", True, TIME)}
        assert catalog.last_crawl_was_complete()
        assert str(catalog.last_complete_walk()) == "2026-11-23 08:37:27+00:00"
        catalog.describe(catalog.spider, catalog.fields)
        assert catalog.begin_crawl("covers", "live") == 2
        again = next(iter(catalog.records()))._replace(page_url="p?v=2")
        assert catalog.save(records=[again], crawl=2) == [False]
    assert table_names(place) == set(TABLES)
    with closing(Catalog(place)) as catalog:
        assert [record.page_url for record in catalog.records()] == ["p?v=2", "q"]


def make_version_2(place: str | Path) -> None:
    """Make a catalog with a failed page, as version 2 did: without the table page_requests."""
    with closing(Catalog(place, write=True)) as catalog:
        save(catalog, record("p"))
        catalog.save(failures={"q": "HTTP 404"})
    for statement in ("DROP TABLE page_requests", "UPDATE timecoverspider SET schema_version = 2"):
        if isinstance(place, Path):
            with closing(sqlite3.connect(place)) as connection, connection:
                connection.execute(statement)
        else:
            with psycopg.connect(place) as server:
                server.execute(statement)


def test_catalog_of_version_2_is_read_as_it_is_and_migrated_when_written(place: str | Path) -> None:
    make_version_2(place)
    with closing(Catalog(place)) as reader:
        assert reader.failures() == [Failure("q", "HTTP 404")]
        before = contents(reader)
        assert "page_requests" not in table_names(place)  # only a crawl migrates
        with closing(Catalog(place, write=True)) as catalog:
            assert contents(catalog) == before
            assert catalog.failures() == [Failure("q", "HTTP 404")]
            catalog.save(failures={"q": "HTTP 404"}, requests={"q": "{}"})
            assert catalog.failures() == [Failure("q", "HTTP 404", "", "{}")]
        assert reader.failures() == [Failure("q", "HTTP 404")]
    assert table_names(place) == set(TABLES)


def test_reader_of_version_1_goes_on_after_a_migration(place: str | Path) -> None:
    make_version_1(place)
    with closing(Catalog(place)) as reader:
        records = reader.records()
        next(records)  # and reads the rest after the migration
        before = contents(reader)
        Catalog(place, write=True).close()
        assert contents(reader) == before


def test_migration_that_fails_leaves_version_1(place: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_version_1(place)
    with closing(Catalog(place)) as catalog:
        before = contents(catalog)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "save_pages", lambda *_: 1 / 0)  # after records and images have been written
        with pytest.raises(ZeroDivisionError):
            Catalog(place, write=True)
    assert "covers" in table_names(place)
    with closing(Catalog(place)) as catalog:
        assert contents(catalog) == before
