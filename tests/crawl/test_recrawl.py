"""What the same command requests when it runs again."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from aiohttp import web
from data_set import assert_complete, feed, records
from mock_archive import DAYS, FIRST_LISTING, INDEX, ROBOTS, MockArchive
from scrapy_command import SPIDER, crawl_arguments, last_line, run_program, run_scrapy, scrapy_command
from serving import serving
from yarl import URL

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_page, cover_url, image_url, index_page, listing_page, listing_url


def test_recrawl_without_new_issues_sends_three_requests(folder: Path) -> None:
    before, archive = feed(folder), MockArchive()
    done = archive.crawl(folder)
    assert done.returncode == 0
    assert archive.requests == [ROBOTS, INDEX, FIRST_LISTING]
    assert feed(folder) == before
    for part in ("40 covers in output.json", "nothing new", "3 requests", "scrapy gallery -s FILES_STORE=output"):
        assert part in last_line(done)


def test_recrawl_imports_only_what_it_needs(folder: Path) -> None:
    with serving(MockArchive().app) as address:
        command = scrapy_command(*crawl_arguments(folder))
        done = run_program(*command, cwd=folder, http_proxy=address, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {"timecoverspider.dataset.catalog", "aiohttp"} <= imported
    # Scrapy imports what is switched off as well, for instance tldextract with its cookies.
    assert not imported & {"PIL", "tqdm", "psycopg", "twisted.internet.reactor", "timecoverspider.replica.app"}


def test_recrawl_with_new_issues_requests_only_these(tmp_path: Path, filled: Path) -> None:
    assert MockArchive(DAYS[3:]).crawl(tmp_path).returncode == 0
    archive = MockArchive()
    done = archive.crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(archive.requests_to("content.time.com")) == sorted(map(cover_url, DAYS[:3]))
    assert sorted(archive.requests_to("img.timeinc.net")) == sorted(map(image_url, DAYS[:3]))
    assert len(archive.requests_to("search.time.com")) == 3  # the second listing holds nothing new
    assert "3 new" in last_line(done)
    assert feed(tmp_path) == feed(filled)


def test_issue_added_in_the_middle_is_found_at_once_by_the_number_that_the_site_states(
    tmp_path: Path, filled: Path
) -> None:
    assert MockArchive(DAYS[:30] + DAYS[31:]).crawl(tmp_path).returncode == 0
    archive = MockArchive()
    assert archive.crawl(tmp_path).returncode == 0
    assert archive.requests_to("content.time.com") == [cover_url(DAYS[30])]
    assert feed(tmp_path) == feed(filled)


def test_issue_added_in_the_middle_is_found_by_an_audit_if_the_site_states_no_number(
    tmp_path: Path, filled: Path
) -> None:
    archive = MockArchive()
    archive.answers[INDEX] = index_page(40).replace("(40)", "")
    assert MockArchive(DAYS[:30] + DAYS[31:]).crawl(tmp_path).returncode == 0
    assert archive.crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 39  # it lies behind a listing with nothing new
    done = archive.crawl(tmp_path, "-s", "AUDIT_EVERY_DAYS=0")
    assert archive.requests_to("content.time.com") == [cover_url(DAYS[30])]
    assert len(archive.requests_to("search.time.com")) == 4
    assert done.returncode == 0
    assert feed(tmp_path) == feed(filled)


def test_refresh_stores_what_changed_and_gets_304_for_the_rest(folder: Path) -> None:
    archive = MockArchive()
    archive.answers[cover_url(DAYS[5])] = cover_page(DAYS[5]).replace("<h1>", "<h1>Now ")
    archive.answers[image_url(DAYS[6])] = draw_cover(DAYS[5], 600)

    done = archive.crawl(folder, "-a", "refresh=1", "-L", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert len(archive.requests_to("content.time.com")) == 40
    assert "'downloader/response_status_count/304': 39" in done.stderr
    changed = {record["pubDate"]: record for record in records(folder)}
    assert changed[DAYS[5].isoformat()]["title"].startswith("Now ")
    checksum = hashlib.md5(draw_cover(DAYS[5], 600)).hexdigest()
    assert changed[DAYS[6].isoformat()]["files"][0]["checksum"] == checksum
    assert_complete(folder)
    assert "nothing new" in last_line(done)


def test_cover_that_is_listed_again_is_not_requested_again(folder: Path, filled: Path) -> None:
    archive, last = MockArchive(latency=0.02), str(URL(listing_url(offset=30)))
    later = asyncio.Event()

    async def image(request: web.Request) -> web.StreamResponse:
        later.set()
        return web.Response(body=draw_cover(DAYS[29], 600), content_type="image/jpeg")

    async def shifted(request: web.Request) -> web.StreamResponse:
        await later.wait()  # the first listing's covers are stored by now
        return web.Response(text=listing_page([DAYS[0], *DAYS[30:]]), content_type="text/html")

    archive.answers.update({image_url(DAYS[29]): image, last: shifted})
    done = archive.crawl(folder, "-a", "refresh=1")
    assert later.is_set()
    assert done.returncode == 0, done.stderr
    assert archive.requests.count(cover_url(DAYS[0])) == 1
    assert len(records(folder)) == 40


def test_url_with_a_fragment_is_the_same_page(tmp_path: Path, filled: Path) -> None:
    archive = MockArchive()
    link = f'<a href="{cover_url(DAYS[2])}#top">Large Cover</a>'
    archive.answers[FIRST_LISTING] = listing_page(DAYS).replace("</ul>", f"<li>{link}</li></ul>")
    for _ in range(2):
        done = archive.crawl(tmp_path, "-a", "full=1")
        assert done.returncode == 0, done.stderr
        assert feed(tmp_path) == feed(filled)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-a", "full=yes"], ["-a", "refresh="], ["-a", "limit=0"], ["-a", "limit=many"], ["-a", "repair=1"],
        ["-s", "AUDIT_EVERY_DAYS=often"],
        ["-s", "UNREADABLE_LIMIT=-1"], ["-s", "ARCHIVE=Live"], ["-s", "JOBDIR=job"], ["-s", "HTTPCACHE_ENABLED=1"],
    ],
)  # fmt: skip
def test_wrong_usage_is_refused_in_one_line_before_the_first_request(tmp_path: Path, arguments: list[str]) -> None:
    done = run_scrapy("crawl", SPIDER, "-s", f"FILES_STORE={tmp_path / 'output'}", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert arguments[1].partition("=")[0] in done.stderr
    assert not list(tmp_path.iterdir())


def test_unknown_spider_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run_scrapy("crawl", "coverspider", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert SPIDER in done.stderr
