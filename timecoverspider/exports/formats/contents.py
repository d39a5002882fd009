"""What an export contains: its files, and a fingerprint of each row, from which the next version follows.

The hidden file NAME in the folder has a line for each row and each file, and a last line about the export. The file
makes a folder an export of this program, which a later export may replace.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from timecoverspider.exceptions import UsageError
from timecoverspider.exports.formats.table import Column, Row

NAME = ".timecoverspider.export"
FIRST_VERSION = "1.0.0"


class DataFile(NamedTuple):
    """A file of an export."""

    path: str  # below the folder of the export, with slashes
    bytes: int
    sha256: str = ""  # empty for an image file, which may be a hard link to the file of the data set


class Contents(NamedTuple):
    """An export as its hidden file describes it."""

    format: str
    spider: str
    version: str
    columns: list[Column]
    files: list[DataFile]  # but for image files
    rows: set[bytes]  # fingerprints


def data_file(folder: Path, file: Path) -> DataFile:
    """Flush a file of an export to disk, and return its size and SHA-256."""
    with file.open("rb") as content:
        os.fsync(content.fileno())
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        return DataFile(file.relative_to(folder).as_posix(), content.tell(), sha256)


def fingerprint(row: Row, columns: Iterable[Column]) -> bytes:
    """Return a hash of an image's path and bytes, and of its values in some columns, in whatever order they are."""
    values = [row.path, row.checksum, sorted((column.name, row.values[column.name]) for column in columns)]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).digest()


def write_row(file: IO[str], row: Row, columns: Iterable[Column]) -> None:
    """Write the line of a row."""
    file.write(f"row {fingerprint(row, columns).hex()}\n")


def write_file(file: IO[str], written: DataFile) -> None:
    """Write the line of a file of the export."""
    file.write(f"file {json.dumps(written)}\n")


def write_rest(file: IO[str], about: Contents) -> None:
    """Write the lines of the files, and the last line."""
    for written in about.files:
        write_file(file, written)
    columns = [column[:2] for column in about.columns]
    last = {"format": about.format, "spider": about.spider, "version": about.version, "columns": columns}
    file.write(f"export {json.dumps(last)}\n")


def read_contents(folder: Path) -> Contents | None:
    """Return what an export contains, or None if the folder is not a complete export of this program."""
    rows, files = set(), []
    try:
        with (folder / NAME).open(encoding="utf-8") as lines:
            for line in lines:
                kind, _, rest = line.rstrip("\n").partition(" ")
                if kind == "row":
                    rows.add(bytes.fromhex(rest))
                elif kind == "file" and (file := DataFile(*json.loads(rest))).sha256:
                    files.append(file)
                elif kind == "export":
                    last = json.loads(rest)
                    columns = [Column(*column) for column in last.pop("columns")]
                    return Contents(**last, columns=columns, files=files, rows=rows)
    except (OSError, TypeError, ValueError, KeyError, AttributeError):  # not a file that write_rest wrote
        return None
    return None


def check_replaceable(folder: Path, spider: str) -> Contents | None:
    """Return what the export in a folder contains, or None if the folder does not exist or is empty.

    Raises: UsageError if a new export of this spider's data set must not replace the folder: it is not an export of
    this program, or of another data set, or has files that the program did not write.
    """
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return None
    former = read_contents(folder) if folder.is_dir() else None
    advice = "choose another folder with --out, or move this one away"
    if former is None:
        raise UsageError(f"{folder} exists, and is not an export of this program: {advice}")
    if former.spider != spider:
        raise UsageError(f"{folder} is an export of the data set of {former.spider!r}, not of {spider!r}: {advice}")
    if foreign := next(_foreign(folder), None):
        raise UsageError(f"{folder} is an export, but {foreign}: {advice}")
    return former


def _foreign(folder: Path) -> Iterator[str]:
    """Yield what a person has added or changed. The names are kept in memory only if there is something."""
    same = 0
    for file in _files(folder):
        path = folder / file.path
        if os.path.lexists(path):
            if not _is_same(path, file):
                yield f"{file.path} was changed"
            same += 1
    if sum(1 for _ in _names(folder)) > same + 1:  # and the hidden file
        known = {NAME, *(file.path for file in _files(folder))}
        yield from (f"this program did not write {name}" for name in _names(folder) if name not in known)


def _files(folder: Path) -> Iterator[DataFile]:
    """Yield the files that the hidden file names."""
    with (folder / NAME).open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("file "):
                yield DataFile(*json.loads(line.removeprefix("file ")))


def _names(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, and of links to folders."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name).relative_to(folder).as_posix() for name in (*names, *links))


def _is_same(path: Path, file: DataFile) -> bool:
    """Return whether a file is as it was written. The SHA-256 of a large file is not read: people change small ones."""
    try:
        if path.is_symlink() or path.stat().st_size != file.bytes:
            return False
        return file.bytes > 2**20 or not file.sha256 or data_file(path.parent, path).sha256 == file.sha256
    except OSError:
        return False


class Comparison:
    """Compares the rows of a new export with those of the former export, and finds the version."""

    def __init__(self, former: Contents | None, columns: Sequence[Column]) -> None:
        self._former = former
        self._gone = set(former.rows) if former else set()
        self._columns = {column[:2] for column in columns}
        known = {column[:2] for column in former.columns} if former else set()
        self._shared = [column for column in columns if column[:2] in known]
        self._has_all_columns = known <= self._columns
        self._has_new = self._columns > known

    def see(self, row: Row) -> None:
        """Take a row of the new export."""
        if self._former:
            print_ = fingerprint(row, self._shared)
            if print_ in self._gone:
                self._gone.remove(print_)
            else:
                self._has_new = True

    def version(self, kind: str, files: Sequence[DataFile]) -> str:
        """Return the version of the new export, as Croissant 1.1 defines it.

        Major: rows were changed or removed. Minor: only rows or columns were added. Patch: the same data in other
        files. If the files are the same too, the version stays.
        """
        if self._former is None:
            return FIRST_VERSION
        major, minor, patch = map(int, self._former.version.split("."))
        if self._gone or not self._has_all_columns:
            return f"{major + 1}.0.0"
        if self._has_new:
            return f"{major}.{minor + 1}.0"
        if self._former.format != kind or not set(files) <= set(self._former.files):
            return f"{major}.{minor}.{patch + 1}"
        return self._former.version
