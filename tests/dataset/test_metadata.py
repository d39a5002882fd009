"""The file metadata.jsonl has one row for each image of a complete record."""

import json
import os
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from data_set import image_path
from mock_archive import DAYS
from sample_dataset import COVERS, TIME, image, record, save, write_metadata

from timecoverspider.dataset import metadata
from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.metadata import MetadataFile, metadata_problem
from timecoverspider.dataset.rows import Record
from timecoverspider.exceptions import FeedError


class Killed(BaseException):
    """As kill -9 does, it leaves no time for anything."""


@pytest.fixture
def dataset(small_folder: Path) -> Iterator[Dataset]:
    """A data set of the three newest covers."""
    with Dataset(small_folder / "output", write=True, archive="live") as dataset:
        yield dataset


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Dataset]:
    with Dataset(tmp_path / "empty", write=True, archive="live") as dataset:
        dataset.catalog.describe("covers", COVERS)
        yield dataset


def rows(dataset: Dataset) -> list[dict[str, Any]]:
    return [json.loads(line) for line in dataset.layout.metadata.read_text(encoding="utf-8").splitlines()]


def written(dataset: Dataset, *records: Record) -> list[dict[str, Any]]:
    """Save records, whose images are no files, and return the rows."""
    save(dataset.catalog, *records)
    with closing(MetadataFile(dataset, dataset.records)) as file:
        assert list(file.passing()) == list(dataset.records())
        file.publish()
    return rows(dataset)


def having(record: Record, **fields: Any) -> Record:
    return record._replace(item=fields | {name: record.item[name] for name in ("file_urls", "files")}, key=repr(fields))


def others(dataset: Dataset) -> set[str]:
    """Return the names of all files beside the data set's usual ones."""
    usual = {"full", "catalog.db", "catalog.db-journal", ".lock", ".archive", ".incoming", "metadata.jsonl"}
    return {path.name for path in dataset.folder.iterdir()} - usual | {
        path.name for path in dataset.layout.drafts.iterdir()
    }


def test_rows_are_in_the_order_of_the_feed_with_the_file_name_first(dataset: Dataset) -> None:
    items = [record.item for record in dataset.records()]
    assert rows(dataset) == [
        {
            "file_name": item["files"][0]["path"],
            "title": item["title"],
            "pubDate": item["pubDate"],
            "url": item["file_urls"][0],
            "checksum": item["files"][0]["checksum"],
        }
        for item in items
    ]
    assert all(next(iter(row)) == "file_name" for row in rows(dataset))
    assert [row["pubDate"] for row in rows(dataset)] == [day.isoformat() for day in DAYS[:3]]


def test_record_with_two_images_has_two_rows_and_shared_image_the_row_of_the_first_record(empty: Dataset) -> None:
    two, other = record("p", urls=("a", "b"), title="two"), record("q", urls=("b", "c"), date="2013-01-07", title="old")
    assert [(row["file_name"], row["title"]) for row in written(empty, other, two)] == [
        ("full/a.jpg", "two"),
        ("full/b.jpg", "two"),
        ("full/c.jpg", "old"),
    ]


def test_image_that_one_record_has_twice_has_one_row(empty: Dataset) -> None:
    assert len(written(empty, record("p", urls=("a", "a")))) == 1


def test_all_rows_have_the_columns_of_all_records(empty: Dataset) -> None:
    found = written(
        empty,
        having(record("p", urls=("a",)), title="Ä", tags=["x", {"y": None}]),
        having(record("q", urls=("b",)), price=3.5, url="http://shop/b", deal=True),
    )
    assert [list(row) for row in found] == [
        ["file_name", "title", "tags", "price", "url", "deal", "image_url", "checksum"]
    ] * 2
    assert list(found[0].values()) == ["full/a.jpg", "Ä", '["x",{"y":null}]', None, None, None, "a", "c"]
    assert list(found[1].values()) == ["full/b.jpg", None, None, 3.5, "http://shop/b", True, "b", "c"]


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["image", "file_name"], ["image_", "file_name_"]),  # datasets would read them as images
        (["pdf_file_name", "pdf_file_name_"], ["pdf_file_name__", "pdf_file_name_"]),
        (["file_names", "label"], ["file_names", "label"]),
    ],
)
def test_field_that_datasets_would_read_as_a_file_has_another_name(
    empty: Dataset, names: list[str], columns: list[str]
) -> None:
    [row] = written(empty, having(record("p"), **{name: f"my {name}" for name in names}))
    assert row == {
        "file_name": "full/i.jpg",
        **{column: f"my {name}" for name, column in zip(names, columns, strict=True)},
        "url": "i",
        "checksum": "c",
    }


