"""A failure that a person knows of is no reason for an exit status, until it changes."""

from pathlib import Path

import pytest
from data_set import rows
from mock_archive import DAYS, FIRST_LISTING, MockArchive
from scrapy_command import Done, last_line, run_scrapy
from yarl import URL

from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_url

pytestmark = pytest.mark.slow

PAGE, IMAGE, INVALID = DAYS[33], DAYS[34], DAYS[2]


def status(folder: Path, *arguments: str) -> Done:
    return run_scrapy("status", "-s", f"FILES_STORE={folder / 'output'}", *arguments, cwd=folder)


def test_accepted_failures_do_not_count_until_they_change(tmp_path: Path) -> None:
    archive = MockArchive()
    archive.answers = {
        cover_url(PAGE): 404,
        image_url(IMAGE): 410,
        cover_url(INVALID): cover_page(INVALID).replace("<time>", "<time>12345 "),
    }
    assert archive.crawl(tmp_path).returncode == 3
    accepted = [part for day in (PAGE, IMAGE, INVALID) for part in ("--accept", cover_url(day))]
    done = status(tmp_path, *accepted)
    assert done.returncode == 0, done.stdout
    assert "Accepted as failed: 3" in done.stdout
    assert cover_url(PAGE) in done.stdout
    assert "3 failures accepted" in done.stdout.splitlines()[-1]

    archive.answers[cover_url(INVALID)] = cover_page(INVALID).replace("<time>", "<time>678 ")
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 accepted as failed" in last_line(done)
    assert "ERROR" not in done.stderr
    assert status(tmp_path).returncode == 0

    done = archive.crawl(tmp_path)  # which may end the listings early, although the site has more covers
    assert (done.returncode, status(tmp_path).returncode) == (0, 0), done.stderr
    listings = archive.requests_to("search.time.com")[1:]
    assert listings == [FIRST_LISTING, str(URL(listing_url(offset=15)))]
    assert cover_url(PAGE) not in archive.requests

    archive.answers[cover_url(PAGE)] = 403
    archive.answers.pop(cover_url(INVALID))
    done = archive.crawl(tmp_path, "-a", "full=1")
    assert done.returncode == 3
    assert f"1 missing (<{cover_url(PAGE)}> HTTP 403)" in last_line(done)
    assert "1 accepted as failed" in last_line(done)
    assert rows(tmp_path, "SELECT url FROM pages WHERE accepted <> ''") == [(cover_url(IMAGE),)]
    done = status(tmp_path)
    assert done.returncode == 3
    assert "1 page failed; 1 failure accepted" in done.stdout.splitlines()[-1]
