"""How a crawl ends if the archive does not give everything, and what it says."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from data_set import assert_complete, failures, feed, records
from mock_archive import DAYS, FIRST_LISTING, INDEX, ROBOTS, MockArchive
from scrapy_command import crawl_arguments, last_line, run_scrapy
from serving import serving

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, image_url


def test_covers_that_fail_are_named_and_requested_again_next_time(tmp_path: Path, filled: Path) -> None:
    archive = MockArchive()
    archive.answers = {
        cover_url(DAYS[25]): cover_page(DAYS[25]).replace("2013</a>", "</a>"),
        cover_url(DAYS[26]): 404,
        image_url(DAYS[27]): 404,
        image_url(DAYS[28]): draw_cover(DAYS[28], 600)[:-300],
        image_url(DAYS[29]): b"<html>busy</html>",
    }
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert "5 missing (<http://content.time.com/" in last_line(done)
    assert "35 covers in output.json" in last_line(done)
    assert "35 new" in last_line(done)
    reasons = failures(tmp_path)
    assert set(reasons) == set(map(cover_url, DAYS[25:30]))
    assert "not a date" in reasons[cover_url(DAYS[25])]
    for url, reason in reasons.items():
        [line] = [line for line in done.stderr.splitlines()[:-1] if f"<{url}>" in line and "ERROR" in line]
        assert reason in line
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 35
    assert_complete(tmp_path)
    again = MockArchive()
    done = again.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(again.requests_to("content.time.com")) == sorted(map(cover_url, DAYS[25:30]))
    assert feed(tmp_path) == feed(filled)
    assert not failures(tmp_path)


def _index_without_facet(archive: MockArchive) -> None:
    archive.answers[INDEX] = "<div class=refineCol><ul><li><a href=/x>TIME Europe</a></ul></div>"


def _robots_txt_forbids_all(archive: MockArchive) -> None:
    archive.answers[ROBOTS] = "User-agent: *\nDisallow: /"


def _listing_is_gone(archive: MockArchive) -> None:
    archive.answers[FIRST_LISTING] = 404


@pytest.mark.parametrize("change", [_index_without_facet, _robots_txt_forbids_all, _listing_is_gone])
def test_archive_that_cannot_be_read_changes_nothing(
    folder: Path, filled: Path, change: Callable[[MockArchive], None]
) -> None:
    archive = MockArchive()
    change(archive)
    done = archive.crawl(folder)
    assert done.returncode == 4
    assert "<http://search.time.com/" in last_line(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == feed(filled)


def test_archive_that_is_down_changes_nothing(folder: Path, filled: Path) -> None:
    with serving(MockArchive().app) as address:
        pass  # a port at which nobody listens any more
    done = run_scrapy(*crawl_arguments(folder), cwd=folder, http_proxy=address)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert feed(folder) == feed(filled)


def test_exit_status_does_not_depend_on_the_log(folder: Path) -> None:
    archive = MockArchive()
    archive.answers[INDEX] = 410
    for quiet in (["--nolog"], ["-L", "CRITICAL"]):
        done = archive.crawl(folder, *quiet)
        assert (done.returncode, done.stderr) == (4, "")


def test_changed_layout_ends_the_crawl_early_and_keeps_pages_for_scrapy_shell(tmp_path: Path) -> None:
    days = issue_dates(300)
    archive = MockArchive(days)
    for day in days:
        archive.answers[cover_url(day)] = cover_page(day).replace("art-cover-photo", "hero")
    done = archive.crawl(tmp_path)
    assert done.returncode == 4
    assert "layout" in last_line(done)
    assert len(archive.requests_to("content.time.com")) < 300  # of 1,500: each page is requested five times
    pages = list((tmp_path / "output" / "rejected").glob("*.html"))
    assert len(pages) == 20
    url, reason = pages[0].with_suffix(".txt").read_text().splitlines()
    assert pages[0].stem == hashlib.sha1(url.encode()).hexdigest()
    [hint] = re.findall(rf"<{re.escape(url)}>: {re.escape(reason)} \((scrapy shell .*)\)", done.stderr)
    arguments = [*hint.replace('"', "").split()[1:], "--nolog", "-c", "response.css('h1 time a::text').get()"]
    assert run_scrapy(*arguments, cwd=tmp_path).stdout.strip() in {str(day.year) for day in days}


def test_only_new_cover_that_is_invalid_is_a_changed_layout(tmp_path: Path) -> None:
    assert MockArchive(DAYS[1:]).crawl(tmp_path).returncode == 0
    archive = MockArchive()
    archive.answers[cover_url(DAYS[0])] = "<p>Subscribe!</p>"
    assert archive.crawl(tmp_path).returncode == 4
    assert len(records(tmp_path)) == 39


@pytest.mark.parametrize("argument", ["full=1", "refresh=1"])
@pytest.mark.parametrize("listed", [1, 16])
def test_listings_that_end_too_soon_are_noticed_and_remove_nothing(
    folder: Path, filled: Path, argument: str, listed: int
) -> None:
    done = MockArchive(DAYS[:listed]).crawl(folder, "-a", argument)
    assert done.returncode == 4
    assert f"{listed} of 40" in last_line(done)
    assert feed(folder) == feed(filled)
    assert MockArchive().crawl(folder).returncode == 0
