"""The catalog alone: the same in SQLite and in PostgreSQL, and the same as earlier versions made it."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from timecoverspider.dataset import migrations
from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.rows import Feed, Fields, Image, Page, Record
from timecoverspider.dataset.tables import TABLES
from timecoverspider.exceptions import COMPLETE, CatalogError, DatasetError

TIME = "2026-11-23T08:37:27+00:00"

# What version 1 made of it.
EARLIER = """
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
COVERS = Fields(key=("pubDate", "file_urls"), order="pubDate")


def image(url: str = "i", checksum: str = "c") -> Image:
    return Image(f"full/{url}.jpg", url, checksum, 600, 790, 5, '"e"', "", TIME, TIME, "")


def record(
    page_url: str,
    *,
    date: str = "2014-03-10",
    urls: tuple[str, ...] = ("i",),
    title: str = "t",
    fields: Fields = COVERS,
) -> Record:
    files = [{"url": url, "path": f"full/{url}.jpg", "checksum": "c"} for url in urls]
    item = {"title": title, "pubDate": date, "file_urls": list(urls), "files": files}
    return Record(fields.key_of(item), item, page_url, TIME, TIME, tuple(map(image, urls)))


def save(catalog: Catalog, *records: Record, crawl: int = 1) -> list[bool]:
    images = {image.path: image for record in records for image in record.images}
    return catalog.save(records=records, images=images.values(), crawl=crawl)


def pages(catalog: Catalog) -> list[str]:
    return [record.page_url for record in catalog.records()]


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


def test_records_come_in_the_order_of_the_named_field_then_of_their_pages(place: str | Path) -> None:
    ordered = [record("b", date="2014-03-17")]
    ordered += [record(page, urls=(page,)) for page in ["5", "A", "Z", "_", "a"]]
    ordered += [record(f"{number:05}", date="1923-03-03", urls=(str(number),)) for number in range(1200)]
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        assert save(catalog, *ordered[::-1]) == [True] * len(ordered)
        assert list(catalog.records()) == ordered
        assert catalog.count() == len(ordered)
        assert [page.path for page in catalog.images()] == sorted({i.path for r in ordered for i in r.images})
        assert dict(catalog.sizes()).keys() == {i.path for r in ordered for i in r.images}


