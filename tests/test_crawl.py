"""The real thing: the command as a person types it, against the whole replica."""

import hashlib
import itertools
import json
import os
import pty
import re
import subprocess
import termios
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import PROJECT, SPIDER, Site, crawl_arguments, environment, run_scrapy, scrapy_command, serving
from PIL import Image
from yarl import URL

from timecoverspider.replica.app import make_app
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import (
    CONTENT,
    IMAGES,
    SEARCH,
    cover_page,
    image_url,
    image_width,
    listing_page,
    listing_url,
)
from timecoverspider.replica.titles import issue_title


@dataclass
class Crawl:
    """What a crawl of the whole replica left."""

    folder: Path
    log: str
    records: list[dict[str, Any]]


def store(folder: Path) -> list[str]:
    return ["-s", f"FILES_STORE={folder / 'output'}"]


@pytest.fixture(scope="session")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    folder = tmp_path_factory.mktemp("crawl")
    done = run_scrapy("crawl", SPIDER, "-o", "output.json", *store(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    return Crawl(folder, done.stderr, json.loads((folder / "output.json").read_bytes()))


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    """The tutorial's stand-in with Scrapy's own pipeline and defaults, on the same replica."""
    folder = tmp_path_factory.mktemp("tutorial")
    with serving(make_app()) as address:
        changes = {"PYTHONPATH": str(PROJECT / "tests" / "tutorial"), "SCRAPY_SETTINGS_MODULE": "tutorial.settings"}
        done = run_scrapy(
            *("crawl", SPIDER, "-o", "output.json", "-s", "LOG_LEVEL=INFO"),
            cwd=folder, HOME=str(folder), http_proxy=address, **changes,
        )  # fmt: skip
    return Crawl(folder, done.stderr, json.loads((folder / "output.json").read_bytes()))


def test_crawl_collects_every_issue(crawl: Crawl) -> None:
    assert len(crawl.records) == 4763
    by_day = {record["pubDate"]: record for record in crawl.records}
    assert sorted(by_day, reverse=True) == [day.isoformat() for day in issue_dates()]
    for day in issue_dates():
        record = by_day[day.isoformat()]
        assert list(record) == ["title", "pubDate", "file_urls", "files"]
        assert record["title"] == " ".join(issue_title(day).split())
        assert record["file_urls"] == [image_url(day)]
        [file] = record["files"]
        assert list(file) == ["url", "path", "checksum"]
        assert file["url"] == image_url(day)


def test_crawl_keeps_the_original_bytes_of_every_picture(crawl: Crawl) -> None:
    for record in crawl.records:
        [file] = record["files"]
        path = crawl.folder / "output" / file["path"]
        assert hashlib.md5(path.read_bytes()).hexdigest() == file["checksum"]
        with Image.open(path) as picture:
            picture.load()
    assert len(list((crawl.folder / "output" / "full").iterdir())) == 4763
    day = issue_dates()[2000]
    [record] = [record for record in crawl.records if record["pubDate"] == day.isoformat()]
    assert (crawl.folder / "output" / record["files"][0]["path"]).read_bytes() == draw_cover(day, image_width(day))


def test_crawl_gives_the_tutorials_sample_record(crawl: Crawl) -> None:
    [sample] = [record for record in crawl.records if record["pubDate"] == "2014-01-13"]
    assert sample["title"] == "2014: The Year Ahead"
    url = "http://img.timeinc.net/time/magazine/archive/covers/2014/1101140113_600.jpg"
    assert sample["file_urls"] == [url]
    assert (sample["files"][0]["url"], sample["files"][0]["path"]) == (
        url,
        "full/78a2264fb6103aaf20ff13982a09cb182294709d.jpg",
    )


def test_feed_has_one_record_a_line_in_utf8(crawl: Crawl) -> None:
    lines = (crawl.folder / "output.json").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4763 + 2
    assert any("Why Obama ♥ Reagan" in line for line in lines)


def test_crawl_says_what_it_is_doing_and_closes_with_one_line(crawl: Crawl) -> None:
    lines = crawl.log.splitlines()
    assert sum("replica" in line and "drawn" in line for line in lines) == 1
    assert re.search(
        r"4,763 covers in output\.json, 4,763 pictures in output/full, 4,763 new: [\d,]+ requests, \d+ s$", lines[-1]
    )
    assert not [line for line in lines if "ERROR" in line or "WARNING" in line]


def test_tutorial_loses_june_and_july_and_equals_ours_in_the_rest(crawl: Crawl, tutorial: Crawl) -> None:
    assert len(tutorial.records) == 3969
    raised = Counter(re.findall(r"^(\w+Error): ", tutorial.log, re.MULTILINE))
    assert raised == {"ValueError": 794, "TypeError": 1}
    ours = {record["pubDate"]: record for record in crawl.records}
    for record in tutorial.records:
        mine = ours.pop(record["pubDate"])
        [theirs] = record["files"]
        assert theirs.pop("status") == "downloaded"
        assert {**record, "title": " ".join(record["title"].split())} == mine
    assert {day[5:7] for day in ours} == {"06", "07"}


def test_requests_in_flight_are_limited_for_each_host(tmp_path: Path) -> None:
    site = Site(issue_dates(150), latency=0.02)
    done = site.crawl(tmp_path, "-s", "CONCURRENT_REQUESTS_PER_DOMAIN=8")
    assert done.returncode == 0, done.stderr
    assert (site.most[CONTENT], site.most[IMAGES]) == (8, 8)
    assert site.most[SEARCH] <= 8


def test_next_to_a_page_already_seen_does_not_loop(tmp_path: Path) -> None:
    visits = itertools.count()

    async def lead_back(request: web.Request) -> web.StreamResponse:
        first = f"{listing_url()}&sid={next(visits)}&internalid=endeca_dimension"  # another one each time
        page = listing_page(issue_dates(16), offset=15) + f"<div class=pages><a href='{first}'>Next</a></div>"
        return web.Response(text=page, content_type="text/html")

    site = Site(issue_dates(16))
    site.instead[str(URL(listing_url(offset=15)))] = lead_back
    done = site.crawl(tmp_path, "-s", "CLOSESPIDER_PAGECOUNT=100")
    assert len(json.loads((tmp_path / "output.json").read_bytes())) == 16, done.stderr
    assert next(visits) <= 2


def test_a_picture_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    site = Site(issue_dates(2))
    page = cover_page(issue_dates()[1]).replace("http://img.timeinc.net", "http://elsewhere.example")
    site.instead["http://content.time.com/time/covers/0,16641,20140303,00.html"] = page
    done = site.crawl(tmp_path)
    assert "refused: http://elsewhere.example/" in done.stderr
    assert "Traceback" not in done.stderr
    assert not site.asked_of("elsewhere.example")
    assert len(json.loads((tmp_path / "output.json").read_bytes())) == 1


def test_a_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    command = scrapy_command(*crawl_arguments(tmp_path))
    shown = b""
    with serving(make_app(issue_dates(60), latency=0.05)) as address:
        with subprocess.Popen(command, cwd=tmp_path, env=environment(http_proxy=address), stderr=slave) as process:
            os.close(slave)
            while chunk := _read(master):
                shown += chunk
        assert process.returncode == 0
    os.close(master)
    assert re.search(rb"\d+/60 \[", shown)
    assert b"60 covers in output.json" in shown.splitlines()[-1]
    assert b"DEBUG" not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""
