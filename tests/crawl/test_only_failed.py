"""``-a only=failed``: what failed is requested again, and nothing else."""

import json
from pathlib import Path

import pytest
from data_set import failures, feed, records, rows
from mock_archive import DAYS, FIRST_LISTING, MockArchive
from scrapy_command import SPIDER, last_line, run_scrapy
from yarl import URL

from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_url

ONLY = ("-a", "only=failed")
PAGE, IMAGE = DAYS[20], DAYS[21]


def test_only_failed_pages_are_requested_until_the_data_set_is_complete(tmp_path: Path, filled: Path) -> None:
    archive = MockArchive()
    archive.answers = {cover_url(PAGE): cover_page(DAYS[0]), image_url(IMAGE): 404}
    assert archive.crawl(tmp_path).returncode == 3
    before = failures(tmp_path)
    assert "its link says" in before[cover_url(PAGE)]  # the date of the link is in the meta of the request
    report = json.loads((tmp_path / "output" / "report.json").read_bytes())
    store = f"FILES_STORE={tmp_path / 'output'}"
    assert report["retry"] == f"scrapy crawl {SPIDER} -o output.json -a only=failed -s {store}"

    done = archive.crawl(tmp_path, *ONLY)
    assert done.returncode == 3, done.stderr  # and no site that cannot be read, although no page is valid
    assert failures(tmp_path) == before
    assert len(records(tmp_path)) == 38

    archive = MockArchive()
    done = archive.crawl(tmp_path, *ONLY)
    assert done.returncode == 0, done.stderr
    assert not archive.requests_to("search.time.com")
    assert sorted(archive.requests_to("content.time.com")) == sorted([cover_url(PAGE), cover_url(IMAGE)])
    assert sorted(archive.requests_to("img.timeinc.net")) == sorted([image_url(PAGE), image_url(IMAGE)])
    assert feed(tmp_path) == feed(filled)
    assert "2 new" in last_line(done)
    assert not failures(tmp_path)
    assert rows(tmp_path, "SELECT url FROM page_requests") == []
    assert rows(tmp_path, "SELECT id FROM crawls WHERE outcome = 'complete' AND complete_walk") == []

    archive = MockArchive()
    assert archive.crawl(tmp_path).returncode == 0
    last = str(URL(listing_url(offset=30)))  # read, because the last crawl of the listings was not complete
    assert archive.requests_to("search.time.com")[1:] == [FIRST_LISTING, str(URL(listing_url(offset=15))), last]
    assert not archive.requests_to("content.time.com")


@pytest.mark.parametrize("arguments", [["only=all"], ["only=failed", "full=1"], ["only=failed", "refresh=1"]])
def test_wrong_usage_is_refused_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    options = [part for argument in arguments for part in ("-a", argument)]
    done = run_scrapy("crawl", SPIDER, "-s", f"FILES_STORE={tmp_path / 'output'}", *options, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "only=" in done.stderr
    assert not list(tmp_path.iterdir())
