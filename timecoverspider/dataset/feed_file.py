"""Write a feed to a draft, and replace the feed's file with the draft in one step."""

import errno
import glob
import hashlib
import io
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import flush_folder, set_aside, sha256
from timecoverspider.dataset.rows import Feed, now
from timecoverspider.exceptions import FeedError, UsageError


class Draft(io.BufferedIOBase):
    """A file that is renamed to the feed later. The first OSError is stored, and raised by ``finish``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._error: OSError | None = None
        self._digest = hashlib.sha256()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] | None = path.open("wb")
        except OSError as error:
            self._error, self._file = error, None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content written so far."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._digest.update(content)
        self._do("write", content)
        return len(content)

    def flush(self) -> None:
        self._do("flush")

    def _do(self, what: str, *arguments: Any) -> None:
        if self._file is None or self._error:
            return
        try:
            getattr(self._file, what)(*arguments)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        """Flush the file to disk, and close it. Raise the first OSError of all operations."""
        if self._file is not None:
            self.flush()
            try:
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
        if self._error:
            raise self._error


class _Owner(NamedTuple):
    """The data set of a feed, stored in a hidden file beside the feed, so that other data sets can recognise it."""

    folder: str  # of the data set, relative to the folder of the feed
    sha256: str


class FeedFile:
    """The feed of a data set at a path.

    If the catalog has the SHA-256 of the existing file, this data set wrote the file, and the file is replaced. Any
    other file is renamed, so that nothing is lost.
    """

    def __init__(self, path: Path, dataset: Dataset) -> None:
        # A device or a pipe, such as /dev/stdout: written to, never replaced.
        is_device = path.absolute().parts[1:2] in (("dev",), ("proc",)) and "shm" not in path.parts
        self._is_special = path.exists() and not path.is_dir() and (is_device or not path.is_file())
        try:
            self.path = path if self._is_special else path.resolve()  # the target of a symbolic link
        except (OSError, RuntimeError) as error:  # RuntimeError until Python 3.12
            raise UsageError(f"cannot write {path}: the symbolic link leads to itself") from error
        self._dataset = dataset
        self._owner = self.path.with_name(f".timecoverspider.{self.path.name}")

    def check(self) -> None:
        """Raise UsageError if the path is a folder, or the feed of another data set."""
        if self.path.is_dir():
            raise UsageError(f"cannot write {self.path}: it is a folder")
        if (owner := self._read_owner()) and self.path.is_file():
            folder = (self.path.parent / owner.folder).resolve()
            if folder != self._dataset.folder and folder.is_dir() and sha256(self.path) == owner.sha256:
                raise UsageError(f"{self.path} is the feed of the data set in {folder}: choose another file with -o")

    def open(self) -> Draft:
        """Return a new draft, and delete the drafts of interrupted crawls."""
        if self._is_special:
            return Draft(self._dataset.layout.drafts / f"{self.path.name}.{os.getpid()}")
        for stale in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.tmp"):
            stale.unlink(missing_ok=True)
        return Draft(self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp"))

    def publish(self, draft: Draft, records: int, *, complete: bool) -> str:
        """Replace the feed with a draft, and return a warning for the log, or "".

        If the crawl was not *complete*, a feed of this data set with more records is not replaced.

        Raises: FeedError if the feed cannot be written; CatalogError. The existing file then stays.
        """
        try:
            draft.finish()
            if self._is_special:
                return self._write(draft.path)
            return self._replace(Feed(str(self.path), draft.sha256, records, now()), draft.path, complete=complete)
        except OSError as error:
            raise FeedError(error.strerror or str(error)) from error
        finally:
            with suppress(OSError):  # the parent may not be a folder
                draft.path.unlink()

    def _replace(self, feed: Feed, draft: Path, *, complete: bool) -> str:
        current = sha256(self.path) if self.path.exists() else ""
        ours = {known.sha256: known.records for known in self._dataset.feeds()}
        warning = ""
        if current != feed.sha256:
            if current in ours and ours[current] > feed.records and not complete:
                return "stays unchanged: the crawl was not complete, and the file has more records than the new feed"
            self._dataset.catalog.save_feed(feed)  # before the rename, so that after a kill the catalog knows the file
            if current and current not in ours:
                warning = f"is not a file that this data set wrote; the old file is now {self._set_aside()}"
            draft.replace(self.path)
            flush_folder(self.path.parent)
        elif current not in ours:
            self._dataset.catalog.save_feed(feed)
        self._dataset.catalog.forget_feeds(feed)
        self._write_owner(_Owner(os.path.relpath(self._dataset.folder, self.path.parent), feed.sha256))
        return warning

    def _write(self, draft: Path) -> str:
        """Copy a draft to a device or a pipe."""
        try:
            # Without O_NONBLOCK, to open a pipe that nobody reads never ends.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise FeedError("no process reads from the pipe") from error
            raise
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as target, draft.open("rb") as source:
            shutil.copyfileobj(source, target)
        return ""

    def _set_aside(self) -> str:
        return set_aside(self.path, "kept").name

    def _read_owner(self) -> _Owner | None:
        try:
            return _Owner(**json.loads(self._owner.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _write_owner(self, owner: _Owner) -> None:
        if self._read_owner() != owner:
            draft = self._owner.with_name(f"{self._owner.name}.{os.getpid()}.tmp")
            draft.write_text(json.dumps(owner._asdict()))
            draft.replace(self._owner)
