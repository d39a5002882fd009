"""Write a folder beside its final place, and put it there in one step."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from timecoverspider.dataset.files import flush_folder
from timecoverspider.dataset.lock import Lock
from timecoverspider.exceptions import UsageError
from timecoverspider.exports.formats.contents import NAME

_LOCK = ".lock"


class Draft:
    """A hidden folder beside *target*, which ``publish`` renames to *target*. Without ``publish``, it is deleted.

    What a killed process left there is deleted first; if it was killed while it replaced a folder, the old folder gets
    its name back.

    Raises: DatasetLockedError if another process writes to the same target; UsageError if the hidden folder is a
    person's; OSError.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.timecoverspider.draft")
        self._old = target.with_name(f".{target.name}.timecoverspider.old")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(exist_ok=True)
        if any(self.folder.iterdir()) and not any((self.folder / name).is_file() for name in (_LOCK, NAME)):
            raise UsageError(f"{self.folder} exists, and this program did not write it: move it away")
        self._lock = Lock(self.folder / _LOCK)
        self._clean_up()

    def _clean_up(self) -> None:
        if self._old.exists():
            if self.target.exists():
                shutil.rmtree(self._old)
            else:
                self._old.rename(self.target)
        self._empty()

    def _empty(self) -> None:
        """Delete everything but the lock, by which a later process recognises the draft."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.target.exists() and self._old.exists():
            self._old.rename(self.target)
        with suppress(OSError):  # the next export cleans up
            if self.folder.exists():
                self._empty()
                shutil.rmtree(self.folder)
        self._lock.close()

    def publish(self) -> None:
        """Flush all folders to disk, rename the draft to its target, and delete the folder that was there."""
        for place, _, _ in os.walk(self.folder):
            flush_folder(Path(place))
        (self.folder / _LOCK).unlink()
        if self.target.exists():
            self.target.rename(self._old)
        self.folder.rename(self.target)
        flush_folder(self.target.parent)
        with suppress(OSError):  # the export is complete; the next one deletes the rest
            shutil.rmtree(self._old)
