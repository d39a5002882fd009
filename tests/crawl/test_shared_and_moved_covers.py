"""Crawls of covers that share an image, that show another cover, or whose URLs have changed."""

import itertools
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web
from data_set import assert_complete, failures, feed, records, rows
from mock_archive import DAYS, FIRST_LISTING, MockArchive, redirect
from sample_dataset import small_jpeg
from scrapy_command import FULL_SPEED, last_line, run_scrapy
from yarl import URL

from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_page, listing_url

pytestmark = pytest.mark.slow

FEW = DAYS[:20]
SHARED = image_url(FEW[0])


def verified(folder: Path) -> int:
    """Return the exit status of scrapy verify."""
    options = ["-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED]
    return run_scrapy("verify", *options, cwd=folder, http_proxy="http://127.0.0.1:9").returncode


def sharing(*days: date) -> MockArchive:
    """Return an archive in which the covers of some days have the same image, another one for each request."""
    archive, numbers = MockArchive(FEW), itertools.count()

    async def another(request: web.Request) -> web.StreamResponse:
        return web.Response(body=small_jpeg("x" * next(numbers)), content_type="image/jpeg")

    for day in days:
        archive.answers[cover_url(day)] = cover_page(day).replace(image_url(day), SHARED)
    archive.answers[SHARED] = another
    return archive


def test_covers_that_share_a_changing_image_have_the_checksum_of_the_file(tmp_path: Path) -> None:
    archive = sharing(FEW[0], FEW[1], FEW[19])  # the last one is read when the image is stored already
    for arguments in ([], ["-a", "refresh=1"]):
        done = archive.crawl(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        assert_complete(tmp_path)
        checksums = {row["files"][0]["checksum"] for row in records(tmp_path) if row["file_urls"] == [SHARED]}
        assert len(checksums) == 1
        assert verified(tmp_path) == 0
    assert len(records(tmp_path)) == 20


def test_shared_image_that_is_damaged_is_requested_once_and_right_for_all_its_covers(tmp_path: Path) -> None:
    archive = sharing(FEW[0], FEW[1])
    assert archive.crawl(tmp_path).returncode == 0
    [path] = {row["files"][0]["path"] for row in records(tmp_path) if row["file_urls"] == [SHARED]}
    (tmp_path / "output" / path).unlink()
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert archive.requests_to("img.timeinc.net") == [SHARED]
    assert_complete(tmp_path)
    assert verified(tmp_path) == 0


def test_cover_page_of_another_cover_is_a_failed_cover_and_no_copy(tmp_path: Path) -> None:
    archive = MockArchive(FEW)
    archive.answers = {
        cover_url(FEW[3]): redirect(cover_url(FEW[4])),
        cover_url(FEW[5]): cover_page(FEW[6]),
        cover_url(FEW[7]): redirect(f"{cover_url(FEW[7])}?again"),  # of the same cover
        f"{cover_url(FEW[7])}?again": cover_page(FEW[7]),
    }
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert "2 missing" in last_line(done)
    assert "Traceback" not in done.stderr
    reasons = failures(tmp_path)
    assert set(reasons) == {cover_url(FEW[3]), cover_url(FEW[5])}
    assert f"shows {FEW[4]}, and its link says {FEW[3]}" in reasons[cover_url(FEW[3])]
    assert f"shows {FEW[6]}, and its link says {FEW[5]}" in reasons[cover_url(FEW[5])]
    assert [row["pubDate"] for row in records(tmp_path)] == [str(day) for day in FEW if day not in (FEW[3], FEW[5])]


def test_stored_cover_whose_page_shows_another_cover_stays_as_it_was(folder: Path, filled: Path) -> None:
    archive = MockArchive()
    archive.answers = {cover_url(DAYS[3]): redirect(cover_url(DAYS[4])), cover_url(DAYS[5]): cover_page(DAYS[6])}
    done = archive.crawl(folder, "-a", "refresh=1")
    assert done.returncode == 3
    assert "2 missing" in last_line(done)
    assert feed(folder) == feed(filled)


def with_query(days: Sequence[date], query: str) -> MockArchive:
    """Return an archive in which the URL of each cover page ends in a query."""
    archive = MockArchive(days)
    for offset in range(0, len(days), 15):
        page = listing_page(days, offset=offset)
        for day in days:
            page = page.replace(f'"{cover_url(day)}"', f'"{cover_url(day)}?{query}"')
            archive.answers[f"{cover_url(day)}?{query}"] = cover_page(day)
        archive.answers[str(URL(listing_url(offset=offset)))] = page
    archive.answers[FIRST_LISTING] = archive.answers[str(URL(listing_url()))]
    return archive


def test_covers_whose_urls_all_change_are_the_same_records_with_the_new_urls(tmp_path: Path) -> None:
    assert MockArchive(FEW).crawl(tmp_path).returncode == 0
    before = feed(tmp_path)
    for query in ("v=2", "v=3"):
        archive = with_query(FEW, query)
        done = archive.crawl(tmp_path)
        assert done.returncode == 0, done.stderr
        assert feed(tmp_path) == before
        urls = {url for (url,) in rows(tmp_path, "SELECT page_url FROM records")}
        assert urls == {f"{cover_url(day)}?{query}" for day in FEW}
        archive.crawl(tmp_path)
        assert len(archive.requests) == 3  # they are known now


@pytest.mark.parametrize("listed", [5, 20])
def test_listings_with_new_urls_that_end_too_soon_are_noticed(tmp_path: Path, listed: int) -> None:
    assert MockArchive(FEW).crawl(tmp_path).returncode == 0
    before = feed(tmp_path)
    archive = with_query(FEW[:listed], "v=2")
    assert archive.crawl(tmp_path).returncode == (0 if listed == 20 else 4)
    assert feed(tmp_path) == before


def test_cover_under_two_urls_is_one_record(tmp_path: Path) -> None:
    archive, twin = MockArchive(FEW), f"{cover_url(FEW[2])}?from=home"
    link = f'<li><a href="{twin}">Large Cover</a></li>'
    archive.answers = {FIRST_LISTING: listing_page(FEW).replace("</ul>", f"{link}</ul>"), twin: cover_page(FEW[2])}
    for arguments in ([], ["-a", "full=1"], ["-a", "refresh=1"]):
        done = archive.crawl(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        assert [row["pubDate"] for row in records(tmp_path)] == [str(day) for day in FEW]
        assert "20 covers in output.json" in last_line(done)