def test_without_a_named_field_records_come_in_the_order_of_their_pages(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        plain = Fields()
        save(catalog, record("z", urls=("1",), fields=plain), record("a", urls=("3", "2"), fields=plain))
        assert pages(catalog) == ["a", "z"]
        assert [image.url for image in next(iter(catalog.records())).images] == ["3", "2"]


def test_a_record_that_comes_again_keeps_when_it_was_first_seen(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        save(catalog, record("p"), record("q", date="2014-01-01"))
        changed = record("p", title="What? 100 %s :p “é” \U0001f5de")._replace(first_seen="later", last_checked="later")
        assert save(catalog, changed, crawl=2) == [False]
        assert next(iter(catalog.records())) == changed._replace(first_seen=TIME)
        assert catalog.count() == 2


def test_the_same_key_is_the_same_record_whatever_its_page(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        assert save(catalog, record("old?v=1"), record("new?v=2")) == [True, False]
        assert pages(catalog) == ["new?v=2"]


def test_without_key_fields_the_same_images_are_one_record_for_each_page(place: str | Path) -> None:
    first, other = (record("a", fields=Fields()), record("b", title="u", fields=Fields()))
    with closing(Catalog(place, write=True)) as catalog:
        assert save(catalog, first, other) == [True, True]  # one crawl yields both: a placeholder
        for crawl, order in enumerate([[other, first], [first, other]], start=2):
            assert save(catalog, *order, crawl=crawl) == [False, False]
            assert [(r.page_url, r.item["title"]) for r in catalog.records()] == [("a", "t"), ("b", "u")]
        assert save(catalog, record("c", fields=Fields()), crawl=4) == [True]  # nothing is replaced by it
        catalog.forget_moved(4, {"a", "b", "c"})
        assert pages(catalog) == ["a", "b", "c"]


def test_a_record_that_moved_is_forgotten_when_no_page_leads_to_its_old_one(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        save(catalog, record("a", fields=Fields()), record("b", urls=("j",), fields=Fields()))
        assert save(catalog, record("a?v=2", fields=Fields()), crawl=2) == [True]
        catalog.forget_moved(2, {"a?v=2"})  # and not b, whose images no other record has
        assert pages(catalog) == ["a?v=2", "b"]
        assert save(catalog, record("a?v=3", fields=Fields()), record("a?v=4", fields=Fields()), crawl=3) == [
            True,
            True,
        ]
        catalog.forget_moved(3, {"a?v=3", "a?v=4"})
        assert pages(catalog) == ["a?v=3", "a?v=4", "b"]


def test_records_get_new_keys_and_ranks_if_the_spider_names_other_fields(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        plain = [
            record(page, date=date, fields=Fields()) for page, date in [("a", "2001"), ("b", "2003"), ("c", "2003")]
        ]
        save(catalog, *plain)
        assert pages(catalog) == ["a", "b", "c"]
        catalog.describe("covers", COVERS)
        assert pages(catalog) == ["c", "a"]  # newest first, and b was the same cover
        assert save(catalog, record("d", date="2001"), crawl=2) == [False]
        assert pages(catalog) == ["c", "d"]


def test_a_checksum_is_that_of_the_image_for_all_its_records(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        save(catalog, record("p"), record("q", date="2014-01-01"))
        catalog.save(images=[image(checksum="new")])
        assert [record.item["files"][0]["checksum"] for record in catalog.records()] == ["new", "new"]
        assert catalog.find_image("full/i.jpg") == image(checksum="new")
        [(_, owners)] = catalog.records_with(["full/i.jpg", "full/none.jpg"]).values()
        assert sorted(owners.values()) == ["p", "q"]


def test_rows_are_written_together_or_not_at_all(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        broken = record("q", date="2013-01-01")._replace(page_url=None)  # type: ignore[arg-type]
        with pytest.raises(CatalogError, match=r"cannot use the catalog .*: [^\n]*page_url[^\n]*$"):
            catalog.save(records=[record("p"), broken], images=[image()], pages=[Page("p", 1, 0, TIME)])
        assert (catalog.count(), list(catalog.images()), list(catalog.pages())) == (0, [], [])
        save(catalog, record("p"))
        assert catalog.count() == 1


def test_pages_of_one_record_are_known_and_failures_are_remembered(place: str | Path) -> None:
    read = [Page("p", 1, 0, TIME), Page("listing", 0, 15, TIME), Page("many", 2, 0, TIME), Page("gone", 1, 0, TIME)]
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        catalog.save(records=[record("p"), record("many", date="2014-01-01")], images=[image()], pages=read)
        assert list(catalog.stored_pages()) == ["p"]
        catalog.save(failures={"p": "HTTP 503", "new": "HTTP 404"})
        failures = {page.url: (page.records, page.failure) for page in catalog.pages() if page.failure}
        assert failures == {"p": (1, "HTTP 503"), "new": (0, "HTTP 404")}
        catalog.save(pages=[Page("new", 1, 0, TIME)])
        assert [page.url for page in catalog.pages() if page.failure] == ["p"]


def test_feeds_are_known_until_the_next_one_has_its_name(place: str | Path) -> None:
    old, new = (Feed("/output.json", digit * 64, 40, TIME) for digit in "12")
    with closing(Catalog(place, write=True)) as catalog:
        for feed in (old, new, new):
            catalog.save_feed(feed)
        assert sorted(catalog.feeds()) == [old, new]
        catalog.forget_feeds(new)
        assert catalog.feeds() == [new]


def test_crawls_are_noted(place: str | Path) -> None:
    figures = {"cut_by": "", "known": 1, "new": 2, "failed": 0, "requests": 3}
    with closing(Catalog(place, write=True)) as catalog:
        assert (catalog.last_crawl_was_complete(), catalog.last_complete_walk()) == (False, None)
        for number, whole in enumerate([True, False], start=1):
            assert catalog.begin_crawl("covers", "live") == number
            assert not catalog.last_crawl_was_complete()
            catalog.end_crawl(number, outcome=COMPLETE, complete_walk=whole, **figures)
            assert catalog.last_crawl_was_complete()
            walk = catalog.last_complete_walk()
            assert walk
        assert walk == catalog.last_complete_walk()
        number = catalog.begin_crawl("covers", "live")
        catalog.end_crawl(number, outcome="x", complete_walk=True, **figures)
        assert not catalog.last_crawl_was_complete()
        assert [(crawl.spider, crawl.complete_walk, crawl.requests) for crawl in catalog.crawls()] == [
            ("covers", True, 3), ("covers", False, 3), ("covers", True, 3),
        ]  # fmt: skip


def test_threads_do_not_get_in_each_others_way(place: str | Path) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            urls = [f"{thread}-{number}", f"{thread}-{number}b"]
            save(catalog, *(record(url, urls=(url,)) for url in urls))
            assert catalog.find_image(f"full/{urls[1]}.jpg")

    with closing(Catalog(place, write=True)) as catalog:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert catalog.count() == 8 * 20 * 2


def make_version_1(place: str | Path) -> None:
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            connection.executescript(EARLIER.format(serial="INTEGER", time=TIME, yes=1))
    else:
        with psycopg.connect(place) as connection:
            connection.execute(EARLIER.format(serial="SERIAL", time=TIME, yes="true"))


def seen(catalog: Catalog) -> object:
    return (
        sorted(catalog.sizes()), sorted(catalog.stored_pages()), catalog.find_image("full/j.jpg"),
        len(catalog.records_with(["full/i.jpg"])["full/i.jpg"][1]),
        list(catalog.records()), list(catalog.images()), list(catalog.pages()), catalog.crawls(), catalog.count(),
        catalog.feeds(), catalog.spider, catalog.fields,
    )  # fmt: skip


def test_a_catalog_of_version_1_is_read_as_it_stands_and_migrated_by_a_crawl(place: str | Path) -> None:
    make_version_1(place)
    with closing(Catalog(place)) as catalog:
        before = seen(catalog)
    assert "covers" in tables(place)  # only a crawl migrates
    with closing(Catalog(place, write=True)) as catalog:
        assert seen(catalog) == before
        assert list(catalog.records())[1].item == {
            "title": "é", "pubDate": "1923-03-03", "file_urls": ["j"],
            "files": [{"url": "j", "path": "full/j.jpg", "checksum": "d"}],
        }  # fmt: skip
        assert set(catalog.stored_pages()) == {"p", "q"}
        assert catalog.last_crawl_was_complete()
        assert str(catalog.last_complete_walk()) == "2026-11-23 08:37:27+00:00"
        catalog.describe(catalog.spider, catalog.fields)
        assert catalog.begin_crawl("covers", "live") == 2
        again = next(iter(catalog.records()))._replace(page_url="p?v=2")
        assert catalog.save(records=[again], crawl=2) == [False]
    assert tables(place) == set(TABLES)
    with closing(Catalog(place)) as catalog:
        assert pages(catalog) == ["p?v=2", "q"]


def test_a_reader_does_not_miss_that_a_crawl_migrates(place: str | Path) -> None:
    make_version_1(place)
    with closing(Catalog(place)) as reader:
        records = reader.records()
        next(records)  # and is not in a hurry
        before = seen(reader)
        Catalog(place, write=True).close()
        assert seen(reader) == before


def test_a_migration_that_breaks_off_leaves_version_1(place: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_version_1(place)
    with closing(Catalog(place)) as catalog:
        before = seen(catalog)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "save_pages", lambda *_: 1 / 0)  # after records and images have been written
        with pytest.raises(ZeroDivisionError):
            Catalog(place, write=True)
    assert "covers" in tables(place)
    with closing(Catalog(place)) as catalog:
        assert seen(catalog) == before


def test_nothing_is_made_where_that_is_not_allowed(place: str | Path) -> None:
    with pytest.raises(DatasetError):
        Catalog(place)
    assert place.exists() is False if isinstance(place, Path) else tables(place) == set()


def test_a_postgresql_database_can_be_shared_but_for_our_names(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs (x TEXT)")
        Catalog(database, write=True).close()
        assert tables(database) == {"theirs", *TABLES}
        connection.execute("DROP TABLE timecoverspider")
        with pytest.raises(DatasetError, match="is not a catalog of timecoverspider"):
            Catalog(database, write=True)
        assert tables(database) == {"theirs", *TABLES} - {"timecoverspider"}


def test_urls_are_those_that_were_known_before(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_url_of_no_use_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(DatasetError, match=r"^(CATALOG_URL|cannot use the catalog) .*$") as raised:
        Catalog(url, write=True)
    assert "secret" not in str(raised.value)


def test_only_postgresql_needs_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "timecoverspider.dataset.postgresql", raising=False)
    Catalog(tmp_path / "catalog.db", write=True).close()
    with pytest.raises(DatasetError, match=r'pip install "psycopg\[binary\]"$'):
        Catalog("postgresql://h/x", write=True)
