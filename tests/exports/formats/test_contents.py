"""The version of an export, and which folders it may replace."""

import json
from pathlib import Path
from typing import Any

import pytest

from timecoverspider.exceptions import UsageError
from timecoverspider.exports.formats.contents import (
    NAME,
    Comparison,
    Contents,
    DataFile,
    check_replaceable,
    data_file,
    fingerprint,
    read_contents,
    write_rest,
    write_row,
)
from timecoverspider.exports.formats.table import Column, Row

TITLE, PRICE = Column("title", "string", "title"), Column("price", "int64", "price")
FILE = DataFile("data/a.parquet", 5, "f")


def row(path: str = "full/a.jpg", checksum: str = "c", title: str = "t", price: int = 1) -> Row:
    return Row(path, checksum, 5, "p", "", {"title": title, "price": price})


def former(*rows: Row, columns: tuple[Column, ...] = (TITLE,), version: str = "1.2.3") -> Contents:
    return Contents("parquet", "s", version, [*columns], [FILE], {fingerprint(row, columns) for row in rows})


def next_version(
    before: Contents | None,
    *rows: Row,
    columns: tuple[Column, ...] = (TITLE,),
    kind: str = "parquet",
    file: DataFile = FILE,
) -> str:
    comparison = Comparison(before, columns)
    for new in rows:
        comparison.see(new)
    return comparison.version(kind, [file])


A, B = row(), row("full/b.jpg")


def test_first_version_is_1_0_0() -> None:
    assert next_version(None, A) == "1.0.0"


@pytest.mark.parametrize(
    ("rows", "more", "version"),
    [
        ([A, B], {}, "1.2.3"),
        ([B, A], {}, "1.2.3"),
        ([A, B], {"kind": "webdataset"}, "1.2.4"),
        ([A, B], {"file": FILE._replace(sha256="g")}, "1.2.4"),
        ([A, B, row("full/c.jpg")], {}, "1.3.0"),
        ([A, B], {"columns": (PRICE, TITLE)}, "1.3.0"),
        ([A], {}, "2.0.0"),
        ([A, row("full/b.jpg", title="u")], {}, "2.0.0"),
        ([A, row("full/b.jpg", checksum="d")], {}, "2.0.0"),
        ([A, row("full/c.jpg")], {}, "2.0.0"),
        ([A, B], {"columns": (PRICE,)}, "2.0.0"),
        ([A, B], {"columns": (TITLE._replace(kind="int64"),)}, "2.0.0"),
        ([A, row("full/b.jpg", title="u")], {"columns": (PRICE, TITLE)}, "2.0.0"),
    ],
)
def test_version_says_what_has_changed(rows: list[Row], more: dict[str, Any], version: str) -> None:
    assert next_version(former(A, B), *rows, **more) == version


def write_export(folder: Path, spider: str = "s") -> Contents:
    """Write a folder with two files, one of them small, and its hidden file."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.parquet").write_bytes(b"12345")
    (folder / "README.md").write_text("card")
    files = [data_file(folder, folder / "data" / "a.parquet"), data_file(folder, folder / "README.md")]
    contents = Contents("parquet", spider, "1.2.3", [Column("title", "string")], files, {fingerprint(A, [TITLE])})
    with (folder / NAME).open("w") as file:
        write_row(file, A, [TITLE])
        write_rest(file, contents)
    return contents


def test_contents_are_read_as_they_were_written(tmp_path: Path) -> None:
    contents = write_export(tmp_path)
    assert read_contents(tmp_path) == contents
    assert check_replaceable(tmp_path, "s") == contents


def test_folder_that_is_new_or_empty_can_be_written(tmp_path: Path) -> None:
    assert check_replaceable(tmp_path / "new", "s") is None
    assert check_replaceable(tmp_path, "s") is None


@pytest.mark.parametrize("content", ["", "row x\n", 'export {"format": 1}\n', "export []\n", "file 5\n", "\x00"])
def test_folder_without_a_complete_hidden_file_is_no_export(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    assert read_contents(tmp_path) is None
    with pytest.raises(UsageError, match="not an export"):
        check_replaceable(tmp_path, "s")


def test_folder_of_a_person_or_file_or_broken_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder" / "mine").mkdir(parents=True)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("folder", "file", "link"):
        with pytest.raises(UsageError, match="not an export"):
            check_replaceable(tmp_path / name, "s")


def test_export_of_another_data_set_is_refused(tmp_path: Path) -> None:
    write_export(tmp_path, "other")
    with pytest.raises(UsageError, match="'other'"):
        check_replaceable(tmp_path, "s")


@pytest.mark.parametrize("name", ["notes.txt", "data/mine.txt", ".git/config"])
def test_export_with_a_file_of_a_person_is_refused(tmp_path: Path, name: str) -> None:
    write_export(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=name):
        check_replaceable(tmp_path, "s")


def test_export_with_a_link_to_a_folder_of_a_person_is_refused(tmp_path: Path) -> None:
    write_export(tmp_path / "export")
    (tmp_path / "mine").mkdir()
    (tmp_path / "export" / "data" / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match="data/link"):
        check_replaceable(tmp_path / "export", "s")


@pytest.mark.parametrize("card", ["Card", "a longer card"])
def test_export_whose_card_a_person_has_changed_is_refused(tmp_path: Path, card: str) -> None:
    write_export(tmp_path)
    (tmp_path / "README.md").write_text(card)
    with pytest.raises(UsageError, match=r"README\.md was changed"):
        check_replaceable(tmp_path, "s")


def test_export_that_lost_a_file_can_be_replaced(tmp_path: Path) -> None:
    contents = write_export(tmp_path)
    (tmp_path / "README.md").unlink()
    assert check_replaceable(tmp_path, "s") == contents


def test_hidden_file_is_lines_of_json(tmp_path: Path) -> None:
    write_export(tmp_path)
    last = (tmp_path / NAME).read_text().splitlines()[-1]
    assert json.loads(last.removeprefix("export "))["version"] == "1.2.3"
