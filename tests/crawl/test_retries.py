"""What fails is requested again, and costs nothing if it goes away."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from data_set import failures, records
from mock_archive import FIRST_LISTING, INDEX, MockArchive, failing, page, redirect

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, image_url, index_page, listing_page

DAYS = issue_dates(20)
IMAGE = draw_cover(DAYS[0], 600)
Wrong = Callable[[], web.StreamResponse]


def status(status: int, **headers: str) -> Wrong:
    return lambda: web.Response(status=status, headers=headers)


WRONG_PAGES: list[Wrong] = [
    status(503),
    page,
    lambda: page(cover_page(DAYS[0]).replace("<time>", "<time>Smarch ")),
    web.Response,
]
WRONG_IMAGES: list[Wrong] = [status(500), status(429), lambda: web.Response(body=IMAGE[:9000]), page, web.Response]


def test_what_is_wrong_four_times_is_stored_the_fifth_time(tmp_path: Path) -> None:
    archive = MockArchive(DAYS)
    for day, wrong in zip(DAYS, WRONG_PAGES, strict=False):
        archive.answers[cover_url(day)] = failing(4, wrong, cover_page(day))
    for day, wrong in zip(DAYS[10:], WRONG_IMAGES, strict=False):
        archive.answers[image_url(day)] = failing(4, wrong, IMAGE)
    circle = cover_url(DAYS[9])
    archive.answers[circle] = failing(4, status(302, Location=circle), cover_page(DAYS[9]))
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert {archive.requests.count(url) for url in archive.answers} == {5}
    assert len(records(tmp_path)) == 20
    assert not re.search("ERROR|WARNING|Traceback", done.stderr)


def test_what_is_always_wrong_is_given_up_after_five_requests(tmp_path: Path) -> None:
    archive, moved = MockArchive(DAYS), "http://content.time.com/moved"
    bad_pages = {cover_url(DAYS[3]): 503, cover_url(DAYS[5]): redirect(moved), moved: b"\0\1\2"}
    archive.answers = {**bad_pages, image_url(DAYS[4]): b"no image"}
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    counts = {url: archive.requests.count(url) for url in archive.answers}
    assert counts == {**dict.fromkeys(archive.answers, 5), cover_url(DAYS[5]): 1}  # what it leads to is retried
    assert set(failures(tmp_path)) == set(map(cover_url, DAYS[3:6]))
    assert "HTTP 503" in failures(tmp_path)[cover_url(DAYS[3])]
    assert "Traceback" not in done.stderr
    assert len(records(tmp_path)) == 17


def test_index_and_listing_that_are_invalid_are_retried(tmp_path: Path) -> None:
    archive, listing = MockArchive(DAYS), listing_page(DAYS)
    answers = iter([page(), page(listing[: listing.index("pages") - 20]), page(listing)])
    archive.answers = {
        INDEX: failing(2, page, index_page(20)),
        FIRST_LISTING: failing(2, lambda: next(answers), listing),  # without covers, then cut short
    }
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 20


def test_listing_that_is_always_cut_short_is_not_the_last_one(tmp_path: Path) -> None:
    archive, listing = MockArchive(DAYS), listing_page(DAYS)
    archive.answers[FIRST_LISTING] = listing[: listing.index("pages") - 20]
    done = archive.crawl(tmp_path)
    assert done.returncode == 4, done.stderr
    assert len(records(tmp_path)) == 15


def test_covers_that_are_invalid_once_are_no_changed_layout(tmp_path: Path) -> None:
    archive = MockArchive(DAYS)
    archive.answers.update({cover_url(day): failing(1, page, cover_page(day)) for day in DAYS})
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(archive.requests_to("content.time.com")) == 40
    assert len(records(tmp_path)) == 20


def test_two_pages_with_one_image_are_two_covers(tmp_path: Path) -> None:
    archive = MockArchive(DAYS)
    archive.answers[cover_url(DAYS[3])] = cover_page(DAYS[3]).replace(image_url(DAYS[3]), image_url(DAYS[4]))
    assert archive.crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 20
    assert len(list((tmp_path / "output" / "full").iterdir())) == 19


def test_invalid_image_never_replaces_a_valid_one(tmp_path: Path) -> None:
    assert MockArchive(DAYS).crawl(tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "output" / "full").iterdir()}
    archive = MockArchive(DAYS)
    archive.answers[image_url(DAYS[3])] = IMAGE[:-500]
    assert archive.crawl(tmp_path, "-a", "refresh=1").returncode == 3
    assert {path: path.read_bytes() for path in (tmp_path / "output" / "full").iterdir()} == before
    assert len(records(tmp_path)) == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "failing_first", "host"), [(80, 40, "content.time.com"), (200, 120, "img.timeinc.net")]
)
def test_retries_that_wait_let_all_other_requests_pass(
    tmp_path: Path, days: int, failing_first: int, host: str
) -> None:
    archive = MockArchive(issue_dates(days))
    for day in issue_dates(failing_first):  # more than CONCURRENT_REQUESTS, and than images that may wait for the disk
        url, right = (
            (cover_url(day), cover_page(day)) if host == "content.time.com" else (image_url(day), draw_cover(day, 600))
        )
        archive.answers[url] = failing(1, status(503), right)
    done = archive.crawl(tmp_path, "-s", "RETRY_BACKOFF=10")
    assert done.returncode == 0, done.stderr
    requests = archive.requests_to(host)
    assert len(requests) == days + failing_first
    assert len(set(requests[:days])) == days  # all of them before any retry
