"""Pages that are too large, too deep, or made to confuse: the crawl ends, and names each."""

from pathlib import Path

import pytest
from aiohttp import web
from data_set import failures, records
from mock_archive import DAYS, FIRST_LISTING, Handler, MockArchive
from scrapy_command import last_line

from timecoverspider.replica.pages import cover_page, cover_url, listing_page

COVERS = DAYS[:10]
COVER = cover_page(COVERS[0])


def answering(body: str, charset: str = "utf-8") -> Handler:
    """Return a handler that gives a page, and says that it has that charset."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body.encode(), headers={"Content-Type": f"text/html; charset={charset}"})

    return handle


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (COVER.replace("<time>", f"<time>Mar.{' ' * 400_000}"), "not a date: 'Mar. "),
        (COVER.replace("<article", f"{'<div>' * 1000}<article"), "more than 256 elements"),
        (COVER.replace("<article", f"{'<b><i>' * 2000}<article"), "more than 256 elements"),
        (COVER + "x" * 2**21, "larger than download max size (2097152)"),
        (f'<base href="http://[::1">{COVER}', "Invalid IPv6 URL"),
        (f'<base href="http://a:99999999/">{COVER}', "Port out of range"),
        (COVER.replace("<h1>", f"<h1>{'T' * 1001}"), "the title has 1,0"),
    ],
)
def test_cover_page_that_cannot_be_read_is_missing_and_named_and_the_rest_is_stored(
    tmp_path: Path, body: str, reason: str
) -> None:
    archive = MockArchive(COVERS)
    archive.answers[cover_url(COVERS[0])] = answering(body)
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert f"1 missing (<{cover_url(COVERS[0])}> " in last_line(done)
    assert reason in failures(tmp_path)[cover_url(COVERS[0])]
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 9


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "../x", "x" * 1000])
def test_page_of_2_mb_in_an_encoding_that_browsers_do_not_know_is_read(tmp_path: Path, charset: str) -> None:
    archive = MockArchive(COVERS)
    junk = f"<p>\udc80{'-abc' * 500_000}</p>"  # a byte that is not UTF-8

    async def handle(request: web.Request) -> web.StreamResponse:
        body = (COVER + junk).encode(errors="surrogateescape")
        return web.Response(body=body, headers={"Content-Type": f"text/html; charset={charset}"})

    archive.answers[cover_url(COVERS[0])] = handle
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 10


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (listing_page(COVERS) + " " * 2**21, "larger than download max size (2097152)"),
        (f'<base href="http://[::1">{listing_page(COVERS)}', "Invalid IPv6 URL"),
        (listing_page(COVERS).replace("<ul>", f"{'<div>' * 1000}<ul>"), "more than 256 elements"),
    ],
)
def test_listing_that_cannot_be_read_is_an_error_of_the_site(tmp_path: Path, body: str, reason: str) -> None:
    archive = MockArchive(COVERS)
    archive.answers[FIRST_LISTING] = answering(body)
    done = archive.crawl(tmp_path)
    assert done.returncode == 4
    assert "<http://search.time.com/results.html?N=46+30" in last_line(done)
    assert reason in last_line(done)
    assert "Traceback" not in done.stderr


def test_size_of_a_page_can_be_set_and_does_not_limit_images(tmp_path: Path) -> None:
    archive = MockArchive(COVERS)
    archive.answers[cover_url(COVERS[0])] = answering(COVER + "x" * 5000)
    done = archive.crawl(tmp_path, "-s", "PAGE_MAXSIZE=5000")  # a listing has 4,000 bytes, an image 40,000
    assert done.returncode == 3
    assert list(failures(tmp_path)) == [cover_url(COVERS[0])]
    assert len(records(tmp_path)) == 9
