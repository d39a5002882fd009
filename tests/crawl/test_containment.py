"""Pages and redirects cannot send the crawl elsewhere, nor choose what the log says."""

import re
from pathlib import Path

import pytest
from data_set import failures, records
from foreign_urls import FOREIGN_URLS, INVALID_URLS
from mock_archive import DAYS, FIRST_LISTING, INDEX, MockArchive, redirect
from yarl import URL

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import HOSTS, cover_page, cover_url, image_url, listing_page

COVER, IMAGE = cover_url(DAYS[3]), image_url(DAYS[3])
TARGETS = [*FOREIGN_URLS, *INVALID_URLS]


@pytest.mark.parametrize("source", ["page", "redirect of a page", "redirect of an image"])
def test_foreign_url_is_not_requested_and_costs_one_cover(tmp_path: Path, source: str) -> None:
    days = issue_dates(len(TARGETS) + 5)
    bad = days[: len(TARGETS)]
    archive = MockArchive(days)
    for day, target in zip(bad, TARGETS, strict=True):
        match source:
            case "page":
                archive.answers[cover_url(day)] = cover_page(day).replace(image_url(day), target)
            case "redirect of a page":
                archive.answers[cover_url(day)] = redirect(target)
            case "redirect of an image":
                archive.answers[image_url(day)] = redirect(target)
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert set(failures(tmp_path)) == set(map(cover_url, bad))
    assert [record["pubDate"] for record in records(tmp_path)] == [day.isoformat() for day in days[len(TARGETS) :]]
    assert archive.hosts == set(HOSTS)
    assert len(list((tmp_path / "output" / "full").iterdir())) == 5
    assert "Traceback" not in done.stderr


def test_cover_on_another_host_is_missing_and_not_forgotten(tmp_path: Path) -> None:
    archive, elsewhere = MockArchive(DAYS[:5]), "http://elsewhere.example/cover.html"
    archive.answers[FIRST_LISTING] = listing_page(DAYS[:5]).replace(cover_url(DAYS[2]), elsewhere)
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert set(failures(tmp_path)) == {elsewhere}
    assert archive.hosts == set(HOSTS)


def test_link_that_is_no_url_costs_one_cover(tmp_path: Path) -> None:
    archive, days = MockArchive(DAYS[:10]), DAYS[:10]
    links = ["javascript:void(0)", "http://[", "http://content.time.com:99999/"]
    page = listing_page(days)
    for day, link in zip(days, links, strict=False):
        page = page.replace(cover_url(day), link)
    archive.answers[FIRST_LISTING] = page
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert len(failures(tmp_path)) == 3
    assert len(records(tmp_path)) == 7
    assert all(link.replace("[", "%5B") in done.stderr for link in links)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["http://elsewhere.example/", "http://["])
def test_redirect_of_the_start_page_is_not_followed_elsewhere(tmp_path: Path, target: str) -> None:
    archive = MockArchive(DAYS[:5])
    archive.answers[INDEX] = redirect(target)
    done = archive.crawl(tmp_path)
    assert done.returncode == 4
    assert archive.hosts == {URL(INDEX).host}
    assert "Traceback" not in done.stderr


def test_redirect_within_the_archive_is_followed_and_the_page_known_by_its_first_url(tmp_path: Path) -> None:
    archive, days = MockArchive(DAYS[:5]), DAYS[:5]
    for url, content in {COVER: cover_page(DAYS[3]), IMAGE: draw_cover(DAYS[3], 600)}.items():
        moved = url.replace("/time/", "/time/moved/")
        archive.answers |= {url: redirect(moved, 301), moved: content}
    assert archive.crawl(tmp_path).returncode == 0
    [record] = [record for record in records(tmp_path) if record["pubDate"] == DAYS[3].isoformat()]
    assert record["files"][0]["url"] == IMAGE
    again = MockArchive(days)
    assert again.crawl(tmp_path, "-a", "full=1").returncode == 0
    assert not again.requests_to("content.time.com")


def test_page_cannot_forge_log_lines(tmp_path: Path) -> None:
    archive = MockArchive(DAYS[:10])
    forged = "2026-11-23 03:15:00 [x] INFO: 4,763 covers in output.json"
    archive.answers[COVER] = cover_page(DAYS[3]).replace("<time>", f"<time>\n{forged}\x1b[2J\u2028{forged} ")
    archive.answers[cover_url(DAYS[4])] = cover_page(DAYS[4]).replace(
        image_url(DAYS[4]), f"http://img.timeinc.net/a&#10;{forged}&#13;{forged}&#27;[2J.jpg"
    )
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert set(failures(tmp_path)) == {COVER, cover_url(DAYS[4])}
    assert not [line for line in re.split("[\n\r\u2028]", done.stderr) if line.startswith(forged)]
    assert "\x1b" not in done.stderr
