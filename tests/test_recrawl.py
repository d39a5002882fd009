"""The same command, night after night: what is asked for, what is kept, and how it ends."""

import asyncio
import hashlib
import json
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest
from aiohttp import web
from conftest import (
    DAYS,
    SPIDER,
    Site,
    assert_whole,
    crawl_arguments,
    environment,
    feed,
    picture,
    records,
    run_scrapy,
    serving,
    start,
)
from yarl import URL

from timecoverspider.replica.calendar import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, listing_page, listing_url, picture_url
from timecoverspider.replica.pictures import draw_cover

INDEX = str(URL("http://search.time.com/results.html?N=46&Ns=p_date_range|1"))
FIRST_LISTING = str(URL(f"{listing_url()}&sid=150424A4D8E2&internalid=endeca_dimension"))
ROBOTS = "http://search.time.com/robots.txt"


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def closing(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stderr.splitlines()[-1]


# What is asked for


def test_recrawl_with_nothing_new_asks_for_three_pages(folder: Path) -> None:
    before, site = feed(folder), Site(DAYS)
    done = site.crawl(folder)
    assert done.returncode == 0
    assert site.asked == [ROBOTS, INDEX, FIRST_LISTING]
    assert feed(folder) == before
    assert "40 covers in output.json, 40 pictures in output/full, nothing new: 3 requests" in closing(done)


def test_recrawl_fetches_just_the_new_issues(tmp_path: Path, filled: Path) -> None:
    assert Site(DAYS[3:]).crawl(tmp_path).returncode == 0
    site = Site(DAYS)
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(site.asked_of("content.time.com")) == sorted(map(cover_url, DAYS[:3]))
    assert sorted(site.asked_of("img.timeinc.net")) == sorted(map(picture_url, DAYS[:3]))
    assert len(site.asked_of("search.time.com")) == 3  # the second listing holds nothing new
    assert "3 new" in closing(done)
    assert feed(tmp_path) == feed(filled)


def test_audit_finds_an_issue_added_in_the_middle(tmp_path: Path, filled: Path) -> None:
    assert Site(DAYS[:30] + DAYS[31:]).crawl(tmp_path).returncode == 0
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 39  # it lies behind a listing with nothing new
    site = Site(DAYS)
    done = site.crawl(tmp_path, "-s", "AUDIT_EVERY_DAYS=0")
    assert site.asked_of("content.time.com") == [cover_url(DAYS[30])]
    assert len(site.asked_of("search.time.com")) == 4
    assert done.returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_full_walks_through_all_listings_and_asks_for_no_known_cover(folder: Path) -> None:
    site = Site(DAYS)
    assert site.crawl(folder, "-a", "full=1").returncode == 0
    assert len(site.asked_of("search.time.com")) == 4
    assert not site.asked_of("content.time.com")


def test_an_old_audit_is_repeated(folder: Path) -> None:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    with connection:
        connection.execute("UPDATE crawls SET ended = '2026-01-01T00:00:00+00:00'")
    connection.close()
    site = Site(DAYS)
    assert site.crawl(folder).returncode == 0
    assert len(site.asked_of("search.time.com")) == 4


def test_refresh_takes_over_what_changed_and_gets_304_for_the_rest(folder: Path) -> None:
    site = Site(DAYS)
    site.instead[cover_url(DAYS[5])] = cover_page(DAYS[5]).replace("<h1>", "<h1>Now ")
    site.instead[picture_url(DAYS[6])] = draw_cover(DAYS[5], 600)

    done = site.crawl(folder, "-a", "refresh=1", "-L", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert len(site.asked_of("content.time.com")) == 40
    assert "'downloader/response_status_count/304': 39" in done.stderr
    changed = {record["pubDate"]: record for record in records(folder)}
    assert changed[DAYS[5].isoformat()]["title"].startswith("Now ")
    checksum = hashlib.md5(draw_cover(DAYS[5], 600)).hexdigest()
    assert changed[DAYS[6].isoformat()]["files"][0]["checksum"] == checksum
    assert_whole(folder)
    assert "nothing new" in closing(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-a", "fast=1"], ["-a", "full=yes"], ["-a", "refresh="], ["-s", "AUDIT_EVERY_DAYS=often"],
        ["-s", "UNREADABLE_LIMIT=-1"], ["-s", "ARCHIVE=Live"],
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_before_anything_is_asked(tmp_path: Path, arguments: list[str]) -> None:
    done = run_scrapy("crawl", SPIDER, "-s", f"FILES_STORE={tmp_path / 'output'}", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert arguments[1].partition("=")[0] in done.stderr
    assert not list(tmp_path.iterdir())


def test_unknown_spider_is_one_line(tmp_path: Path) -> None:
    done = run_scrapy("crawl", "coverspider", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert SPIDER in done.stderr


# What is here


def test_catalog_has_a_row_for_each_cover_and_crawl(folder: Path) -> None:
    [row] = rows(folder, f"SELECT * FROM covers WHERE page_url = '{cover_url(DAYS[0])}'")
    content = picture(folder, DAYS[0]).read_bytes()
    assert row[1:9] == (
        "Code Red", "2014-03-10", picture_url(DAYS[0]), f"full/{picture(folder, DAYS[0]).name}",
        hashlib.md5(content).hexdigest(), 600, 790, len(content),
    )  # fmt: skip
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", time) for time in row[10:12])
    Site(DAYS).crawl(folder)
    found = rows(folder, "SELECT outcome, whole_walk, known, new, failed, requests FROM crawls ORDER BY id")
    assert found == [("complete", 1, 0, 40, 0, 87), ("complete", 0, 40, 0, 0, 3)]


@pytest.mark.parametrize("damage", ["deleted", "cut", "swapped"])
def test_a_damaged_picture_is_fetched_again_alone(folder: Path, filled: Path, damage: str) -> None:
    hurt = {picture(folder, DAYS[20]): DAYS[20]}
    match damage:
        case "deleted":
            picture(folder, DAYS[20]).unlink()
        case "cut":
            picture(folder, DAYS[20]).write_bytes(picture(folder, DAYS[20]).read_bytes()[:5000])
        case "swapped":
            one, other = picture(folder, DAYS[20]), picture(folder, DAYS[21])
            hurt[other] = DAYS[21]
            content = one.read_bytes()
            one.write_bytes(other.read_bytes())
            other.write_bytes(content)
    site = Site(DAYS)
    done = site.crawl(folder)
    assert done.returncode == 0, done.stderr
    assert sorted(site.asked_of("img.timeinc.net")) == sorted(map(picture_url, hurt.values()))
    assert not site.asked_of("content.time.com")
    for path, day in hurt.items():
        assert path.read_bytes() == draw_cover(day, 600)
    assert feed(folder) == feed(filled)


def test_deleted_feed_comes_back_for_three_requests(folder: Path, filled: Path) -> None:
    (folder / "output.json").unlink()
    site = Site(DAYS)
    assert site.crawl(folder).returncode == 0
    assert len(site.asked) == 3
    assert feed(folder) == feed(filled)


def test_deleted_catalog_is_rebuilt_without_downloading_pictures_again(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    picture(folder, DAYS[7]).write_bytes(picture(folder, DAYS[7]).read_bytes()[:-2])  # not whole
    picture(folder, DAYS[8]).unlink()
    done = Site(DAYS).crawl(folder, "-s", "STATS_DUMP=1", "-L", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert "'file_status_count/uptodate': 38" in done.stderr
    assert "'file_status_count/downloaded': 2" in done.stderr
    assert feed(folder) == feed(filled)


def test_corrupt_catalog_is_set_aside_and_rebuilt(folder: Path, filled: Path) -> None:
    catalog = folder / "output" / "catalog.db"
    broken = catalog.read_bytes()[:5000] + b"\xff" * 3000
    catalog.write_bytes(broken)
    done = Site(DAYS).crawl(folder)
    assert done.returncode == 0, done.stderr
    assert feed(folder) == feed(filled)
    [aside] = (folder / "output").glob("catalog.db.corrupt-*")
    assert aside.read_bytes() == broken
    assert aside.name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE timecoverspider SET schema_version = 99", "schema version 99"),
        ("ALTER TABLE timecoverspider RENAME TO theirs", "not a catalog of timecoverspider"),
        ("DROP TABLE timecoverspider; DROP TABLE covers; DROP TABLE crawls; CREATE TABLE x (y)", "not a catalog"),
    ],
)
def test_a_catalog_that_is_not_ours_is_refused_and_left_alone(folder: Path, change: str, said: str) -> None:
    connection = sqlite3.connect(folder / "output" / "catalog.db")
    connection.executescript(change)
    connection.close()
    before, site = (folder / "output" / "catalog.db").read_bytes(), Site(DAYS)
    done = site.crawl(folder)
    assert done.returncode == 1
    assert said in closing(done)
    assert "Traceback" not in done.stderr
    assert not site.asked
    assert (folder / "output" / "catalog.db").read_bytes() == before


def test_data_set_can_be_moved(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere, site = tmp_path_factory.mktemp("elsewhere"), Site(DAYS)
    shutil.move(folder / "output", elsewhere / "output")
    assert site.crawl(elsewhere).returncode == 0
    assert len(site.asked) == 3
    assert len(records(elsewhere)) == 40


def test_one_data_set_holds_one_archive(folder: Path) -> None:
    done = run_scrapy("crawl", SPIDER, "-s", f"FILES_STORE={folder / 'output'}", cwd=folder)  # the replica
    assert done.returncode == 1
    assert "ARCHIVE=live" in closing(done)
    assert "FILES_STORE" in closing(done)
    assert len(rows(folder, "SELECT * FROM covers")) == 40


# The feed


@pytest.mark.parametrize("name", ["covers.jsonl", "covers.csv", "covers.xml", "covers.jl"])
def test_every_feed_format_holds_the_whole_data_set(folder: Path, name: str) -> None:
    for _ in range(2):
        assert Site(DAYS).crawl(folder, feed=name).returncode == 0
        match Path(name).suffix:
            case ".jsonl" | ".jl":
                found = [json.loads(line) for line in feed(folder, name).splitlines()]
                assert found == records(folder)
            case ".csv":
                assert feed(folder, name).decode().splitlines()[0] == "title,pubDate,file_urls,files"
                assert len(feed(folder, name).splitlines()) == 41
            case ".xml":
                assert len(ElementTree.fromstring(feed(folder, name))) == 40


def test_feeds_of_the_settings_and_of_stdout_hold_the_whole_data_set(folder: Path) -> None:
    feeds = json.dumps({str(folder / "all.json"): {"format": "json"}, "stdout:": {"format": "jsonlines"}})
    arguments = [argument for argument in crawl_arguments(folder) if argument not in ("-o", "output.json")]
    with serving(Site(DAYS).app) as address:
        done = run_scrapy(*arguments, "-s", f"FEEDS={feeds}", cwd=folder, http_proxy=address)
    assert done.returncode == 0, done.stderr
    assert json.loads(feed(folder, "all.json")) == records(folder)
    assert [json.loads(line) for line in done.stdout.splitlines()] == records(folder)


def test_overwrite_means_the_same(folder: Path, filled: Path) -> None:
    with serving(Site(DAYS).app) as address:
        arguments = [
            argument.replace("-o", "-O") if argument == "-o" else argument for argument in crawl_arguments(folder)
        ]
        assert run_scrapy(*arguments, cwd=folder, http_proxy=address).returncode == 0
    assert feed(folder) == feed(filled)


def test_feed_is_newest_first(folder: Path) -> None:
    assert [record["pubDate"] for record in records(folder)] == [day.isoformat() for day in DAYS]


@pytest.mark.parametrize(
    "content", [b"My notes\n", b'{"a": 1}', b"[1, 2]", b"[{}][{}]", b"\xff\xfe", b'[{"title": "cut']
)
def test_a_file_that_is_no_list_of_records_is_kept(folder: Path, filled: Path, content: bytes) -> None:
    (folder / "output.json").write_bytes(content)
    done = Site(DAYS).crawl(folder)
    assert done.returncode == 0, done.stderr
    [kept] = folder.glob("output.json.kept-*")
    assert kept.read_bytes() == content
    assert kept.name in done.stderr
    assert feed(folder) == feed(filled)


@pytest.mark.parametrize(
    ("name", "content"),
    [("covers.csv", b"name,age\nAda,36\n"), ("covers.xml", b"<notes><a/></notes>"), ("covers.jsonl", b"x")],
)
def test_other_formats_are_kept_where_they_are_not_ours(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert Site(DAYS).crawl(folder, feed=name).returncode == 0
    [kept] = folder.glob(f"{name}.kept-*")
    assert kept.read_bytes() == content


def test_a_feed_of_some_fields_is_known_again(tmp_path: Path) -> None:
    for days in (DAYS[1:], DAYS):
        done = Site(days).crawl(tmp_path, "-s", "FEED_EXPORT_FIELDS=pubDate,title", feed="covers.csv")
        assert done.returncode == 0, done.stderr
        assert len(feed(tmp_path, "covers.csv").splitlines()) == len(days) + 1
    assert not list(tmp_path.glob("covers.csv.kept-*"))


def test_stale_drafts_are_cleaned_away(folder: Path) -> None:
    (folder / ".output.json.4711.tmp").write_text("half")
    (folder / "output" / ".incoming").mkdir(exist_ok=True)
    (folder / "output" / ".incoming" / "half.jpg").write_text("half")
    assert Site(DAYS).crawl(folder).returncode == 0
    assert not list(folder.glob(".output*"))
    assert not list((folder / "output" / ".incoming").iterdir())


def test_an_unfinished_rebuild_leaves_the_richer_feed(folder: Path, filled: Path) -> None:
    (folder / "output" / "catalog.db").unlink()
    site = Site(DAYS)
    site.instead[str(URL(listing_url(offset=15)))] = 404
    done = site.crawl(folder)
    assert done.returncode == 4
    assert feed(folder) == feed(filled)
    assert "output.json stays as it was" in done.stderr


# How it ends


def test_covers_that_fail_are_named_and_tried_again_next_time(tmp_path: Path, filled: Path) -> None:
    site = Site(DAYS)
    site.instead = {
        cover_url(DAYS[25]): cover_page(DAYS[25]).replace("2013</a>", "</a>"),
        cover_url(DAYS[26]): 404,
        picture_url(DAYS[27]): 404,
        picture_url(DAYS[28]): draw_cover(DAYS[28], 600)[:-300],
        picture_url(DAYS[29]): b"<html>busy</html>",
    }
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert "5 missing (<http://content.time.com/" in closing(done)
    assert "35 covers in output.json, 35 pictures in output/full, 35 new" in closing(done)
    for day, reason in zip(
        DAYS[25:30],
        ["not a date", "HTTP 404", "HTTP 404", "not a whole picture", "no picture in a format"],
        strict=True,
    ):
        assert re.search(rf"ERROR: Missing: <{re.escape(cover_url(day))}>: .*{reason}", done.stderr)
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 35
    assert_whole(tmp_path)
    again = Site(DAYS)
    done = again.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(again.asked_of("content.time.com")) == sorted(map(cover_url, DAYS[25:30]))
    assert feed(tmp_path) == feed(filled)


def test_a_cover_on_another_host_is_missing_not_forgotten(tmp_path: Path) -> None:
    site = Site(DAYS[:5])
    listing = listing_page(DAYS[:5]).replace(cover_url(DAYS[2]), "http://elsewhere.example/cover.html")
    site.instead[FIRST_LISTING] = listing
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert "1 missing (<http://elsewhere.example/cover.html> refused: " in closing(done)
    assert not site.asked_of("elsewhere.example")


def _no_facet(site: Site) -> None:
    site.instead[INDEX] = "<div class=refineCol><ul><li><a href=/x>TIME Europe</a></ul></div>"


def _no_covers(site: Site) -> None:
    site.instead[FIRST_LISTING] = "<p>New: our covers as a video!</p>"


def _forbidden(site: Site) -> None:
    site.instead[ROBOTS] = "User-agent: *\nDisallow: /"


def _start_gone(site: Site) -> None:
    site.instead[INDEX] = 410


def _listing_gone(site: Site) -> None:
    site.instead[FIRST_LISTING] = 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_no_facet, "no link to TIME U.S."),
        (_no_covers, "it lists no covers"),
        (_forbidden, "Forbidden by robots.txt"),
        (_start_gone, "HTTP 410"),
        (_listing_gone, "HTTP 404"),
    ],
)
def test_an_archive_that_cannot_be_read_harms_nothing(folder: Path, filled: Path, change: Any, said: str) -> None:
    site = Site(DAYS)
    change(site)
    done = site.crawl(folder)
    assert done.returncode == 4
    assert "The archive could not be read: <http://search.time.com/" in closing(done)
    assert said in closing(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == feed(filled)


def test_an_archive_that_is_down_harms_nothing(folder: Path, filled: Path) -> None:
    with serving(Site(DAYS).app) as address:
        pass  # a port at which nobody listens any more
    done = run_scrapy(*crawl_arguments(folder), cwd=folder, http_proxy=address)
    assert done.returncode == 4
    assert "The archive could not be read" in closing(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == feed(filled)


def test_exit_status_does_not_depend_on_the_log(folder: Path) -> None:
    site = Site(DAYS)
    _start_gone(site)
    for quiet in (["--nolog"], ["-L", "CRITICAL"]):
        done = site.crawl(folder, *quiet)
        assert (done.returncode, done.stderr) == (4, "")


def test_a_changed_layout_ends_the_crawl_early_and_keeps_the_pages(tmp_path: Path) -> None:
    days = issue_dates(300)
    site = Site(days)
    for day in days:
        site.instead[cover_url(day)] = cover_page(day).replace("art-cover-photo", "hero")
    done = site.crawl(tmp_path)
    assert done.returncode == 4
    assert "has their layout changed?" in closing(done)
    assert len(site.asked_of("content.time.com")) < 150
    pages = list((tmp_path / "output" / "rejected").glob("*.html"))
    assert len(pages) == 20
    url, reason = pages[0].with_suffix(".txt").read_text().splitlines()
    assert pages[0].stem == hashlib.sha1(url.encode()).hexdigest()
    assert reason == "no picture"
    [hint] = re.findall(rf"Missing: <{re.escape(url)}>: no picture \((scrapy shell .*)\)", done.stderr)
    arguments = [*hint.replace('"', "").split()[1:], "--nolog", "-c", "response.css('h1 time a::text').get()"]
    assert run_scrapy(*arguments, cwd=tmp_path).stdout.strip() in {str(day.year) for day in days}


def test_a_new_cover_that_makes_no_sense_is_a_changed_layout(tmp_path: Path) -> None:
    assert Site(DAYS[1:]).crawl(tmp_path).returncode == 0
    site = Site(DAYS)
    site.instead[cover_url(DAYS[0])] = "<p>Subscribe!</p>"
    done = site.crawl(tmp_path)
    assert done.returncode == 4
    assert "1 of 1 cover pages made no sense" in closing(done)
    assert len(records(tmp_path)) == 39


def test_rejected_pages_are_rotated(folder: Path) -> None:
    rejected = folder / "output" / "rejected"
    rejected.mkdir()
    for number in range(25):
        (rejected / f"{number}.html").write_text("old")
        (rejected / f"{number}.txt").write_text("old")
    site = Site(DAYS)
    _no_facet(site)
    site.crawl(folder)
    assert len(list(rejected.glob("*.html"))) == len(list(rejected.glob("*.txt"))) == 20
    assert (rejected / f"{hashlib.sha1(INDEX.encode()).hexdigest()}.html").exists()


def test_listings_that_end_too_soon_are_noticed(folder: Path) -> None:
    site = Site(DAYS)
    done = Site(DAYS[:16]).crawl(folder, "-a", "full=1")
    assert done.returncode == 4
    assert "the listings end here, after 16 of 40 covers" in closing(done)
    assert len(records(folder)) == 40
    assert site.crawl(folder).returncode == 0


# Killed, interrupted, locked out, or out of space


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a whole crawl takes, in seconds."""
    started = monotonic()
    Site(DAYS).crawl(tmp_path_factory.mktemp("timed"))
    return monotonic() - started


@pytest.mark.parametrize("seed", range(30))
def test_killed_at_any_instant_nothing_is_lost(tmp_path: Path, filled: Path, duration: float, seed: int) -> None:
    site = Site(DAYS)
    with serving(site.app) as address:
        process = start(tmp_path, address)
        try:
            process.communicate(timeout=random.Random(seed).uniform(0.3, 1.05) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    assert_whole(tmp_path)
    stored = 0
    if (tmp_path / "output" / "catalog.db").exists():
        tables = {name for (name,) in rows(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables in (set(), {"covers", "crawls", "timecoverspider"})
        stored = rows(tmp_path, "SELECT count(*) FROM covers")[0][0] if tables else 0
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(site.asked_of("content.time.com")) == 40 - stored
    assert feed(tmp_path) == feed(filled)
    assert not list((tmp_path / "output" / ".incoming").iterdir())


def test_killed_ten_times_in_a_row_it_still_gets_there(tmp_path: Path, filled: Path, duration: float) -> None:
    chance = random.Random(10)
    for _ in range(10):
        with serving(Site(DAYS).app) as address:
            process = start(tmp_path, address)
            try:
                process.communicate(timeout=chance.uniform(0.5, 0.9) * duration)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        assert_whole(tmp_path)
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def hanging(site: Site, day: date, process: list["subprocess.Popen[str]"], *numbers: int) -> None:
    """Have the site send signals to the crawl when it is asked for a cover."""

    async def interrupt(request: web.Request) -> web.StreamResponse:
        for number in numbers:
            process[0].send_signal(number)
        return web.Response(text=cover_page(day), content_type="text/html")

    site.instead[cover_url(day)] = interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once_it_publishes_what_it_has(tmp_path: Path, filled: Path, number: int) -> None:
    site, process = Site(DAYS, latency=0.02), []
    hanging(site, DAYS[20], process, number)
    with serving(site.app) as address:
        process.append(start(tmp_path, address))
        log = process[0].communicate(timeout=60)[1]
    assert process[0].returncode == 128 + number
    assert "Interrupted" in log.splitlines()[-1]
    assert "Traceback" not in log
    assert 0 < len(records(tmp_path)) == rows(tmp_path, "SELECT count(*) FROM covers")[0][0]
    assert rows(tmp_path, "SELECT outcome FROM crawls") == [("interrupted",)]
    assert_whole(tmp_path)
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_interrupted_twice_it_stops_at_once(tmp_path: Path, filled: Path) -> None:
    site, process = Site(DAYS, latency=0.02), []

    def interrupt_twice() -> None:
        process[0].send_signal(signal.SIGTERM)
        assert process[0].stderr
        for line in process[0].stderr:
            if "Closing spider (shutdown)" in line:
                process[0].send_signal(signal.SIGTERM)
        process[0].wait(60)  # it does not wait for an answer

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(interrupt_twice)
        return web.Response()

    site.instead[cover_url(DAYS[20])] = hang
    with serving(site.app) as address:
        process.append(start(tmp_path, address))
        process[0].wait(60)
    assert process[0].returncode == 143
    assert not (tmp_path / "output.json").exists()
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_a_second_crawl_is_told_who_is_at_work(folder: Path) -> None:
    site, second = Site(DAYS), []

    async def crawl_too(request: web.Request) -> web.StreamResponse:
        before = sorted(path for path in folder.rglob("*"))
        second.append(run_scrapy(*crawl_arguments(folder), cwd=folder))
        assert sorted(path for path in folder.rglob("*")) == before
        return web.Response(status=404)

    site.instead[INDEX] = crawl_too
    with serving(site.app) as address:
        first = start(folder, address)
        first.communicate(timeout=60)
    assert second[0].returncode == 5
    assert re.search(rf"in use by process {first.pid} since \d{{4}}-", closing(second[0]))
    assert Site(DAYS).crawl(folder).returncode == 0  # the lock of a process that is gone does not block


# Room for files of so many bytes: too few for a picture, or for the catalog's rows.
@pytest.mark.parametrize(("limit", "said"), [(30_000, "cannot write to"), (45_000, "cannot use the catalog")])
def test_a_full_disk_ends_the_crawl_and_harms_nothing(tmp_path: Path, limit: int, said: str) -> None:
    site = Site(issue_dates(400))
    with serving(site.app) as address:
        done = _limited(tmp_path, address, limit)
    assert done.returncode == 1, done.stderr
    assert f"Broken off, {said}" in closing(done)
    assert "Traceback" not in done.stderr
    assert_whole(tmp_path)
    assert len(site.asked_of("content.time.com")) < 350
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 400
    assert_whole(tmp_path)


def test_a_full_disk_leaves_the_feed_as_it_was(folder: Path, database: str) -> None:
    arguments = ["-s", f"CATALOG_URL={database}"]  # which is not on this disk
    assert Site(DAYS).crawl(folder, *arguments).returncode == 0
    with (folder / "output.json").open("ab") as file:
        file.write(b"\n")
    before = feed(folder)
    with serving(Site(DAYS).app) as address:
        done = _limited(folder, address, len(before) - 100, *arguments)
    assert done.returncode == 1
    assert "Broken off, cannot write output.json: File too large" in closing(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before
    assert not list(folder.glob(".output*"))


def _limited(folder: Path, address: str, limit: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Crawl where no file may grow beyond *limit* bytes, as on a disk that is full."""
    code = (
        "import resource, runpy, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv[0] = 'scrapy'\n"
        "runpy.run_module('scrapy', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, *crawl_arguments(folder), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(http_proxy=address),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_unwritable_feed_is_not_success(folder: Path) -> None:
    (folder / "wall").write_text("")
    done = Site(DAYS).crawl(folder, feed="wall/output.json")
    assert done.returncode == 1
    assert "cannot write wall/output.json: " in closing(done)


def test_a_catalog_that_fails_in_the_end_is_not_success(folder: Path) -> None:
    site, before = Site(DAYS), feed(folder)

    async def hurt(request: web.Request) -> web.StreamResponse:
        connection = sqlite3.connect(folder / "output" / "catalog.db")
        connection.execute("ALTER TABLE covers RENAME TO gone")
        connection.close()
        return web.Response(status=404)

    site.instead[ROBOTS] = hurt
    done = site.crawl(folder)
    assert done.returncode == 1
    assert "Broken off, cannot use the catalog" in closing(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before


def test_an_unusable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("")
    done = Site(DAYS).crawl(tmp_path)
    assert done.returncode == 1
    assert "cannot use" in closing(done)
    assert "Traceback" not in done.stderr


# PostgreSQL


def test_catalog_can_be_a_postgresql_database(tmp_path: Path, filled: Path, database: str) -> None:
    arguments = ["-s", f"CATALOG_URL={database}"]
    assert Site(DAYS[2:]).crawl(tmp_path, *arguments).returncode == 0
    site = Site(DAYS)
    done = site.crawl(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(site.asked_of("content.time.com")) == 2
    assert feed(tmp_path) == feed(filled)
    assert not (tmp_path / "output" / "catalog.db").exists()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM covers").fetchone() == (40,)


def test_a_catalog_out_of_reach_is_one_line(tmp_path: Path) -> None:
    done = Site(DAYS).crawl(tmp_path, "-s", "CATALOG_URL=postgresql+psycopg://u:secret@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "cannot use the catalog postgresql://127.0.0.1:1/x: " in closing(done)
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
