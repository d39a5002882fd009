"""Allow only one process to write to a data set, and only covers from one archive."""

import contextlib
import fcntl
import os
import weakref
from datetime import UTC, datetime
from pathlib import Path

from timecoverspider.exceptions import DatasetError, DatasetLockedError


class Lock:
    """Locks a data set until the lock is closed or garbage-collected, or this process ends or is killed.

    Raises: DatasetLockedError if another process or this process already holds the lock.
    """

    def __init__(self, file: Path) -> None:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        _take(descriptor, file, fcntl.LOCK_EX)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}".encode())
        self.descriptor = descriptor  # a process that inherits it holds the lock too
        self.close = weakref.finalize(self, os.close, descriptor)


def check_unlocked(file: Path) -> None:
    """Raise DatasetLockedError if a process holds the lock; change nothing."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        _take(descriptor, file, fcntl.LOCK_SH)
        os.close(descriptor)


def _take(descriptor: int, file: Path, how: int) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 200).decode(errors="backslashreplace") or "another process"
        os.close(descriptor)
        raise DatasetLockedError(f"{file.parent} is in use by {holder}") from error


def claim(mark: Path, archive: str) -> None:
    """Store the name of the archive in the file *mark*.

    Raises: DatasetError if the data set already has covers from another archive.
    """
    filled_from = mark.read_text(errors="backslashreplace").strip()[:100] if mark.exists() else ""
    if not filled_from:  # a new data set, or a crawl was killed in the next line
        mark.write_text(f"{archive}\n")
    elif filled_from != archive:
        raise DatasetError(
            f"{mark.parent} already has covers from ARCHIVE={filled_from}, not from {archive}: "
            f"choose another folder with -s FILES_STORE=…, or move this folder away"
        )
