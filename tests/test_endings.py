"""How a crawl ends where the archive does not give all, and what it says."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import (
    DAYS,
    FIRST_LISTING,
    INDEX,
    ROBOTS,
    Site,
    assert_whole,
    closing,
    crawl_arguments,
    feed,
    records,
    run_scrapy,
    serving,
)

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_page


def test_covers_that_fail_are_named_and_tried_again_next_time(tmp_path: Path, filled: Path) -> None:
    site = Site(DAYS)
    site.instead = {
        cover_url(DAYS[25]): cover_page(DAYS[25]).replace("2013</a>", "</a>"),
        cover_url(DAYS[26]): 404,
        image_url(DAYS[27]): 404,
        image_url(DAYS[28]): draw_cover(DAYS[28], 600)[:-300],
        image_url(DAYS[29]): b"<html>busy</html>",
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
        (_no_facet, "it yields no items and no requests"),
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
    assert len(site.asked_of("content.time.com")) < 300  # of 1,500: each page is asked for five times
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


@pytest.mark.parametrize("count", [1, 40])
def test_covers_that_made_no_sense_once_are_no_changed_layout(tmp_path: Path, count: int) -> None:
    assert Site(DAYS[count:]).crawl(tmp_path).returncode in (0, 4)  # nothing is listed when all are new
    site = Site(DAYS)
    asked: set[str] = set()

    async def sorry(request: web.Request) -> web.StreamResponse:
        url = str(request.url)
        if url not in asked:
            asked.add(url)
            return web.Response(text="<p>Sorry!</p>", content_type="text/html")
        return web.Response(text=cover_page(day_of[url]), content_type="text/html")

    day_of = {cover_url(day): day for day in DAYS[:count]}
    site.instead.update(dict.fromkeys(day_of, sorry))
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 40
    assert len(asked) == count


def test_a_link_that_is_none_costs_one_cover(tmp_path: Path) -> None:
    for link in ("javascript:void(0)", "http://[", "http://content.time.com:99999/"):
        site = Site(DAYS)
        site.instead[FIRST_LISTING] = listing_page(DAYS[:20]).replace(cover_url(DAYS[2]), link)
        done = site.crawl(tmp_path)
        assert done.returncode == 3, link
        assert "1 missing" in closing(done)
        assert link.replace("[", "%5B") in closing(done)
        assert "Traceback" not in done.stderr
        assert len(records(tmp_path)) == 39


def test_a_cover_page_that_is_no_text_is_missing(tmp_path: Path) -> None:
    site = Site(DAYS)
    moved = "http://content.time.com/moved"

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": moved})

    site.instead.update({cover_url(DAYS[2]): redirect, moved: b"\0\1\2"})
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert f"Missing: <{cover_url(DAYS[2])}>: Response content isn't text" in done.stderr
    assert "Traceback" not in done.stderr
    assert site.asked.count(moved) == 5


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
