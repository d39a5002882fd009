"""Two feeds to one file, and feeds that are no files, are settled before the first request."""

import os
from pathlib import Path

import pytest
from data_set import feed, records
from mock_archive import MockArchive
from scrapy_command import SPIDER, last_line


@pytest.mark.parametrize(
    "other",
    [
        "./output.json:csv", "{folder}/output.json:csv", "file://{folder}/output.json:csv", "x/../output.json:csv",
        "link.json:csv", "output.json:csv", "output.json:json",
    ],
)  # fmt: skip
def test_two_feeds_to_one_file_are_refused_before_anything_is_requested(folder: Path, filled: Path, other: str) -> None:
    (folder / "x").mkdir()
    (folder / "link.json").symlink_to("output.json")
    archive = MockArchive()
    done = archive.crawl(folder, "-o", other.format(folder=folder))
    assert done.returncode == 2
    assert "output.json" in last_line(done)
    assert "Traceback" not in done.stderr
    assert not archive.requests
    assert feed(folder) == feed(filled)
    assert not list(folder.glob(".output*"))


def test_name_with_a_parameter_is_compared_when_it_is_filled_in(folder: Path) -> None:
    archive = MockArchive()
    done = archive.crawl(folder, "-o", f"{SPIDER}.json", "-o", "%(name)s.json:csv")
    assert done.returncode == 2
    assert "are the same file" in last_line(done)
    assert not archive.requests


def test_feeds_whose_names_differ_in_case_are_two_files(folder: Path) -> None:
    done = MockArchive().crawl(folder, "-o", "OUTPUT.json:csv")
    assert done.returncode == 0, done.stderr
    assert len(records(folder)) == 40
    assert feed(folder, "OUTPUT.json").decode("utf-8-sig").startswith("title,pubDate,")


def test_feed_at_a_folder_is_refused_before_anything_is_requested(folder: Path) -> None:
    (folder / "covers.json").mkdir()
    archive = MockArchive()
    done = archive.crawl(folder, feed="covers.json")
    assert done.returncode == 2
    assert f"{folder / 'covers.json'}: it is a folder" in last_line(done)
    assert not archive.requests
    assert not list((folder / "covers.json").iterdir())


def test_feed_at_a_device_is_written_and_the_device_stays(folder: Path) -> None:
    done = MockArchive().crawl(folder, feed="/dev/null:json")
    assert done.returncode == 0, done.stderr
    assert "40 covers in /dev/null" in last_line(done)
    assert Path("/dev/null").is_char_device()


def test_feed_at_a_pipe_that_nobody_reads_aborts_the_crawl_and_loses_nothing(folder: Path, filled: Path) -> None:
    os.mkfifo(folder / "pipe")
    done = MockArchive().crawl(folder, "-o", "pipe:json")
    assert done.returncode == 1
    assert "cannot write pipe: no process reads from the pipe" in last_line(done)
    assert "Traceback" not in done.stderr
    assert (folder / "pipe").is_fifo()
    assert feed(folder) == feed(filled)
