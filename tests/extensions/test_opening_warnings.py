"""What a crawl says before its first request."""

import logging
import shutil
from pathlib import Path

import pytest
from components import fill, make_crawler
from mock_archive import DAYS

FEEDS = {"output.json": {"format": "json"}}


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def warnings(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Open a data set for a crawl, and return the warnings."""
    with make_crawler(folder, FEEDS=FEEDS):
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_new_data_set_of_a_feed_that_exists_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "output.json").write_text("[]")
    [warning] = warnings(tmp_path, caplog)
    assert warning.startswith(f"output.json exists, but the data set in {tmp_path / 'output'} is empty: ")


def test_lost_images_and_catalog_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path, DAYS[:2])
    (tmp_path / "output.json").write_text("[]")
    assert warnings(tmp_path, caplog) == []
    shutil.rmtree(tmp_path / "output")  # as if its disk were not mounted
    assert len(warnings(tmp_path, caplog)) == 1


@pytest.mark.parametrize("left", ["catalog.db", "full"])
def test_data_set_that_has_lost_only_a_part_is_no_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: str
) -> None:
    fill(tmp_path, DAYS[:2])
    (tmp_path / "output.json").write_text("[]")
    for path in (tmp_path / "output").iterdir():
        if path.name != left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert warnings(tmp_path, caplog) == []


def test_first_crawl_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(tmp_path, caplog) == []


def test_catalog_that_cannot_be_read_is_a_warning_that_names_its_new_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, DAYS[:2])
    (tmp_path / "output" / "catalog.db").write_bytes(b"x" * 9000)
    [warning] = warnings(tmp_path, caplog)
    [aside] = (tmp_path / "output").glob("catalog.db.corrupt-*")
    assert str(aside) in warning
