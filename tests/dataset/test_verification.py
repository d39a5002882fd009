"""What is wrong with a data set on disk, compared with its catalog and its feed."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_set import image_path, records
from mock_archive import DAYS
from sample_dataset import make_dataset, write_metadata

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.layout import Layout
from timecoverspider.dataset.verification import Finding, move_unknown, verify
from timecoverspider.exceptions import DatasetError, DatasetLockedError
from timecoverspider.replica.pages import cover_url

DAMAGED = DAYS[1]
PATH = f"full/{image_path(Path(), DAMAGED).name}"


def findings(folder: Path, feed: str | None = "output.json") -> list[Finding]:
    with Dataset(folder / "output") as dataset:
        return list(verify(dataset, [folder / feed] if feed else [], lambda: None))


def _delete(file: Path) -> None:
    file.unlink()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)


def _replace_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _replace_by_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _replace_by_a_device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def test_complete_data_set_has_no_findings_and_each_image_is_counted(small_folder: Path) -> None:
    done: list[None] = []
    with Dataset(small_folder / "output") as dataset:
        assert list(verify(dataset, [small_folder / "output.json"], lambda: done.append(None))) == []
    assert len(done) == 3


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_delete, "missing"),
        (_cut, "cut"),
        (_alter, "altered"),
        (_replace_by_a_folder, "undecodable"),
        (_replace_by_a_pipe, "undecodable"),
        (_replace_by_a_device, "undecodable"),
        (lambda file: os.truncate(file, 2**40), "cut"),  # a file of 1 TB, without a byte on the disk
    ],
)
def test_damaged_image_is_found_with_its_page(small_folder: Path, damage: Callable[[Path], None], what: str) -> None:
    damage(image_path(small_folder, DAMAGED))
    [finding] = findings(small_folder)
    assert (finding.what, finding.subject, finding.page_url) == (what, PATH, cover_url(DAMAGED))
    assert finding.reason


def test_image_that_was_stored_invalid_is_undecodable(small_folder: Path) -> None:
    file = image_path(small_folder, DAMAGED)
    file.write_bytes(file.read_bytes()[:-100])
    _describe_as_it_is(small_folder, file)
    [finding] = findings(small_folder, None)
    assert (finding.what, finding.subject, finding.page_url) == ("undecodable", PATH, cover_url(DAMAGED))


def _describe_as_it_is(folder: Path, file: Path) -> None:
    """Have the catalog say of a file what it is, so that neither size nor checksum tells."""
    content = file.read_bytes()
    with Dataset(folder / "output", write=True, archive="live") as dataset:
        [image] = [image for image in dataset.images() if image.path == dataset.layout.path(file)]
        changed = image._replace(checksum=hashlib.md5(content).hexdigest(), bytes=len(content))
        dataset.catalog.save(images=[changed])
        write_metadata(dataset)


def test_file_that_no_record_has_is_unknown(small_folder: Path) -> None:
    shutil.copy(image_path(small_folder, DAMAGED), small_folder / "output" / "full" / "mine.jpg")
    [finding] = findings(small_folder)
    assert (finding.what, finding.subject, finding.page_url) == ("unknown", "full/mine.jpg", "")


def test_metadata_that_is_missing_is_a_finding(small_folder: Path) -> None:
    (small_folder / "output" / "metadata.jsonl").unlink()
    [finding] = findings(small_folder)
    assert (finding.what, finding.subject, finding.page_url) == ("missing", "metadata.jsonl", "")


def test_all_findings_are_reported_images_first(tmp_path: Path) -> None:
    make_dataset(tmp_path, DAYS[:6])
    for day, damage in ((DAYS[0], _delete), (DAYS[2], _alter), (DAYS[5], _cut)):
        damage(image_path(tmp_path, day))
    (tmp_path / "output" / "full" / "mine.jpg").write_bytes(b"")
    _write_feed(tmp_path, records(tmp_path)[1:])
    assert [finding.what for finding in findings(tmp_path)] == [
        "missing",
        "altered",
        "cut",
        "unknown",
        "not in the feed",
    ]


FOREIGN = {"title": "Mad", "pubDate": "1952-10-01", "file_urls": [], "files": []}


def _write_feed(folder: Path, rows: Any) -> None:
    (folder / "output.json").write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: [rows[0], rows[2]], ["not in the feed"]),
        (lambda rows: [*rows, FOREIGN], ["only in the feed"]),
        (lambda rows: [*rows, rows[1]], ["only in the feed"]),
        (lambda rows: [rows[0], {**rows[1], "title": "?"}, rows[2]], ["not in the feed", "only in the feed"]),
        (lambda rows: rows[::-1], []),  # the order is no finding
        (lambda rows: [dict(reversed(row.items())) for row in rows], []),
        (lambda rows: [], ["not in the feed"] * 3),
    ],
)
def test_feed_with_other_records_is_found(
    small_folder: Path, change: Callable[[list[Any]], list[Any]], found: list[str]
) -> None:
    _write_feed(small_folder, change(records(small_folder)))
    assert [finding.what for finding in findings(small_folder)] == found


def test_record_not_in_the_feed_is_named_by_its_page(small_folder: Path) -> None:
    rows = records(small_folder)
    _write_feed(small_folder, [rows[0], rows[2]])
    [finding] = findings(small_folder)
    assert finding.subject == cover_url(DAMAGED)
    assert finding.page_url == ""  # no image has to be fetched again


@pytest.mark.parametrize("content", [b"", b'[{"title": ', b"\xff\xfe", b"{}", b"[1]", b"null", b"[" * 100_000])
def test_feed_that_is_no_list_of_records_is_no_feed(small_folder: Path, content: bytes) -> None:
    (small_folder / "output.json").write_bytes(content)
    [finding] = findings(small_folder)
    assert (finding.what, finding.subject) == ("no feed", str(small_folder / "output.json"))


def test_feed_that_is_not_there_is_no_feed(small_folder: Path) -> None:
    assert [finding.what for finding in findings(small_folder, "lost.json")] == ["no feed"]
    assert findings(small_folder, None) == []


@pytest.mark.parametrize("name", ["covers.jsonl", "covers.jl"])
def test_feed_of_json_lines_is_read(small_folder: Path, name: str) -> None:
    rows = records(small_folder)
    (small_folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert findings(small_folder, name) == []
    (small_folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows[1:]))
    assert [finding.what for finding in findings(small_folder, name)] == ["not in the feed"]


def test_unknown_files_are_moved_and_no_others(small_folder: Path) -> None:
    mine, other = (small_folder / "output" / "full" / name for name in ("mine.jpg", "other.jpg"))
    for file in (mine, other):
        file.write_bytes(b"mine")
    _alter(image_path(small_folder, DAMAGED))
    layout = Layout(small_folder / "output")
    move_unknown(layout, [finding for finding in findings(small_folder) if finding.subject != "full/other.jpg"])
    assert [file.name for file in layout.unknown.iterdir()] == ["mine.jpg"]
    assert (layout.unknown / "mine.jpg").read_bytes() == b"mine"
    assert {finding.subject for finding in findings(small_folder)} == {PATH, "full/other.jpg"}


def test_unknown_file_does_not_replace_one_that_was_moved_before(small_folder: Path) -> None:
    layout = Layout(small_folder / "output")
    for content in ("1", "2", "3"):
        (layout.images / "mine.jpg").write_text(content)
        move_unknown(layout, findings(small_folder))
    moved = {file.name: file.read_text() for file in layout.unknown.iterdir()}
    assert moved == {"mine.jpg": "1", "mine-2.jpg": "2", "mine-3.jpg": "3"}
    assert findings(small_folder) == []


def test_unknown_file_stays_if_its_new_folder_is_a_file(small_folder: Path) -> None:
    (small_folder / "output" / "unknown").write_text("mine")
    (small_folder / "output" / "full" / "zzz.jpg").write_text("unknown")
    with pytest.raises(DatasetError, match=r"unknown: File exists$") as raised:
        move_unknown(Layout(small_folder / "output"), findings(small_folder))
    assert "\n" not in str(raised.value)
    assert (small_folder / "output" / "full" / "zzz.jpg").exists()
    assert (small_folder / "output" / "unknown").read_text() == "mine"


def test_unknown_files_are_not_moved_during_a_crawl(small_folder: Path) -> None:
    mine = small_folder / "output" / "full" / "mine.jpg"
    mine.write_bytes(b"mine")
    found = findings(small_folder)
    with Dataset(small_folder / "output", write=True, archive="live"), pytest.raises(DatasetLockedError):
        move_unknown(Layout(small_folder / "output"), found)
    assert mine.exists()
