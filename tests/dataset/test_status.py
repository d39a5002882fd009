"""Whether a data set is complete, in the words of its status; and the report that a crawl leaves."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from data_set import image_path, rows
from mock_archive import DAYS
from sample_dataset import COVERS, TIME, record, save
from scrapy_command import environment

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.rows import Crawl, Fields
from timecoverspider.dataset.status import crawl_status, listings_problem, read_status, write_report
from timecoverspider.dataset.verification import verify
from timecoverspider.exceptions import COMPLETE
from timecoverspider.replica.pages import cover_url

OTHER, URL = cover_url(DAYS[1]), cover_url(DAYS[0])
CRAWL = Crawl(1, "covers", "live", "", "", TIME, "2026-11-23T08:38:00+00:00", COMPLETE, True, "", 3, 0, 3, 0, 9)


@contextmanager
def writing(folder: Path) -> Iterator[Dataset]:
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        yield dataset


@pytest.fixture
def complete(small_folder: Path) -> Path:
    """A data set of three covers after a complete crawl."""
    with writing(small_folder) as dataset:
        number = dataset.catalog.begin_crawl("covers", "live")
        dataset.catalog.end_crawl(
            number, outcome=COMPLETE, complete_walk=True, stated=3, known=0, new=3, failed=0, requests=9
        )
    return small_folder


def status_of(folder: Path) -> dict[str, Any]:
    with Dataset(folder / "output") as dataset:
        values: dict[str, Any] = json.loads(read_status(dataset).to_json())
    return values


def test_complete_data_set_has_its_numbers(complete: Path) -> None:
    rows(complete, f"UPDATE crawls SET started = '{CRAWL.started}', ended = '{CRAWL.ended}'")
    images = sum(file.stat().st_size for file in (complete / "output" / "full").iterdir())
    catalog = (complete / "output" / "catalog.db").stat().st_size
    (complete / "output" / "gallery").mkdir()
    (complete / "output" / "gallery" / "index.html").write_bytes(b"x" * 1000)
    (complete / "output" / "books").mkdir()
    (complete / "output" / "books" / "catalog.db").write_bytes(b"x" * 10**6)  # another data set
    (complete / "output" / ".lock").unlink()
    (complete / "output" / "metadata.jsonl").unlink()
    status = status_of(complete)
    assert status == {
        "spider": "covers", "folder": str(complete / "output"),
        "complete": True, "summary": "The data set is complete: 3 records.", "running": False,
        "records": 3, "stated": 3, "images": 3, "years": {"2014": 3}, "undated": 0,
        "failed": [], "accepted": [], "damaged": [], "retry": None,
        "bytes": {"images": images, "catalog": catalog, "other": 1000 + len("live\n")},
        "earlier_crawls": 0,
        "crawls": [{
            "started": CRAWL.started, "ended": CRAWL.ended, "seconds": 33.0, "outcome": "complete", "cut_by": "",
            "all_listings": True, "new": 3, "failed": 0, "requests": 9,
        }],
    }  # fmt: skip


@pytest.mark.parametrize("fields", [COVERS, COVERS._replace(date="pubDate"), COVERS._replace(order="title")])
def test_records_are_counted_by_year(complete: Path, fields: Fields) -> None:
    with writing(complete) as dataset:
        dataset.catalog.describe("covers", fields)
        for day, page in (("1923-03", "p"), ("0", "q")):
            save(dataset.catalog, record(page, date=day, urls=(page,)))
    assert (status_of(complete)["years"], status_of(complete)["undated"]) == ({"1923": 1, "2014": 3}, 1)


def test_date_is_that_of_the_field_that_the_spider_names_or_of_the_first_that_a_record_has(complete: Path) -> None:
    with writing(complete) as dataset:
        other = record("p", urls=())._replace(item={"title": "t", "date": "1999-01-01", "day": "1923", "pubDate": None})
        save(dataset.catalog, other)
    assert status_of(complete)["years"] == {"1999": 1, "2014": 3}
    with writing(complete) as dataset:
        dataset.catalog.describe("covers", COVERS._replace(date="day"))
    assert (status_of(complete)["years"], status_of(complete)["undated"]) == ({"1923": 1}, 3)


def test_failed_pages_are_missing_until_they_are_accepted(complete: Path) -> None:
    with writing(complete) as dataset:
        dataset.catalog.save(failures={URL: "HTTP 404", OTHER: "image <i>: HTTP 410"})
    status = status_of(complete)
    assert (status["complete"], status["summary"]) == (False, "Something is missing: 2 pages failed.")
    assert status["failed"] == [{"url": OTHER, "reason": "image <i>: HTTP 410"}, {"url": URL, "reason": "HTTP 404"}]
    assert status["retry"] == "scrapy crawl covers -a only=failed"
    with writing(complete) as dataset:
        assert dataset.catalog.accept_failures([URL, OTHER]) == []
    status = status_of(complete)
    assert status["summary"] == "The data set is complete: 3 records; 2 failures accepted."
    assert (status["complete"], status["failed"], status["retry"], len(status["accepted"])) == (True, [], None, 2)
    image_path(complete, DAYS[1]).unlink()  # which cannot be downloaded, as its page says
    assert status_of(complete)["complete"]


def test_damaged_image_is_missing(complete: Path) -> None:
    image_path(complete, DAYS[0]).unlink()
    status = status_of(complete)
    assert status["summary"] == "Something is missing: 1 image is missing or damaged."
    assert status["damaged"] == [f"full/{image_path(complete, DAYS[0]).name}"]


@pytest.mark.parametrize(
    ("crawls", "problem"),
    [
        ([], "no crawl has ended"),
        ([{}], ""),
        ([{"outcome": "interrupted", "cut_by": "shutdown"}], "the last crawl was interrupted"),
        ([{"outcome": "aborted", "cut_by": "aborted"}], "the last crawl was aborted"),
        ([{"outcome": "archive unreadable"}], "the last crawl could not read the site"),
        ([{"ended": None, "outcome": None}], "the last crawl was killed"),
        ([{"outcome": None}], "the last crawl was killed"),
        ([{"cut_by": "limit", "complete_walk": False}], "the last crawl ended early (limit)"),
        ([{"outcome": "covers missing", "failed": 1}], ""),
        ([{"outcome": "covers missing", "failed": 1, "complete_walk": False}], ""),  # ended early, which is allowed
        ([{"outcome": "covers missing", "complete_walk": False}], "the last crawl did not read all listings"),
        ([{"outcome": "covers missing", "cut_by": "DEPTH_LIMIT"}], "the last crawl ended early (DEPTH_LIMIT)"),
        ([{"outcome": "of the future"}], "the last crawl ended with 'of the future'"),
        ([{"outcome": "interrupted"}, {}], ""),
        ([{"outcome": "interrupted"}, {"cut_by": "only=failed"}], "the last crawl was interrupted"),
        ([{}, {"cut_by": "only=failed", "outcome": "interrupted"}], ""),
        ([{"cut_by": "only=failed"}], "no crawl has ended"),
    ],
)  # fmt: skip
def test_data_set_is_complete_only_if_the_listings_were_read(crawls: list[dict[str, Any]], problem: str) -> None:
    assert listings_problem(crawl_status(CRAWL._replace(**changes)) for changes in crawls) == problem


def test_crawl_that_has_not_ended_runs_if_the_data_set_is_locked_and_was_killed_otherwise(complete: Path) -> None:
    with writing(complete) as dataset:
        dataset.catalog.begin_crawl("covers", "live")
        status = status_of(complete)
        assert (status["running"], status["complete"]) == (True, True)
        assert status["summary"].endswith(" A crawl is running.")
        assert [crawl["outcome"] for crawl in status["crawls"]] == ["complete", "running"]
        assert read_status(dataset, ended_as="aborted").crawls[-1].outcome == "aborted"  # in the crawl itself
    status = status_of(complete)
    assert (status["running"], status["complete"]) == (False, False)
    assert status["crawls"][-1]["outcome"] == "killed"


def test_status_lists_the_latest_crawls(complete: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timecoverspider.dataset.status._CRAWLS", 2)
    with writing(complete) as dataset:
        for _ in range(3):
            dataset.catalog.begin_crawl("covers", "live")
    status = status_of(complete)
    assert (status["earlier_crawls"], [crawl["outcome"] for crawl in status["crawls"]]) == (2, ["killed", "killed"])


def test_status_of_a_catalog_that_somebody_changed_has_what_can_be_read(complete: Path) -> None:
    rows(complete, "UPDATE crawls SET started = 'soon'")
    rows(complete, "UPDATE records SET item = '[]', rank = ''")
    assert status_of(complete)["crawls"][0]["seconds"] is None
    assert status_of(complete)["years"] == {}


def test_report_is_the_status_and_no_unknown_file(complete: Path) -> None:
    with writing(complete) as dataset:
        write_report(dataset.layout, read_status(dataset))
        report = (complete / "output" / "report.json").read_bytes()
        assert json.loads(report)["complete"]
        assert not [finding for finding in verify(dataset, [], lambda: None) if "report" in str(finding)]
        with pytest.raises(OSError, match="too large"), _small_disk(len(report) - 1):
            write_report(dataset.layout, read_status(dataset))
    assert (complete / "output" / "report.json").read_bytes() == report
    assert not list((complete / "output" / ".incoming").iterdir())


@contextmanager
def _small_disk(limit: int) -> Iterator[None]:
    """Let no file grow beyond *limit* bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_report_is_never_half_written_also_if_its_writer_is_killed(complete: Path) -> None:
    code = (
        "from timecoverspider.dataset.dataset import Dataset\n"
        "from timecoverspider.dataset.status import read_status, write_report\n"
        "with Dataset('output') as dataset:\n"
        "    status = read_status(dataset)\n"
        "    while True:\n"
        "        write_report(dataset.layout, status)\n"
    )
    report = Layout(complete / "output").report
    with subprocess.Popen([sys.executable, "-c", code], cwd=complete, env=environment()) as writer:
        while not report.exists():
            assert writer.poll() is None
        written = set()
        while len(written) < 20:
            written.add(report.stat().st_mtime_ns)
            assert json.loads(report.read_bytes())["records"] == 3
        writer.kill()
    assert json.loads(report.read_bytes())["records"] == 3
