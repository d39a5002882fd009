"""The command as a person types it, against the complete replica, and the tutorial's spider on the same one."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scrapy_command import PROJECT, SPIDER, run_scrapy
from serving import serving

from timecoverspider.replica.app import make_app
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import image_url, image_width
from timecoverspider.replica.titles import issue_title

pytestmark = pytest.mark.slow


@dataclass
class Crawl:
    """What a crawl of the complete replica left."""

    folder: Path
    log: str
    records: list[dict[str, Any]]


@pytest.fixture(scope="session")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    folder = tmp_path_factory.mktemp("crawl")
    done = run_scrapy("crawl", SPIDER, "-o", "output.json", "-s", f"FILES_STORE={folder / 'output'}", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Crawl(folder, done.stderr, json.loads((folder / "output.json").read_bytes()))


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    """Crawl the same replica with the tutorial's spider, and Scrapy's own pipeline and defaults."""
    folder = tmp_path_factory.mktemp("tutorial")
    with serving(make_app()) as address:
        changes = {
            "PYTHONPATH": str(PROJECT / "tests" / "tools" / "tutorial"),
            "SCRAPY_SETTINGS_MODULE": "tutorial.settings",
        }
        done = run_scrapy(
            *("crawl", SPIDER, "-o", "output.json", "-s", "LOG_LEVEL=INFO"),
            cwd=folder, HOME=str(folder), http_proxy=address, **changes,
        )  # fmt: skip
    return Crawl(folder, done.stderr, json.loads((folder / "output.json").read_bytes()))


def test_crawl_of_the_complete_archive_stores_every_issue(crawl: Crawl) -> None:
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


def test_every_image_has_the_bytes_that_the_archive_sent(crawl: Crawl) -> None:
    for record in crawl.records:
        [file] = record["files"]
        path = crawl.folder / "output" / file["path"]
        assert hashlib.md5(path.read_bytes()).hexdigest() == file["checksum"]
        with Image.open(path) as image:
            image.load()
    assert len(list((crawl.folder / "output" / "full").iterdir())) == 4763
    day = issue_dates()[2000]
    [record] = [record for record in crawl.records if record["pubDate"] == day.isoformat()]
    assert (crawl.folder / "output" / record["files"][0]["path"]).read_bytes() == draw_cover(day, image_width(day))


def test_sample_record_of_the_tutorial_is_in_the_feed(crawl: Crawl) -> None:
    [sample] = [record for record in crawl.records if record["pubDate"] == "2014-01-13"]
    assert sample["title"] == "2014: The Year Ahead"
    url = "http://img.timeinc.net/time/magazine/archive/covers/2014/1101140113_600.jpg"
    assert sample["file_urls"] == [url]
    assert (sample["files"][0]["url"], sample["files"][0]["path"]) == (
        url,
        "full/78a2264fb6103aaf20ff13982a09cb182294709d.jpg",
    )


def test_feed_has_one_record_a_line_in_utf_8(crawl: Crawl) -> None:
    lines = (crawl.folder / "output.json").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4763 + 2
    assert any("Why Obama ♥ Reagan" in line for line in lines)


def test_log_names_the_replica_once_and_closes_with_one_line(crawl: Crawl) -> None:
    lines = crawl.log.splitlines()
    assert sum("ARCHIVE=replica" in line for line in lines) == 1
    assert re.search(r"4,763 covers in output\.json, .*4,763 new, 4,763 on the site: [\d,]+ requests, ", lines[-1])
    assert not [line for line in lines if "ERROR" in line or "WARNING" in line]


def test_spider_of_the_tutorial_loses_june_and_july_and_agrees_in_the_rest(crawl: Crawl, tutorial: Crawl) -> None:
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
