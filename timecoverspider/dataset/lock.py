"""Whose the output folder is: one crawl's at a time, and one archive's for good."""

import contextlib
import fcntl
import os
from pathlib import Path

from timecoverspider.dataset.catalog import now
from timecoverspider.exceptions import DatasetError, LockedError


def lock(folder: Path) -> int:
    """Take the folder for this process until it ends, however it ends, or until the descriptor is closed.

    Raises LockedError where another process has it.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    _take(descriptor, folder, fcntl.LOCK_EX)
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} since {now()}".encode())
    return descriptor


def check_unlocked(folder: Path) -> None:
    """Raise LockedError where a process has the folder, and change nothing."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder / ".lock", os.O_RDONLY)
        _take(descriptor, folder, fcntl.LOCK_SH)
        os.close(descriptor)


def _take(descriptor: int, folder: Path, how: int) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 200).decode() or "another process"
        os.close(descriptor)
        raise LockedError(f"{folder} is in use by {holder}") from error


def claim(folder: Path, archive: str) -> None:
    """Remember which archive fills the folder; raises DatasetError where it was another one."""
    mark = folder / ".archive"
    filled_from = mark.read_text().strip() if mark.exists() else ""
    if not filled_from:  # new, or killed in the middle of the next line
        mark.write_text(f"{archive}\n")
    elif filled_from != archive:
        raise DatasetError(
            f"{folder} holds the covers of ARCHIVE={filled_from}, which {archive} ones must not mix with: "
            f"give another folder with -s FILES_STORE=…, or move this one away"
        )
