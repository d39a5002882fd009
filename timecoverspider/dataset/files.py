"""Write a file completely or not at all."""

import os
from datetime import UTC, datetime
from pathlib import Path


def write_atomically(target: Path, content: bytes, drafts: Path) -> None:
    """Write a file in the folder *drafts* first, and rename it when it is on disk.

    Both must be on one file system. Raises OSError; the file that was there before then stays.
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
    """Have the names in a folder reach the disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path, why: str) -> Path:
    """Rename a file to ``<name>.<why>-<time>``, and give its new path. Raises OSError."""
    aside = path.with_name(f"{path.name}.{why}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    path.rename(aside)
    return aside
