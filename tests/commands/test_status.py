"""``scrapy status``: output, exit status, --accept. What it says is tested in dataset/test_status.py."""

import json
import os
import shutil
from datetime import date
from pathlib import Path

import pytest
from data_set import rows
from mock_archive import DAYS
from sample_dataset import make_dataset
from scrapy_command import SPIDER, Done, run_scrapy

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Feed, now
from timecoverspider.exceptions import COMPLETE
from timecoverspider.replica.pages import cover_url

URL, OTHER = cover_url(DAYS[0]), cover_url(DAYS[1])


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The folder of a complete data set of the cover spider."""
    make_dataset(tmp_path, [*DAYS[:3], date(1923, 3, 3)])
    _crawled(tmp_path / "output", SPIDER)
    return tmp_path / "output"


def _crawled(folder: Path, spider: str, **failures: str) -> None:
    """Have a crawl say that it was complete, but for failures by URL."""
    with Dataset(folder, write=True) as dataset:
        dataset.catalog.describe(spider, dataset.catalog.fields)
        number = dataset.catalog.begin_crawl(spider, "live")
        dataset.catalog.save(failures=failures)
        dataset.catalog.save_feed(Feed(str(folder.parent / "my covers.json"), "0" * 64, 4, now()))
        dataset.catalog.end_crawl(number, outcome="covers missing" if failures else COMPLETE, complete_walk=True)


def status(output: Path, *arguments: str) -> Done:
    return run_scrapy("status", "-s", f"FILES_STORE={output}", *arguments, cwd=output.parent)


def test_complete_data_set_is_exit_status_0_and_changes_nothing(output: Path) -> None:
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    done = status(output)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{SPIDER} in output"
    assert "    192.                           1" in lines
    assert f"    201.{'3':>35}" in lines
    assert lines[-1] == "The data set is complete: 4 records."
    assert max(map(len, lines)) <= 80
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_failures_are_named_with_the_command_and_hostile_text_is_escaped(output: Path) -> None:
    _crawled(output, SPIDER, **{URL: "not a date: '\x1b[2J\n'", **{f"http://a/{n:03}": "HTTP 404" for n in range(20)}})
    done = status(output, SPIDER)
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    assert "  Failed: 21" in lines
    assert lines.index("      HTTP 404") == lines.index("    <http://a/000>") + 1
    assert "    and 11 more: --json lists all" in lines
    command = f"    scrapy crawl {SPIDER} -o 'my covers.json' -a only=failed -s FILES_STORE={output}"
    assert command in lines
    assert lines[-1] == "Something is missing: 21 pages failed."
    rows(output.parent, f"DELETE FROM pages WHERE url <> '{URL}'")
    done = status(output)
    assert r"      not a date: '\x1b[2J\n'" in done.stdout.splitlines()
    assert "\x1b" not in done.stdout


def test_json_of_a_spider_is_the_object_of_the_report(output: Path) -> None:
    with Dataset(output) as dataset:
        number = dataset.crawls()[-1].id
    done = status(output, SPIDER, "--json")
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["spider"], shown["records"], len(shown["crawls"])) == (0, SPIDER, 4, number)


def test_accepted_failure_does_not_count_and_the_report_says_so(output: Path) -> None:
    _crawled(output, SPIDER, **{URL: "HTTP 404", OTHER: "HTTP 404"})
    wrong = status(output, "--accept", URL, "--accept", "http://example.com/typo")
    assert wrong.returncode == 2
    assert "http://example.com/typo" in wrong.stderr.splitlines()[-1]
    assert "Traceback" not in wrong.stderr
    assert rows(output.parent, "SELECT url FROM pages WHERE accepted <> ''") == []
    done = status(output, "--accept", URL, "--accept", OTHER, "--json")
    assert done.returncode == 0, done.stderr
    [shown] = json.loads(done.stdout)["data_sets"]
    assert [page["url"] for page in shown["accepted"]] == [OTHER, URL]
    assert json.loads((output / "report.json").read_bytes())["accepted"] == shown["accepted"]


def test_data_set_that_is_written_can_be_read_but_not_accepted(output: Path) -> None:
    with Dataset(output, write=True) as dataset:
        dataset.catalog.begin_crawl(SPIDER, "live")
        dataset.catalog.save(failures={URL: "HTTP 404"})
        done = status(output)
        assert done.returncode == 3
        assert done.stdout.splitlines()[-1] == "Something is missing: 1 page failed. A crawl is running."
        done = status(output, "--accept", URL)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (5, "", 1)
        assert f"process {os.getpid()}" in done.stderr
    assert "killed" in status(output).stdout


def test_each_data_set_in_the_folder_is_shown(output: Path) -> None:
    shutil.copytree(output, output / "books")
    _crawled(output / "books", "books", **{URL: "HTTP 404"})
    (output / "rejected").mkdir()
    done = status(output)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    assert [line for line in lines if " in output" in line] == [f"{SPIDER} in output", "books in output/books"]
    assert f"-s FILES_STORE={output / 'books'}" in done.stdout
    assert lines[-1] == "2 data sets, complete: 1."
    shown = json.loads(status(output, "--json").stdout)
    assert (shown["complete"], [each["complete"] for each in shown["data_sets"]]) == (False, [True, False])
    (output / "books" / "catalog.db").write_bytes(b"no database" * 1000)
    done = status(output)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "The data set is complete" in done.stdout


def test_missing_data_set_is_exit_status_1_and_is_not_made(tmp_path: Path) -> None:
    for arguments in ([], ["books"], ["--accept", URL]):
        done = status(tmp_path / "output", *arguments)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert "there is no catalog" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["books"], ["a", "b"], ["--acept", "x"]])
def test_wrong_usage_is_exit_status_2(output: Path, arguments: list[str]) -> None:
    done = status(output, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
