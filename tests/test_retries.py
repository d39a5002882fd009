"""What fails is tried again, what a page may ask for, and what it cannot say."""

import doctest
import re
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import web
from conftest import Handler, Site, records
from yarl import URL

from timecoverspider import backoff, text, urls
from timecoverspider.backoff import retry_after
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import (
    cover_page,
    cover_url,
    image_url,
    index_page,
    listing_page,
    listing_url,
)

DAYS = issue_dates(20)
COVER, PICTURE = cover_url(DAYS[3]), image_url(DAYS[3])
INDEX = str(URL("http://search.time.com/results.html?N=46&Ns=p_date_range|1"))
LISTING = str(URL(f"{listing_url()}&sid=150424A4D8E2&internalid=endeca_dimension"))
WHOLE = draw_cover(DAYS[3], 600)


@pytest.mark.parametrize("module", [text, urls, backoff])
def test_docstrings_hold(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


def test_retry_after_reads_dates() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < retry_after(format_datetime(soon, usegmt=True)) <= 30
    assert retry_after("-5") == retry_after("Thu, 99 Foo 2026") == 0


def first(times: int, answer: Any, then: str | bytes) -> Handler:
    """Answers wrongly for so many times, and rightly from then on."""
    asked = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked <= times:
            return answer()
        body = then if isinstance(then, bytes) else then.encode()
        return web.Response(body=body, content_type="image/jpeg" if isinstance(then, bytes) else "text/html")

    return handle


def page(text: str = "<p>Come back later</p>") -> web.Response:
    return web.Response(text=text, content_type="text/html")


def titled(title: str, day: date = DAYS[3]) -> str:
    """A cover page with a title of the test's own."""
    return re.sub("<h1>[^<]*", f"<h1>{title} ", cover_page(day))


@pytest.mark.parametrize(
    ("url", "answer", "whole"),
    [
        (COVER, lambda: web.Response(status=503), cover_page(DAYS[3])),
        (COVER, page, cover_page(DAYS[3])),
        (COVER, lambda: page(cover_page(DAYS[3]).replace("<time>", "<time>Smarch ")), cover_page(DAYS[3])),
        (PICTURE, lambda: web.Response(status=500), WHOLE),
        (PICTURE, lambda: web.Response(status=429), WHOLE),
        (PICTURE, lambda: web.Response(body=WHOLE[:9000]), WHOLE),
        (PICTURE, page, WHOLE),
        (PICTURE, web.Response, WHOLE),
        (COVER, lambda: web.Response(status=302, headers={"Location": COVER}), cover_page(DAYS[3])),
    ],
)
def test_what_fails_four_times_is_had_the_fifth_time(tmp_path: Path, url: str, answer: Any, whole: Any) -> None:
    site = Site(DAYS)
    site.instead[url] = first(4, answer, whole)
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert site.asked.count(url) == 5
    assert len(records(tmp_path)) == 20
    assert not re.search("ERROR|WARNING|Traceback", done.stderr)


@pytest.mark.parametrize("url", [INDEX, LISTING])
def test_an_index_or_listing_that_makes_no_sense_is_asked_for_again(tmp_path: Path, url: str) -> None:
    site = Site(DAYS)
    good: list[bytes] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        if site.asked.count(url) <= 2:
            return page()
        return web.Response(body=good[0], content_type="text/html")

    good.append((index_page(20) if url == INDEX else listing_page(DAYS)).encode())
    site.instead[url] = handle
    done = site.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 20


@pytest.mark.parametrize("cuts", [2, 99])
def test_a_listing_that_is_cut_is_not_the_last_one(tmp_path: Path, cuts: int) -> None:
    site = Site(DAYS)
    whole = listing_page(DAYS)
    site.instead[LISTING] = first(cuts, lambda: page(whole[: whole.index("pages") - 20]), whole)
    done = site.crawl(tmp_path)
    assert done.returncode == (0 if cuts == 2 else 4), done.stderr
    assert len(records(tmp_path)) == (20 if cuts == 2 else 15)
    assert ("it is cut short" in done.stderr) == (cuts == 99)


def test_utf_8_is_read_as_such_whatever_the_header_says(tmp_path: Path) -> None:
    site = Site(DAYS)
    site.instead[COVER] = first(
        99, lambda: web.Response(body=titled("♥ en España").encode(), content_type="text/html", charset="latin-1"), ""
    )
    other = cover_url(DAYS[4])
    site.instead[other] = first(
        99,
        lambda: web.Response(
            body=titled("España", DAYS[4]).encode("latin-1"), content_type="text/html", charset="latin-1"
        ),
        "",
    )
    assert site.crawl(tmp_path).returncode == 0
    assert {"♥ en España", "España"} <= {record["title"] for record in records(tmp_path)}


def test_what_always_fails_is_given_up_after_five_times(tmp_path: Path) -> None:
    site = Site(DAYS)
    site.instead = {COVER: 503, image_url(DAYS[4]): b"no picture"}
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert site.asked.count(COVER) == site.asked.count(image_url(DAYS[4])) == 5
    assert f"Missing: <{COVER}>: HTTP 503" in done.stderr
    assert "Traceback" not in done.stderr
    assert all(record["files"] for record in records(tmp_path))
    assert len(records(tmp_path)) == 18


@pytest.mark.parametrize("url", [COVER, PICTURE])
def test_retry_after_is_obeyed(tmp_path: Path, url: str) -> None:
    site, times = Site(DAYS), []

    async def busy(request: web.Request) -> web.StreamResponse:
        times.append(monotonic())
        if len(times) == 1:
            return web.Response(status=503, headers={"Retry-After": "2"})
        return page(cover_page(DAYS[3])) if url == COVER else web.Response(body=WHOLE)

    site.instead[url] = busy
    assert site.crawl(tmp_path).returncode == 0
    assert times[1] - times[0] >= 2


def test_waiting_stalls_nobody_else(tmp_path: Path) -> None:
    days = issue_dates(80)
    site = Site(days)
    # More than CONCURRENT_REQUESTS, and all in the first listings.
    for day in days[:40]:
        site.instead[cover_url(day)] = first(1, lambda: web.Response(status=503), cover_page(day))
    done = site.crawl(tmp_path, "-s", "RETRY_BACKOFF=8")
    assert done.returncode == 0, done.stderr
    pages = site.asked_of("content.time.com")
    assert len(pages) == 120
    assert len(set(pages[:80])) == 80  # all of them before any is asked for again


def test_two_pages_with_one_picture_are_two_covers(tmp_path: Path) -> None:
    site = Site(DAYS)
    site.instead[COVER] = cover_page(DAYS[3]).replace(PICTURE, image_url(DAYS[4]))
    assert site.crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 20
    assert len(list((tmp_path / "output" / "full").iterdir())) == 19


def test_a_bad_picture_never_replaces_a_good_one(tmp_path: Path) -> None:
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "output" / "full").iterdir()}
    site = Site(DAYS)
    site.instead[PICTURE] = WHOLE[:-500]
    done = site.crawl(tmp_path, "-a", "refresh=1")
    assert done.returncode == 3
    assert {path: path.read_bytes() for path in (tmp_path / "output" / "full").iterdir()} == before
    assert len(records(tmp_path)) == 20


def test_pictures_that_wait_stall_nobody_else(tmp_path: Path) -> None:
    days = issue_dates(200)
    site = Site(days)
    # More than may wait for the disk at a time.
    for day in days[:120]:
        site.instead[image_url(day)] = first(1, lambda: web.Response(status=503), WHOLE)
    done = site.crawl(tmp_path, "-s", "RETRY_BACKOFF=10")
    assert done.returncode == 0, done.stderr
    pictures = site.asked_of("img.timeinc.net")
    assert len(pictures) == 320
    assert len(set(pictures[:200])) == 200  # all of them before any is asked for again
