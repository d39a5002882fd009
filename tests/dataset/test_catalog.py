"""The rows of the catalog, the same in SQLite and in PostgreSQL."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sample_dataset import COVERS, TIME, image, record, save, table_names

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.rows import ONLY_FAILED, Failure, Feed, Fields, Page
from timecoverspider.dataset.tables import TABLES
from timecoverspider.exceptions import COMPLETE, CatalogError, DatasetError


def pages(catalog: Catalog) -> list[str]:
    return [record.page_url for record in catalog.records()]


def test_records_come_by_the_order_field_and_then_by_page(place: str | Path) -> None:
    ordered = [record("b", date="2014-03-17")]
    ordered += [record(page, urls=(page,)) for page in ["5", "A", "Z", "_", "a"]]
    ordered += [record(f"{number:05}", date="1923-03-03", urls=(str(number),)) for number in range(1200)]
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        assert save(catalog, *ordered[::-1]) == [True] * len(ordered)
        assert list(catalog.records()) == ordered
        assert catalog.count() == len(ordered)
        assert [image.path for image in catalog.images()] == sorted({i.path for r in ordered for i in r.images})
        assert {path for path, *_ in catalog.files()} == {i.path for r in ordered for i in r.images}


def test_shared_images_are_those_that_several_records_or_one_record_twice_have(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        save(catalog, record("p", urls=("a", "b")), record("q", urls=("b", "c")), record("r", urls=("d", "d")))
        assert catalog.shared_images() == {"full/b.jpg", "full/d.jpg"}


def test_digests_of_the_metadata_replace_the_earlier_ones(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        assert catalog.metadata_digests() == []
        for digests in (["a"], ["b", "a"]):
            catalog.save_metadata_digests(digests)
    with closing(Catalog(place)) as catalog:
        assert catalog.metadata_digests() == ["b", "a"]
        assert (catalog.spider, catalog.fields) == ("covers", COVERS)


def test_records_without_an_order_field_come_by_page(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        plain = Fields()
        save(catalog, record("z", urls=("1",), fields=plain), record("a", urls=("3", "2"), fields=plain))
        assert pages(catalog) == ["a", "z"]
        assert [image.url for image in next(iter(catalog.records())).images] == ["3", "2"]


def test_record_saved_again_is_replaced_but_for_its_first_seen(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        save(catalog, record("p"), record("q", date="2014-01-01"))
        changed = record("p", title="What? 100 %s :p “é” \U0001f5de")._replace(first_seen="later", last_checked="later")
        assert save(catalog, changed, crawl=2) == [False]
        assert next(iter(catalog.records())) == changed._replace(first_seen=TIME)
        assert catalog.count() == 2


def test_record_with_a_stored_key_replaces_it_whatever_its_page(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        assert save(catalog, record("old?v=1"), record("new?v=2")) == [True, False]
        assert pages(catalog) == ["new?v=2"]


def test_records_with_the_same_images_and_no_key_are_one_for_each_page(place: str | Path) -> None:
    first, other = (record("a", fields=Fields()), record("b", title="u", fields=Fields()))
    with closing(Catalog(place, write=True)) as catalog:
        assert save(catalog, first, other) == [True, True]  # one crawl yields both: a placeholder
        for crawl, order in enumerate([[other, first], [first, other]], start=2):
            assert save(catalog, *order, crawl=crawl) == [False, False]
            assert [(r.page_url, r.item["title"]) for r in catalog.records()] == [("a", "t"), ("b", "u")]
        assert save(catalog, record("c", fields=Fields()), crawl=4) == [True]  # it replaces none of them
        catalog.forget_moved(4, {"a", "b", "c"})
        assert pages(catalog) == ["a", "b", "c"]


def test_record_that_moved_is_deleted_if_no_listing_has_its_old_page(place: str | Path) -> None:
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


def test_image_saved_again_changes_the_checksum_of_all_its_records(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        save(catalog, record("p"), record("q", date="2014-01-01"))
        catalog.save(images=[image(checksum="new")])
        assert [record.item["files"][0]["checksum"] for record in catalog.records()] == ["new", "new"]
        assert catalog.find_image("full/i.jpg") == image(checksum="new")
        [(_, owners)] = catalog.records_with(["full/i.jpg", "full/none.jpg"]).values()
        assert sorted(owners.values()) == ["p", "q"]


def test_rows_of_a_failed_save_are_not_stored(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        broken = record("q", date="2013-01-01")._replace(page_url=None)  # type: ignore[arg-type]
        with pytest.raises(CatalogError, match=r"^[^\n]*page_url[^\n]*$"):
            catalog.save(records=[record("p"), broken], images=[image()], pages=[Page("p", 1, 0, TIME)])
        assert (catalog.count(), list(catalog.images()), list(catalog.pages())) == (0, [], [])
        save(catalog, record("p"))
        assert catalog.count() == 1


def test_stored_pages_are_those_with_a_record_and_failures_stay_until_read(place: str | Path) -> None:
    read = [Page("p", 1, 0, TIME), Page("listing", 0, 15, TIME), Page("many", 2, 0, TIME), Page("gone", 1, 0, TIME)]
    with closing(Catalog(place, write=True)) as catalog:
        catalog.describe("covers", COVERS)
        catalog.save(records=[record("p"), record("many", date="2014-01-01")], images=[image()], pages=read)
        assert sorted(catalog.stored_pages()) == [("many", False, TIME), ("p", True, TIME)]
        catalog.save(failures={"p": "HTTP 503", "new": "HTTP 404"})
        failures = {page.url: (page.records, page.failure) for page in catalog.pages() if page.failure}
        assert failures == {"p": (1, "HTTP 503"), "new": (0, "HTTP 404")}
        catalog.save(pages=[Page("new", 1, 0, TIME)])
        assert [page.url for page in catalog.pages() if page.failure] == ["p"]


def test_accepted_failure_is_forgotten_if_its_cause_changes_and_kept_if_only_numbers_do(place: str | Path) -> None:
    reasons = {"same": "the title has 12 letters", "other": "HTTP 404", "read": "HTTP 500", "gone": "HTTP 410"}
    with closing(Catalog(place, write=True)) as catalog:
        catalog.save(failures=reasons, requests=dict.fromkeys(reasons, "{}"))
        assert catalog.accept_failures(["same", "no page", "gone"]) == ["no page"]
        assert not any(failure.accepted for failure in catalog.failures())
        assert catalog.accept_failures(list(reasons)) == []
        assert all(failure.is_accepted for failure in catalog.failures())
        catalog.save(
            failures={"same": "the title has 1,345 letters", "other": "HTTP 503"}, pages=[Page("read", 1, 0, TIME)]
        )
        catalog.settle_failures(None)
        assert catalog.failures() == [
            Failure("gone", "HTTP 410", "HTTP 410", "{}"),
            Failure("other", "HTTP 503", "", "{}"),
            Failure("same", "the title has 1,345 letters", "the title has 12 letters", "{}"),
        ]
        catalog.settle_failures({"other", "same"})
        assert [(failure.url, failure.is_accepted) for failure in catalog.failures()] == [
            ("other", False), ("same", True),
        ]  # fmt: skip


def test_crawl_of_failed_pages_tells_nothing_about_the_listings(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        for outcome, cut_by in [
            (COMPLETE, ""),
            ("covers missing", ONLY_FAILED),
            ("interrupted", ""),
            (COMPLETE, ONLY_FAILED),
        ]:
            number = catalog.begin_crawl("covers", "live", cut_by)
            catalog.end_crawl(number, outcome=outcome, complete_walk=not cut_by)
            assert catalog.last_crawl_was_complete() == (number < 3)
        catalog.begin_crawl("covers", "live", ONLY_FAILED)  # and is killed
        assert catalog.crawls()[-1].cut_by == ONLY_FAILED


def test_feeds_are_known_until_forgotten_for_the_next(place: str | Path) -> None:
    old, new = (Feed("/output.json", digit * 64, 40, TIME) for digit in "12")
    with closing(Catalog(place, write=True)) as catalog:
        for feed in (old, new, new):
            catalog.save_feed(feed)
        assert sorted(catalog.feeds()) == [old, new]
        catalog.forget_feeds(new)
        assert catalog.feeds() == [new]


FIGURES = {"cut_by": "", "known": 1, "new": 2, "failed": 0, "requests": 3}


def test_crawls_are_recorded_with_their_outcome(place: str | Path) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        assert not catalog.last_crawl_was_complete()
        for number, outcome in enumerate([COMPLETE, "covers missing", COMPLETE], start=1):
            assert catalog.begin_crawl("covers", "live") == number
            assert not catalog.last_crawl_was_complete()
            catalog.end_crawl(number, outcome=outcome, complete_walk=number == 1, **FIGURES)
            assert catalog.last_crawl_was_complete() == (outcome == COMPLETE)
        assert [(crawl.spider, crawl.outcome, crawl.complete_walk, crawl.requests) for crawl in catalog.crawls()] == [
            ("covers", COMPLETE, True, 3), ("covers", "covers missing", False, 3), ("covers", COMPLETE, False, 3),
        ]  # fmt: skip


def test_last_complete_walk_is_the_latest_complete_crawl_of_all_listings(
    place: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Catalog(place, write=True)) as catalog:
        assert catalog.last_complete_walk() is None
        for hour, (outcome, complete_walk) in enumerate(
            [(COMPLETE, True), (COMPLETE, True), (COMPLETE, False), ("covers missing", True)]
        ):
            monkeypatch.setattr(
                "timecoverspider.dataset.catalog.now", lambda hour=hour: f"2014-03-10T0{hour}:00:00+00:00"
            )
            number = catalog.begin_crawl("covers", "live")
            catalog.end_crawl(number, outcome=outcome, complete_walk=complete_walk, **FIGURES)
        catalog.begin_crawl("covers", "live")  # and is killed
        assert catalog.last_complete_walk() == datetime(2014, 3, 10, 1, tzinfo=UTC)


def test_catalog_used_by_threads_loses_nothing(place: str | Path) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            urls = [f"{thread}-{number}", f"{thread}-{number}b"]
            save(catalog, *(record(url, urls=(url,)) for url in urls))
            assert catalog.find_image(f"full/{urls[1]}.jpg")

    with closing(Catalog(place, write=True)) as catalog:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert catalog.count() == 8 * 20 * 2


def test_catalog_opened_to_read_is_not_made(place: str | Path) -> None:
    with pytest.raises(DatasetError):
        Catalog(place)
    assert place.exists() is False if isinstance(place, Path) else table_names(place) == set()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE timecoverspider SET schema_version = 99",
        "ALTER TABLE timecoverspider RENAME TO theirs",
        "DROP TABLE timecoverspider; DROP TABLE crawls; ALTER TABLE records RENAME TO x",
        f"{'; '.join(f'DROP TABLE {name}' for name in TABLES)}; CREATE TABLE theirs (x TEXT)",
    ],
)
@pytest.mark.parametrize("write", [True, False])
def test_catalog_that_is_not_ours_is_refused_and_not_changed(tmp_path: Path, change: str, write: bool) -> None:
    file = tmp_path / "catalog.db"
    Catalog(file, write=True).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(change)
    before = file.read_bytes()
    with pytest.raises(DatasetError):
        Catalog(file, write=write)
    assert file.read_bytes() == before
