"""Pages and redirects cannot send the crawl elsewhere, nor choose what the log says."""

import re
from pathlib import Path

import pytest
from aiohttp import web
from conftest import ROBOTS, Site, records
from yarl import URL

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, image_url

DAYS = issue_dates(20)
COVER, PICTURE = cover_url(DAYS[3]), image_url(DAYS[3])
INDEX = str(URL("http://search.time.com/results.html?N=46&Ns=p_date_range|1"))
WHOLE = draw_cover(DAYS[3], 600)

ELSEWHERE = [
    "file:///etc/passwd",
    "ftp://img.timeinc.net/a.jpg",
    "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "s3://bucket/a.jpg",
    "http://127.0.0.1/a.jpg",
    "http://localhost/a.jpg",
    "http://[::1]/a.jpg",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/a.jpg",
    "http://2130706433/a.jpg",
    "http://img.timeinc.net:22/a.jpg",
    "http://img.timeinc.net.elsewhere.example/a.jpg",
    "http://img.timeinc.net@elsewhere.example/a.jpg",
    "http://elsewhere.img.timeinc.net/a.jpg",
    "http://.img.timeinc.net/a.jpg",
    "http://me:secret@img.timeinc.net/a.jpg",
    "http://\u2665:secret@img.timeinc.net/a.jpg",
    "//elsewhere.example/a.jpg",
]
NO_ADDRESS = ["javascript:void(0)", "mailto:editor@time.com", "http://[", "http://img.timeinc.net:99999/a.jpg"]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_page_cannot_send_the_crawl_elsewhere(tmp_path: Path, url: str) -> None:
    site = Site(DAYS)
    site.instead[COVER] = cover_page(DAYS[3]).replace(PICTURE, url)
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert f"Missing: <{COVER}>: its picture" in done.stderr
    assert "refused: " in done.stderr
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 19
    assert {URL(asked).host for asked in site.asked} == {"search.time.com", "content.time.com", "img.timeinc.net"}
    assert len(list((tmp_path / "output" / "full").iterdir())) == 19


@pytest.mark.parametrize("url", NO_ADDRESS)
@pytest.mark.parametrize("source", [COVER, PICTURE, ROBOTS])
def test_what_is_no_address_is_one_line(tmp_path: Path, source: str, url: str) -> None:
    site = Site(DAYS)

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": url})

    site.instead[COVER] = cover_page(DAYS[3]).replace(PICTURE, url)
    if source != COVER:
        site.instead = {source: redirect}
    done = site.crawl(tmp_path)
    assert done.returncode == (4 if source == ROBOTS else 3)
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == (0 if source == ROBOTS else 19)


@pytest.mark.parametrize("url", [url for url in ELSEWHERE if not url.startswith("data:")])
@pytest.mark.parametrize("source", [COVER, PICTURE])
def test_a_redirect_cannot_send_the_crawl_elsewhere(tmp_path: Path, url: str, source: str) -> None:
    site = Site(DAYS)

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": url})

    site.instead[source] = redirect
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 19
    assert {URL(asked).host for asked in site.asked} == {"search.time.com", "content.time.com", "img.timeinc.net"}


def test_a_redirect_of_the_start_cannot_send_the_crawl_elsewhere(tmp_path: Path) -> None:
    site = Site(DAYS)

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})

    site.instead[INDEX] = redirect
    done = site.crawl(tmp_path)
    assert done.returncode == 4
    assert "refused: http://elsewhere.example/" in done.stderr
    assert not site.asked_of("elsewhere.example")


@pytest.mark.parametrize("source", [COVER, PICTURE])
def test_a_redirect_within_the_archive_is_followed(tmp_path: Path, source: str) -> None:
    site = Site(DAYS)
    moved = source.replace("/time/", "/time/moved/")
    site.instead[moved] = cover_page(DAYS[3]) if source == COVER else WHOLE

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=301, headers={"Location": moved})

    site.instead[source] = redirect
    assert site.crawl(tmp_path).returncode == 0
    [record] = [record for record in records(tmp_path) if record["pubDate"] == DAYS[3].isoformat()]
    assert record["files"][0]["url"] == PICTURE
    again = Site(DAYS)
    assert again.crawl(tmp_path, "-a", "full=1").returncode == 0
    assert not again.asked_of("content.time.com")  # it is known by the address in the listing


def test_a_page_cannot_forge_log_lines(tmp_path: Path) -> None:
    site = Site(DAYS)
    forged = "2026-11-23 03:15:00 [x] INFO: 4,763 covers in output.json"
    site.instead[COVER] = cover_page(DAYS[3]).replace("<time>", f"<time>\n{forged}\x1b[2J\u2028{forged} ")
    site.instead[cover_url(DAYS[4])] = cover_page(DAYS[4]).replace(
        image_url(DAYS[4]), f"http://img.timeinc.net/a&#10;{forged}&#13;{forged}&#27;[2J.jpg"
    )
    done = site.crawl(tmp_path)
    assert done.returncode == 3
    assert not [line for line in re.split("[\n\r\u2028]", done.stderr) if line.startswith(forged)]
    assert "\x1b" not in done.stderr