@pytest.mark.parametrize(("name", "column"), [("url", "image_url"), ("checksum", "image_checksum")])
def test_field_of_the_item_keeps_the_name_of_a_column_of_the_image(empty: Dataset, name: str, column: str) -> None:
    [row] = written(empty, having(record("p"), **{name: "mine"}))
    assert (row[name], row[column]) == ("mine", {"url": "i", "checksum": "c"}[name])


def test_record_with_a_damaged_image_has_no_row_until_the_image_is_back(small_folder: Path, dataset: Dataset) -> None:
    before, file = dataset.layout.metadata.read_bytes(), image_path(small_folder, DAYS[1])
    content, status = file.read_bytes(), file.stat()
    file.unlink()
    assert write_metadata(dataset) == ""
    assert [row["pubDate"] for row in rows(dataset)] == [DAYS[0].isoformat(), DAYS[2].isoformat()]
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert write_metadata(dataset) == ""
    assert dataset.layout.metadata.read_bytes() == before


def test_file_without_a_change_is_not_written(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dataset.layout.metadata.stat()
    monkeypatch.setattr(os, "fsync", lambda _: pytest.fail("a draft was written"))
    assert write_metadata(dataset) == ""
    after = dataset.layout.metadata.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("change", [b"", b"x", None])
def test_file_that_is_missing_or_that_a_person_changed_is_written_and_nothing_is_lost(
    dataset: Dataset, change: bytes | None
) -> None:
    file = dataset.layout.metadata
    before = file.read_bytes()
    if change is None:
        file.unlink()
    else:
        file.write_bytes(before.replace(b"\n", b"\r\n", 1) if change == b"" else before + change)
    changed = change is not None and file.read_bytes()
    warning = write_metadata(dataset)
    assert file.read_bytes() == before
    assert others(dataset) == ({warning.split()[-1]} if changed else set())
    assert not changed or (dataset.folder / warning.split()[-1]).read_bytes() == changed


def test_file_that_lost_its_end_is_the_same_again(dataset: Dataset) -> None:
    before = dataset.layout.metadata.read_bytes()
    os.truncate(dataset.layout.metadata, len(before) - 5)
    write_metadata(dataset)
    assert dataset.layout.metadata.read_bytes() == before


@pytest.mark.parametrize("instant", ["replace", "flush_folder"])
def test_file_is_known_again_after_a_kill_while_it_was_replaced(
    small_folder: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, instant: str
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    image_path(small_folder, DAYS[1]).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Path if instant == "replace" else metadata, instant, kill)
        with pytest.raises(Killed):
            write_metadata(dataset)
    image_path(small_folder, DAYS[0]).unlink()
    assert write_metadata(dataset) == ""
    assert len(rows(dataset)) == 1
    assert others(dataset) == set()


def test_file_is_known_after_the_catalog_was_deleted_if_it_is_the_same(dataset: Dataset) -> None:
    for digests in ([], ["0"]):
        dataset.catalog.save_metadata_digests(digests)
        assert write_metadata(dataset) == ""
    dataset.catalog.save_metadata_digests([])
    write_metadata(dataset)
    for file in dataset.layout.images.glob("*"):
        file.unlink()
    assert write_metadata(dataset) == ""
    assert dataset.layout.metadata.read_bytes() == b""


def test_disk_that_is_full_leaves_the_earlier_file(dataset: Dataset) -> None:
    before = dataset.layout.metadata.read_bytes()
    save(dataset.catalog, *(record(f"p{number}", urls=(f"{number}",), title="x" * 5000) for number in range(20)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(MetadataFile(dataset, dataset.records)) as file:
        seen = 0
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
            seen = sum(1 for _ in file.passing())
            with pytest.raises(FeedError, match=r"cannot write /.*/metadata.jsonl: File too large"):
                file.publish()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert seen == 23  # the feeds have all records
    assert dataset.layout.metadata.read_bytes() == before
    assert others(dataset) == set()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_something_else_in_the_place_of_the_file_is_named_and_stays(dataset: Dataset, make: Any) -> None:
    dataset.layout.metadata.unlink()
    make(dataset.layout.metadata)
    with pytest.raises(FeedError, match=r"metadata.jsonl: it is not a regular file"):
        write_metadata(dataset)
    assert not dataset.layout.metadata.is_file()


def test_catalog_that_fails_between_two_records_leaves_the_earlier_file(dataset: Dataset) -> None:
    def failing() -> Iterator[Record]:
        yield next(dataset.records())
        raise KeyError("somebody has changed the catalog")

    before = dataset.layout.metadata.read_bytes()
    with closing(MetadataFile(dataset, failing)) as file:
        with pytest.raises(KeyError):
            list(file.passing())
        with pytest.raises(KeyError):
            file.publish()
    assert dataset.layout.metadata.read_bytes() == before


def test_rows_of_many_records_need_a_constant_memory(empty: Dataset) -> None:
    def many() -> Iterator[Record]:
        for number in range(5_000):
            url = str(number)
            yield Record(url, {"title": "t" * 500, "file_urls": [url]}, "p", TIME, TIME, (image(url),))

    with closing(MetadataFile(empty, many)) as file:
        tracemalloc.start()
        try:
            count = sum(1 for _ in file.passing())
            file.publish()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (count, len(rows(empty))) == (5_000, 5_000)
    assert peak < 500_000  # bytes; the file has 2.8 MB


def problem(dataset: Dataset, *damaged: str) -> tuple[str, str]:
    return metadata_problem(dataset, damaged)


def test_problem_is_a_missing_an_altered_or_an_unreadable_file(dataset: Dataset) -> None:
    assert problem(dataset) == ("", "")
    before, file = dataset.layout.metadata.read_bytes(), dataset.layout.metadata
    for content in (b"", before[:-1], before + b"{}\n", before.replace(b"Monday", b"Sunday", 1)):
        file.write_bytes(content)
        assert problem(dataset)[0] == "altered"
    file.unlink()
    assert problem(dataset) == ("missing", "the file does not exist")
    file.mkdir()
    assert problem(dataset) == ("altered", "the file cannot be compared: it is not a regular file")


def test_problem_is_not_a_damaged_image_with_or_without_its_row(small_folder: Path, dataset: Dataset) -> None:
    file = image_path(small_folder, DAYS[1])
    file.unlink()
    damaged = dataset.layout.path(file)
    assert problem(dataset, damaged) == ("", "")
    write_metadata(dataset)
    assert problem(dataset, damaged) == ("", "")
    assert problem(dataset)[0] == "altered"
    assert problem(dataset, "full/other.jpg")[0] == "altered"


def test_problem_is_not_a_shared_image_that_a_later_record_describes(empty: Dataset) -> None:
    newest, older = record("p", urls=("a", "b")), record("q", urls=("b",), date="2013-01-07", title="older")
    save(empty.catalog, newest, older)
    complete = [record for record in empty.records() if record.page_url == "q"]
    with closing(MetadataFile(empty, lambda: complete)) as file:
        assert list(file.passing()) == complete
        file.publish()
    assert problem(empty, "full/a.jpg") == ("", "")
    assert problem(empty)[0] == "altered"


def test_problem_is_not_a_set_of_records_with_different_fields(empty: Dataset) -> None:
    assert len(written(empty, having(record("p", urls=("a",)), x=1), having(record("q", urls=("b",)), y=[2]))) == 2
    assert problem(empty) == ("", "")
