"""Crawls of listings that end too soon, by the site's own count, or never."""

import itertools
from pathlib import Path

import pytest
from aiohttp import web
from data_set import feed, records, rows
from mock_archive import DAYS, FIRST_LISTING, INDEX, Handler, MockArchive, page
from scrapy_command import Done, last_line

from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url, image_url, index_page, listing_page

pytestmark = pytest.mark.slow

FIFTY = issue_dates(50)


def stating(text: str, days: int = 50) -> str:
    """Return the index page with another text in the link to the listings."""
    return index_page(days).replace(f"TIME U.S. ({days})", text)


def next_is_renamed(archive: MockArchive) -> MockArchive:
    archive.answers[FIRST_LISTING] = listing_page(FIFTY).replace(">Next<", ">Older<")
    return archive


def outcome(folder: Path) -> tuple[str, int | None]:
    """Return how the latest crawl ended, and what the site stated."""
    [(outcome, stated)] = rows(folder, "SELECT outcome, stated FROM crawls ORDER BY id DESC LIMIT 1")
    return outcome, stated


@pytest.mark.parametrize("index", [index_page(50), stating("TIME U.S.</a> <b>(50)</b><a>")])
def test_pagination_that_cannot_be_found_is_noticed_by_the_stated_number_every_night(
    tmp_path: Path, index: str
) -> None:
    archive = next_is_renamed(MockArchive(FIFTY))
    archive.answers[INDEX] = index
    for _ in range(2):
        done = archive.crawl(tmp_path)
        assert done.returncode == 4
        assert "<http://search.time.com/results.html?N=46+30" in last_line(done)
        assert "the site states 50 records, and the listings lead to 15." in last_line(done)
        assert outcome(tmp_path) == ("archive unreadable", 50)
    assert len(records(tmp_path)) == 15
    assert MockArchive(FIFTY).crawl(tmp_path).returncode == 0
    assert outcome(tmp_path) == ("complete", 50)
    assert len(records(tmp_path)) == 50


def test_named_failures_explain_why_there_are_fewer_records_than_stated(tmp_path: Path) -> None:
    archive = MockArchive(FIFTY)
    archive.answers = {cover_url(FIFTY[3]): 404, image_url(FIFTY[4]): 404}
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert "2 missing" in last_line(done)
    assert "48 new, 50 on the site" in last_line(done)


@pytest.mark.parametrize("stated", [40, 0])
def test_more_records_than_stated_are_a_warning(tmp_path: Path, stated: int) -> None:
    archive = MockArchive(FIFTY)
    archive.answers[INDEX] = stating(f"TIME U.S. ({stated})")
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert f"states {stated} covers, and 50 are stored" in line


def test_site_that_states_no_number_is_believed_and_the_catalog_has_none(tmp_path: Path) -> None:
    archive = MockArchive(FIFTY)
    archive.answers[INDEX] = stating("TIME U.S.")
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "on the site" not in last_line(done)
    assert outcome(tmp_path) == ("complete", None)


@pytest.mark.parametrize("stated", [51, 60])
def test_site_that_states_more_than_is_stored_is_read_to_the_end_every_night(tmp_path: Path, stated: int) -> None:
    assert MockArchive(FIFTY).crawl(tmp_path).returncode == 0
    archive = MockArchive(FIFTY)
    archive.answers[INDEX] = stating(f"TIME U.S. ({stated})")
    for _ in range(2):
        done = archive.crawl(tmp_path)
        assert done.returncode == 4
        assert f"the site states {stated} records, and the listings lead to 50." in last_line(done)


class _Endless(MockArchive):
    """An archive whose listings are made by a function from a number that is another one each time."""

    def __init__(self, listing: "Handler") -> None:
        super().__init__(DAYS[:20])
        self._listing = listing

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/results.html" and request.query.get("N") == "46 30":
            self.requests.append(str(request.url))
            return await self._listing(request)
        return await super()._answer(request, handler)


def endless(covers: str, links: int = 1, stated: str = "TIME U.S.") -> MockArchive:
    """Return an archive whose listings have these covers, ``{}`` for a new number, and new Next links without end."""
    numbers = itertools.count(1)

    async def listing(request: web.Request) -> web.StreamResponse:
        following = "".join(f"<a href='/results.html?N=46+30&No={next(numbers)}'>Next</a>" for _ in range(links))
        return page(f"<html>{covers.format(next(numbers))}<div class='pages'>{following}</div></html>")

    archive = _Endless(listing)
    archive.answers[INDEX] = stating(stated, 20)
    return archive


def assert_ended(archive: MockArchive, done: Done, reason: str) -> None:
    assert done.returncode == 4
    assert "<http://search.time.com/results.html?N=46+30&No=" in last_line(done)
    assert reason in last_line(done)
    assert len(archive.requests) < 200


LARGE_COVER = "<a href='{}'>Large Cover</a>"
STORED = "".join(LARGE_COVER.format(cover_url(day)) for day in DAYS[:15])


@pytest.mark.parametrize("links", [1, 50])
@pytest.mark.parametrize("covers", [STORED, LARGE_COVER.format("http://content.time.com/time/covers/gone.html")])
def test_pagination_without_end_that_shows_nothing_new_is_ended(tmp_path: Path, covers: str, links: int) -> None:
    archive = endless(covers, links)
    assert_ended(archive, archive.crawl(tmp_path), "20 listings in a row show nothing new")


def test_pagination_without_end_of_a_stored_dataset_is_ended_and_changes_nothing(folder: Path, filled: Path) -> None:
    archive = endless(STORED)
    assert_ended(archive, archive.crawl(folder, "-a", "full=1"), "20 listings in a row show nothing new")
    assert feed(folder) == feed(filled)


@pytest.mark.parametrize("url", ["http://content.time.com/time/covers/{}.html", f"{cover_url(DAYS[0])}?v={{}}"])
def test_pagination_without_end_that_shows_new_pages_is_ended_by_the_stated_number(tmp_path: Path, url: str) -> None:
    archive = endless(
        "".join(LARGE_COVER.format(url.replace("{}", f"{{0}}{number}")) for number in range(15)),
        stated="TIME U.S. (20)",
    )
    assert_ended(archive, archive.crawl(tmp_path), "the site states 20 records, and the listings show more than ")


def test_pagination_without_end_whose_listings_have_no_cover_is_ended(tmp_path: Path) -> None:
    archive = endless("<p>{}</p>")
    assert_ended(archive, archive.crawl(tmp_path), "the page lists no covers")
