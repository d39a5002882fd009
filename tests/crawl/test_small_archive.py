"""A crawl of 40 covers: its records, its images, its manners, and what it shows on a terminal."""

import hashlib
import itertools
import os
import pty
import re
import subprocess
import termios
from pathlib import Path

from aiohttp import web
from data_set import image_path, records
from mock_archive import DAYS, MockArchive, page
from scrapy_command import SPIDER, crawl_arguments, environment, run_scrapy, scrapy_command
from serving import serving
from yarl import URL

from timecoverspider.replica.app import make_app
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import (
    CONTENT,
    HOSTS,
    IMAGES,
    SEARCH,
    image_url,
    image_width,
    listing_page,
    listing_url,
)
from timecoverspider.replica.titles import issue_title


def test_every_record_has_the_shape_of_the_tutorial_and_the_newest_is_first(filled: Path) -> None:
    expected = []
    for day in DAYS:
        content = image_path(filled, day).read_bytes()
        file = {
            "url": image_url(day),
            "path": f"full/{hashlib.sha1(image_url(day).encode()).hexdigest()}.jpg",
            "checksum": hashlib.md5(content).hexdigest(),
        }
        title = " ".join(issue_title(day).split())
        expected.append({"title": title, "pubDate": day.isoformat(), "file_urls": [image_url(day)], "files": [file]})
    assert records(filled) == expected
    assert [list(record) for record in records(filled)] == [["title", "pubDate", "file_urls", "files"]] * 40
    assert [list(record["files"][0]) for record in records(filled)] == [["url", "path", "checksum"]] * 40


def test_every_image_has_the_bytes_that_the_archive_sent(filled: Path) -> None:
    assert len(list((filled / "output" / "full").iterdir())) == 40
    for day in DAYS[:5]:
        assert image_path(filled, day).read_bytes() == draw_cover(day, image_width(day))


def test_crawl_without_proxy_and_archive_setting_goes_to_the_replica(tmp_path: Path) -> None:
    store = f"FILES_STORE={tmp_path / 'output'}"
    done = run_scrapy(
        *("crawl", SPIDER, "-o", "output.json", "-s", store, "-s", "CLOSESPIDER_ITEMCOUNT=1"), cwd=tmp_path
    )
    assert done.returncode == 3
    assert "ARCHIVE=replica" in done.stderr
    assert records(tmp_path)


def test_requests_in_flight_are_limited_for_each_host(tmp_path: Path) -> None:
    archive = MockArchive(issue_dates(100), latency=0.02)
    done = archive.crawl(tmp_path, "-s", "CONCURRENT_REQUESTS_PER_DOMAIN=8")
    assert done.returncode == 0, done.stderr
    assert (archive.most_in_flight[CONTENT], archive.most_in_flight[IMAGES]) == (8, 8)
    assert archive.most_in_flight[SEARCH] <= 8
    assert archive.hosts == set(HOSTS)


def test_next_link_to_a_page_already_read_does_not_loop(tmp_path: Path) -> None:
    visits, days = itertools.count(), DAYS[:16]

    async def lead_back(request: web.Request) -> web.StreamResponse:
        first = f"{listing_url()}&sid={next(visits)}&internalid=endeca_dimension"  # another one each time
        link = f"<a href='{first}'>Next</a>"
        return page(listing_page(days, offset=15).replace('class="pages">', f'class="pages">{link}'))

    archive = MockArchive(days)
    archive.answers[str(URL(listing_url(offset=15)))] = lead_back
    done = archive.crawl(tmp_path, "-s", "CLOSESPIDER_PAGECOUNT=100")
    assert done.returncode == 3  # the end of the listings was not seen
    assert len(records(tmp_path)) == 16
    assert next(visits) == 1


def test_terminal_gets_a_progress_bar_and_the_closing_line(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    command = scrapy_command(*crawl_arguments(tmp_path))
    shown = b""
    with serving(make_app(issue_dates(40), latency=0.05)) as address:
        with subprocess.Popen(command, cwd=tmp_path, env=environment(http_proxy=address), stderr=slave) as process:
            os.close(slave)
            while chunk := _read(master):
                shown += chunk
        assert process.returncode == 0
    os.close(master)
    assert re.search(rb"\d+/40 \[", shown)
    assert b"40 covers in output.json" in shown.splitlines()[-1]
    assert b"DEBUG" not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""
