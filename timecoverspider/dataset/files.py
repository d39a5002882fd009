"""Files written whole or not at all."""

import os
from pathlib import Path


def write_atomically(store: Path, path: str, content: bytes, modified: float | None = None) -> None:
    """Write a file below *store*: elsewhere in it first, and renamed when it is on disk.

    *modified*, in seconds since 1970, becomes the file's time. Raises OSError where it cannot be written; what was
    there before stays.
    """
    target, draft = store / path, incoming_folder(store) / f"{Path(path).name}.{os.getpid()}"
    for folder in (target.parent, draft.parent):
        folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if modified is not None:
            os.utime(descriptor, (modified, modified))
        os.fsync(descriptor)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    draft.replace(target)


def incoming_folder(store: Path) -> Path:
    """The folder in which files are written before they have their names."""
    return store / ".incoming"


def clear_incoming(store: Path) -> None:
    """Delete what an interrupted crawl left half-written."""
    for leftover in incoming_folder(store).glob("*"):
        leftover.unlink(missing_ok=True)  # by the process of that crawl, which may not have ended yet
