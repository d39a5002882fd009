"""A crawl publishes the complete data set, or leaves the feed as it was."""

import json
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

from aiohttp import web
from data_set import feed, records
from mock_archive import DAYS, ROBOTS, MockArchive
from scrapy_command import crawl_arguments, last_line, run_scrapy
from serving import serving
from yarl import URL

from timecoverspider.replica.pages import listing_url


def test_feeds_of_every_format_hold_the_complete_dataset_after_each_crawl(folder: Path) -> None:
    names = ("covers.jsonl", "covers.csv", "covers.xml", "covers.jl")
    published = []
    for _ in range(2):
        done = MockArchive().crawl(folder, *(argument for name in names for argument in ("-o", name)))
        assert done.returncode == 0, done.stderr
        published.append([feed(folder, name) for name in names])
    assert published[0] == published[1]
    for name in ("covers.jsonl", "covers.jl"):
        assert [json.loads(line) for line in feed(folder, name).splitlines()] == records(folder)
    header, *rows = feed(folder, "covers.csv").decode("utf-8-sig").splitlines()
    assert (header, len(rows)) == ("title,pubDate,url,path,checksum", 40)
    assert len(ElementTree.fromstring(feed(folder, "covers.xml"))) == 40
    assert not list(folder.glob("*.kept-*"))


def test_feeds_of_the_settings_and_of_stdout_hold_the_complete_dataset(folder: Path) -> None:
    feeds = json.dumps({str(folder / "all.json"): {"format": "json"}, "stdout:": {"format": "jsonlines"}})
    arguments = [argument for argument in crawl_arguments(folder) if argument not in ("-o", "output.json")]
    with serving(MockArchive().app) as address:
        done = run_scrapy(*arguments, "-s", f"FEEDS={feeds}", cwd=folder, http_proxy=address)
    assert done.returncode == 0, done.stderr
    assert json.loads(feed(folder, "all.json")) == records(folder)
    assert [json.loads(line) for line in done.stdout.splitlines()] == records(folder)


def test_feed_with_overwrite_option_is_identical(folder: Path, filled: Path) -> None:
    arguments = ["-O" if argument == "-o" else argument for argument in crawl_arguments(folder)]
    with serving(MockArchive().app) as address:
        assert run_scrapy(*arguments, cwd=folder, http_proxy=address).returncode == 0
    assert feed(folder) == feed(filled)


def test_feed_is_newest_first(folder: Path) -> None:
    assert [record["pubDate"] for record in records(folder)] == [day.isoformat() for day in DAYS]


def test_feed_of_chosen_fields_is_replaced_by_the_next_crawl(tmp_path: Path) -> None:
    for days in (DAYS[1:3], DAYS[:3]):
        done = MockArchive(days).crawl(tmp_path, "-s", "FEED_EXPORT_FIELDS=pubDate,title", feed="covers.csv")
        assert done.returncode == 0, done.stderr
        header, *rows = feed(tmp_path, "covers.csv").decode("utf-8-sig").splitlines()
        assert (header, len(rows)) == ("pubDate,title", len(days))
    assert not list(tmp_path.glob("covers.csv.kept-*"))


def test_feed_that_a_person_changed_is_set_aside_and_named_in_the_log(folder: Path, filled: Path) -> None:
    changed = feed(folder).replace(b"Code Red", b"Code Blue")
    (folder / "output.json").write_bytes(changed)
    done = MockArchive().crawl(folder)
    assert done.returncode == 0, done.stderr
    [aside] = folder.glob("output.json.kept-*")
    assert aside.read_bytes() == changed
    assert aside.name in done.stderr
    assert feed(folder) == feed(filled)


def test_feed_after_the_catalog_was_deleted_is_set_aside_if_it_differs(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    assert MockArchive().crawl(folder).returncode == 0
    assert not list(folder.glob("output.json.kept-*"))
    (folder / "output" / "catalog.db").unlink()
    assert MockArchive(DAYS[1:]).crawl(folder).returncode == 0
    [aside] = folder.glob("output.json.kept-*")
    assert aside.read_bytes() == feed(filled)
    assert len(records(folder)) == 39


def test_feed_of_another_dataset_is_refused_before_anything_is_requested(folder: Path) -> None:
    archive, before = MockArchive(), feed(folder)
    done = archive.crawl(folder, "-s", f"FILES_STORE={folder / 'other'}")
    assert done.returncode == 2
    assert str(folder / "output") in last_line(done)
    assert "Traceback" not in done.stderr
    assert not archive.requests
    assert feed(folder) == before


def test_feed_of_an_unfinished_rebuild_does_not_replace_the_complete_one(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    archive = MockArchive()
    archive.answers[str(URL(listing_url(offset=15)))] = 404
    done = archive.crawl(folder)
    assert done.returncode == 4
    assert len(records(folder)) == 15
    [aside] = folder.glob("output.json.kept-*")
    assert aside.read_bytes() == feed(filled)
    assert aside.name in done.stderr


def test_feed_that_cannot_be_written_aborts_the_crawl(folder: Path) -> None:
    (folder / "wall").write_text("")
    done = MockArchive().crawl(folder, feed="wall/output.json")
    assert done.returncode == 1
    assert "wall/output.json" in last_line(done)


def test_catalog_that_fails_before_the_feed_aborts_the_crawl_and_leaves_the_feed(folder: Path) -> None:
    archive, before = MockArchive(), feed(folder)

    async def damage(request: web.Request) -> web.StreamResponse:
        connection = sqlite3.connect(folder / "output" / "catalog.db")
        connection.execute("ALTER TABLE records RENAME TO gone")
        connection.close()
        return web.Response(status=404)

    archive.answers[ROBOTS] = damage
    done = archive.crawl(folder)
    assert done.returncode == 1
    assert "catalog.db" in last_line(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before
