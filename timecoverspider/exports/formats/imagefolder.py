"""Write an export as image files with a ``metadata.jsonl``, the imagefolder of Hugging Face."""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from timecoverspider.exports.formats.contents import DataFile, data_file
from timecoverspider.exports.formats.originals import Original
from timecoverspider.exports.formats.table import Row, Table

METADATA = "metadata.jsonl"
_MOST = 9_000  # files in a folder: the Hub allows fewer than 10,000


def write(folder: Path, table: Table, originals: Iterable[Original]) -> list[DataFile]:
    """Link or copy each image, and write a line for each: its ``file_name``, and the columns.

    Raises: OSError.
    """
    with (folder / METADATA).open("w", encoding="utf-8", newline="\n") as metadata:
        for original in originals:
            name = place(original.row, table.count)
            _put(original, folder / name)
            metadata.write(line(name, original.row))
    return [data_file(folder, folder / METADATA)]


def line(name: str, row: Row) -> str:
    """Return a line of ``metadata.jsonl``: the name of an image file, and the columns."""
    return f"{json.dumps({'file_name': name, **row.values}, ensure_ascii=False)}\n"


def subfolder_digits(count: int) -> int:
    """Return how many hexadecimal digits the names of subfolders need, so that none has too many files."""
    return next(digits for digits in range(9) if count <= _MOST // (2 if digits else 1) * 16**digits)


def place(row: Row, count: int) -> str:
    """Return the path of an image in an export of so many images."""
    digits = subfolder_digits(count)
    folder, _, name = row.file_name.rpartition("/")
    subfolder = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:digits]
    return f"{folder}/{subfolder}/{name}" if digits else f"{folder}/{name}"


def _put(original: Original, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not original.file.is_symlink():
        with suppress(OSError):  # another file system, or one without hard links
            os.link(original.file, target)
            return
    with target.open("wb") as file:
        file.write(original.content)
        file.flush()
        os.fsync(file.fileno())
