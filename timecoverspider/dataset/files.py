"""Write files atomically: completely, or not at all."""

import os
from datetime import UTC, datetime
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
