"""Whether an image file is the one that its row in the catalog describes."""

import os
from pathlib import Path

import pytest
from components import fill
from data_set import image_path
from mock_archive import DAYS

from timecoverspider.dataset.dataset import Dataset

DAY = DAYS[1]
LATER = 2_000_000_000  # seconds


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """An image of a data set, whose row has its modification time."""
    fill(tmp_path, DAYS[:3])
    return image_path(tmp_path, DAY)


def damaged(folder: Path, *, write: bool = False) -> list[str]:
    with Dataset(folder / "output", write=write, archive="live" if write else "") as dataset:
        return [image.path for image in dataset.survey().damaged]


def replaced(file: Path) -> None:
    """Give a file other content of the same size, as a killed crawl does that has not written the row."""
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)
    os.utime(file, (LATER, LATER))


def test_image_as_it_was_stored_is_intact(tmp_path: Path, stored: Path) -> None:
    assert damaged(tmp_path) == []


@pytest.mark.parametrize("write", [True, False])
def test_image_that_was_replaced_by_one_of_the_same_size_is_damaged(tmp_path: Path, stored: Path, write: bool) -> None:
    replaced(stored)
    content = stored.read_bytes()
    assert damaged(tmp_path, write=write) == [f"full/{stored.name}"]
    assert (stored.read_bytes(), stored.stat().st_mtime) == (content, LATER)


def test_all_images_that_were_replaced_are_damaged(tmp_path: Path, stored: Path) -> None:
    for file in stored.parent.iterdir():
        replaced(file)
    assert len(damaged(tmp_path)) == 3


def test_copied_images_are_intact_and_get_the_times_of_their_rows_when_written(tmp_path: Path, stored: Path) -> None:
    before = stored.stat().st_mtime
    os.utime(stored, (LATER, LATER))
    assert damaged(tmp_path) == []
    assert stored.stat().st_mtime == LATER  # reading changes nothing
    assert damaged(tmp_path, write=True) == []
    assert stored.stat().st_mtime == pytest.approx(before, abs=2e-6)


def test_copied_image_that_is_not_ours_to_change_is_intact(
    tmp_path: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    os.utime(stored, (LATER, LATER))
    monkeypatch.setattr(os, "utime", refuse)
    assert damaged(tmp_path, write=True) == []


def make_folder(file: Path) -> None:
    file.mkdir()


def make_pipe(file: Path) -> None:
    os.mkfifo(file)


def link_to_nothing(file: Path) -> None:
    file.symlink_to("/nowhere")


def link_to_a_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_folder, make_pipe, link_to_nothing, link_to_a_device])
def test_name_of_an_image_that_is_no_file_is_damaged_and_not_read(tmp_path: Path, stored: Path, make: object) -> None:
    stored.unlink()
    make(stored)  # type: ignore[operator]
    assert damaged(tmp_path) == [f"full/{stored.name}"]
