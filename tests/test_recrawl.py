"""The same command, night after night: what is asked for."""

import asyncio
import hashlib
import sqlite3
from pathlib import Path

import pytest
from aiohttp import web
from conftest import (
    DAYS,
    FIRST_LISTING,
    INDEX,
    ROBOTS,
    SPIDER,
    Site,
    assert_whole,
    closing,
    crawl_arguments,
    feed,
    records,
    run_scrapy,
    serving,
)
from yarl import URL

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_page, listing_url


def test_recrawl_with_nothing_new_asks_for_three_pages(folder: Path) -> None:
    before, site = feed(folder), Site(DAYS)
    done = site.crawl(folder)
    assert done.returncode == 0
    assert site.asked == [ROBOTS, INDEX, FIRST_LISTING]
    assert feed(folder) == before
    assert "40 covers in output.json, 40 pictures in output/full, nothing new: 3 requests" in closing(done)


def test_recrawl_imports_only_what_it_needs(folder: Path) -> None:
    with serving(Site(DAYS).app) as address:
        done = run_scrapy(*crawl_arguments(folder), cwd=folder, http_proxy=address, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {"timecoverspider.dataset.catalog", "aiohttp"} <= imported
    # Scrapy imports what is switched off as well, for instance tldextract with its cookies.
    assert not imported & {"PIL", "tqdm", "psycopg", "twisted.internet.reactor", "timecoverspider.replica.app"}


def test_recrawl_fetches_just_the_new_issues(tmp_path: Path, filled: Path) -> None:
    assert Site(DAYS[3:]).crawl(tmp_path).returncode == 0
    site = Site(DAYS)
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(site.asked_of("content.time.com")) == sorted(map(cover_url, DAYS[:3]))
    assert sorted(site.asked_of("img.timeinc.net")) == sorted(map(image_url, DAYS[:3]))
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
    site.instead[image_url(DAYS[6])] = draw_cover(DAYS[5], 600)

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


def test_a_cover_that_is_listed_again_is_not_awaited_again(folder: Path, filled: Path) -> None:
    site, last = Site(DAYS, latency=0.1), str(URL(listing_url(offset=30)))
    later = asyncio.Event()

    async def picture(request: web.Request) -> web.StreamResponse:
        later.set()
        return web.Response(body=draw_cover(DAYS[29], 600), content_type="image/jpeg")

    async def shifted(request: web.Request) -> web.StreamResponse:
        await later.wait()  # the first listing's covers are stored by now
        return web.Response(text=listing_page([DAYS[0], *DAYS[30:]]), content_type="text/html")

    site.instead.update({image_url(DAYS[29]): picture, last: shifted})
    done = site.crawl(folder, "-a", "refresh=1")
    assert later.is_set()
    assert done.returncode == 0, done.stderr
    assert site.asked.count(cover_url(DAYS[0])) == 1
    assert len(records(folder)) == 40


def test_a_place_on_a_page_is_no_other_page(tmp_path: Path, filled: Path) -> None:
    site = Site(DAYS)
    link = f'<a href="{cover_url(DAYS[2])}#top">Large Cover</a>'
    site.instead[FIRST_LISTING] = listing_page(DAYS).replace("</ul>", f"<li>{link}</li></ul>")
    for _ in range(2):
        done = site.crawl(tmp_path, "-a", "full=1")
        assert done.returncode == 0, done.stderr
        assert feed(tmp_path) == feed(filled)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-a", "fast=1"], ["-a", "full=yes"], ["-a", "refresh="], ["-s", "AUDIT_EVERY_DAYS=often"],
        ["-s", "UNREADABLE_LIMIT=-1"], ["-s", "ARCHIVE=Live"], ["-s", "JOBDIR=job"], ["-s", "HTTPCACHE_ENABLED=1"],
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
