"""A feed that cannot be written is refused before the crawl, or ends it with its name and exit status 1."""

import json
import os
import socket
from pathlib import Path

import pytest
from data_set import feed, records, rows
from mock_archive import DAYS, MockArchive
from scrapy_command import PROJECT, crawl_arguments, last_line, run_scrapy
from serving import serving

pytestmark = pytest.mark.slow

ARCHIVE = MockArchive(DAYS[:3])


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("s3://bucket/covers.json", [], "missing boto3 library"),
        ("http://127.0.0.1:9/covers.json", [], "there is no storage for http:"),
        ("%(foo)s.json", [], "the spider has no attribute 'foo'"),
        ("covers%.json", [], "unsupported format character"),
        ("covers.json", ["FEED_EXPORT_ENCODING=nonsense"], "unknown encoding: nonsense"),
        ("covers.csv", ["FEED_EXPORT_ENCODING=rot13"], "'rot13' is not a text encoding"),
        ("covers.json", ["FEED_EXPORT_BATCH_ITEM_COUNT=2"], "%(batch_id)d"),
        ("ftp://me:sec/ret@127.0.0.1:9/covers.json", [], "ftp://127.0.0.1:9/covers.json"),
        ("ftp://me:sec#ret@127.0.0.1:9/covers.json", [], "ftp://127.0.0.1:9/covers.json"),
    ],
)
def test_feed_that_nothing_can_write_is_refused_before_anything_is_requested(
    tmp_path: Path, name: str, settings: list[str], reason: str
) -> None:
    done = ARCHIVE.crawl(tmp_path, *(word for setting in settings for word in ("-s", setting)), feed=name)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert reason in line
    assert "ret@" not in line
    assert not ARCHIVE.requests
    assert [file.name for file in tmp_path.iterdir()] in ([], ["output"])


def test_format_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    done = ARCHIVE.crawl(tmp_path, feed="covers.nope")
    assert done.returncode == 2
    assert "'nope'" in last_line(done)
    assert not ARCHIVE.requests


@pytest.mark.parametrize("form", ["json", "csv"])
def test_feed_whose_disk_is_full_is_named_and_not_counted(tmp_path: Path, form: str) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    done = ARCHIVE.crawl(tmp_path, feed=f"full:{form}")
    assert done.returncode == 1
    assert "Aborted: cannot write full: No space left on device. 3 covers stored, " in last_line(done)
    assert "Stored" not in done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads((tmp_path / "output" / "report.json").read_bytes())
    assert (report["complete"], report["crawls"][-1]["outcome"]) == (False, "aborted")
    assert ARCHIVE.crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 3


def test_feed_of_an_ftp_server_that_is_down_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}/covers.json"
        done = ARCHIVE.crawl(tmp_path, feed=f"ftp://me:sec/ret@{place}".replace("sec/ret", "s3cret"))
    assert done.returncode == 1
    assert f"Aborted: cannot write ftp://{place}: " in last_line(done)
    assert "3 covers stored, " in last_line(done)
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_other_feed_is_written_if_one_cannot_be(tmp_path: Path) -> None:
    done = ARCHIVE.crawl(tmp_path, "-o", "/dev/full:json")
    assert done.returncode == 1
    assert "cannot write /dev/full: " in last_line(done)
    assert len(records(tmp_path)) == 3


@pytest.mark.parametrize(
    ("name", "settings", "files"),
    [
        ("%(name)s.json", [], ["pyimagesearch-cover-spider.json"]),
        ("%(batch_id)d.json", ["-s", "FEED_EXPORT_BATCH_ITEM_COUNT=2"], ["1.json", "2.json"]),
        ("covers.json", ["-s", "FEED_EXPORT_ENCODING=latin-1"], ["covers.json"]),
        ("file:covers.pickle", [], ["covers.pickle"]),
    ],
)
def test_feed_of_a_name_or_encoding_that_exists_is_written(
    tmp_path: Path, name: str, settings: list[str], files: list[str]
) -> None:
    done = ARCHIVE.crawl(tmp_path, *settings, feed=name)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in tmp_path.glob("*.*") if not file.name.startswith(".")) == files
    assert all(feed(tmp_path, file) for file in files)


@pytest.mark.parametrize("item", ["{", "[]"])
def test_record_that_is_no_record_aborts_the_crawl_and_leaves_the_feed(folder: Path, item: str) -> None:
    before = feed(folder)
    rows(folder, f"UPDATE records SET item = '{item}' WHERE id = 7")
    done = MockArchive().crawl(folder)
    assert done.returncode == 1
    assert "Aborted: cannot use the catalog " in last_line(done)
    assert "the record of <http://content.time.com/" in last_line(done)
    assert "in output.json" not in last_line(done)
    assert "Traceback" not in done.stderr
    assert feed(folder) == before


def test_exporter_that_raises_aborts_the_crawl_and_leaves_the_feed(folder: Path) -> None:
    (folder / "exporters.py").write_text(
        "from scrapy.exporters import JsonItemExporter\n"
        "class Broken(JsonItemExporter):\n"
        "    def finish_exporting(self):\n"
        "        raise KeyError('a bug')\n"
    )
    before = feed(folder)
    path = os.pathsep.join((str(PROJECT), str(folder)))
    exporters = 'FEED_EXPORTERS={"json": "exporters.Broken"}'
    with serving(MockArchive().app) as address:
        done = run_scrapy(*crawl_arguments(folder), "-s", exporters, cwd=folder, PYTHONPATH=path, http_proxy=address)
    assert done.returncode == 1
    assert "Aborted: cannot write output.json: KeyError: 'a bug'. 40 covers stored, " in last_line(done)
    assert feed(folder) == before
    assert MockArchive().crawl(folder).returncode == 0
