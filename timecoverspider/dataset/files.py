"""Write files atomically: completely, or not at all."""

import os
import stat
from datetime import UTC, datetime
from itertools import count
from pathlib import Path


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
