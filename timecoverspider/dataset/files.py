"""Write files atomically: completely, or not at all."""

import hashlib
import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO

_PART = 2**20  # bytes that are copied at once


def write_atomically(target: Path, content: bytes, drafts: Path) -> None:
    """Write a file to the folder *drafts*, flush it to disk, and rename it to *target*.

    Both folders must be on the same file system.

    Raises: OSError if the file cannot be written. An existing file then stays.
    """
    draft = drafts / f"{target.name}.{os.getpid()}"
    for folder in (target.parent, drafts):
        folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    draft.replace(target)


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, so that a rename survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path, why: str) -> Path:
    """Rename a file to ``<name>.<why>-<time>``, and return its new path."""
    aside = path.with_name(f"{path.name}.{why}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    path.rename(aside)
    return aside


def unused_path(path: Path) -> Path:
    """Return the path, or if it exists, the path with the first free number, for example ``name-2.jpg``."""
    candidates = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not _exists(path) else next(other for other in candidates if not _exists(other))


def _exists(path: Path) -> bool:
    return os.path.lexists(path)  # True also for a broken symbolic link


def regular_size(path: Path) -> int:
    """Return the size of a regular file in bytes.

    Raises: OSError if there is no such file, or if it is a folder, pipe or device: to read a pipe may never end.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is not a regular file")
    return status.st_size


def modified(status: os.stat_result) -> str:
    """Return the modification time of a file as in the catalog: UTC, with microseconds."""
    return datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="microseconds")


class Revision:
    """The new content of a file. A draft is written only from the first byte on that differs from the file's content.

    Raises: OSError, from all methods, if the file cannot be read or the draft cannot be written.
    """

    def __init__(self, target: Path, drafts: Path) -> None:
        self._path = drafts / f"{target.name}.{os.getpid()}"
        self._draft: BinaryIO | None = None
        self._same = 0  # bytes from the beginning that the file has too
        try:
            regular_size(target)
            self._file: BinaryIO | None = target.open("rb")
        except FileNotFoundError:
            self._file = None

    def write(self, content: bytes) -> None:
        """Add content."""
        if self._draft is None and self._file is not None and self._file.read(len(content)) == content:
            self._same += len(content)
        else:
            self._open().write(content)

    def finish(self) -> Path | None:
        """Flush the draft to disk, and return its path, or None if the content is that of the file."""
        if self._draft is None and self._file is not None and not self._file.read(1):
            return None
        draft = self._open()
        draft.flush()
        os.fsync(draft.fileno())
        return self._path

    def close(self) -> None:
        """Close the files, and delete the draft unless it was renamed."""
        for file in (self._file, self._draft):
            if file is not None:
                with suppress(OSError):  # the disk is full, and the draft is not used
                    file.close()
        if self._draft is not None:
            self._path.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        """Return the draft; if it is new, begin it with what is the same."""
        if self._draft is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._draft = self._path.open("wb")
            if self._file is not None:
                self._file.seek(0)
                while self._draft.tell() < self._same:
                    if not (part := self._file.read(min(self._same - self._draft.tell(), _PART))):
                        raise OSError(0, "another program has changed it meanwhile")
                    self._draft.write(part)
        return self._draft


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
