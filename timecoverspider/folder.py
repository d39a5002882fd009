"""Whose the output folder is: one crawl's at a time, and one archive's for good."""

import fcntl
import os
from pathlib import Path

from timecoverspider.catalog import now
from timecoverspider.errors import DatasetError, LockedError


def lock(folder: Path) -> int:
    """Take the folder for this process until it ends, however it ends.

    Raises LockedError where another process has it.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 200).decode() or "another process"
        os.close(descriptor)
        raise LockedError(f"{folder} is in use by {holder}") from error
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} since {now()}".encode())
    return descriptor


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
