"""Write a feed to a draft, and replace the feed's file with the draft in one step."""

import glob
import hashlib
import io
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import flush_folder, set_aside
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
        self._path = path.resolve()  # the target of a symbolic link
        self._dataset = dataset
        self._owner = self._path.with_name(f".timecoverspider.{self._path.name}")

    def check(self) -> None:
        """Raise UsageError if the file is the feed of another data set."""
        if (owner := self._read_owner()) and self._path.is_file():
            folder = (self._path.parent / owner.folder).resolve()
            if folder != self._dataset.folder and folder.is_dir() and _sha256(self._path) == owner.sha256:
                raise UsageError(f"{self._path} is the feed of the data set in {folder}: choose another file with -o")

    def open(self) -> Draft:
        """Return a new draft, and delete the drafts of interrupted crawls."""
        for stale in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.tmp"):
            stale.unlink(missing_ok=True)
        return Draft(self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp"))

    def publish(self, draft: Draft, records: int, *, complete: bool) -> str:
        """Replace the feed with a draft, and return a warning for the log, or "".

        If the crawl was not *complete*, a feed of this data set with more records is not replaced.

        Raises: FeedError if the feed cannot be written; CatalogError. The existing file then stays.
        """
        try:
            draft.finish()
            return self._replace(Feed(str(self._path), draft.sha256, records, now()), draft.path, complete=complete)
        except OSError as error:
            raise FeedError(error.strerror or str(error)) from error
        finally:
            with suppress(OSError):  # the parent may not be a folder
                draft.path.unlink()

    def _replace(self, feed: Feed, draft: Path, *, complete: bool) -> str:
        current = _sha256(self._path) if self._path.exists() else ""
        ours = {known.sha256: known.records for known in self._dataset.feeds()}
        warning = ""
        if current != feed.sha256:
            if current in ours and ours[current] > feed.records and not complete:
                return "stays unchanged: the crawl was not complete, and the file has more records than the new feed"
            self._dataset.catalog.save_feed(feed)  # before the rename, so that after a kill the catalog knows the file
            if current and current not in ours:
                warning = f"is not a file that this data set wrote; the old file is now {self._set_aside()}"
            draft.replace(self._path)
            flush_folder(self._path.parent)
        elif current not in ours:
            self._dataset.catalog.save_feed(feed)
        self._dataset.catalog.forget_feeds(feed)
        self._write_owner(_Owner(os.path.relpath(self._dataset.folder, self._path.parent), feed.sha256))
        return warning

    def _set_aside(self) -> str:
        return set_aside(self._path, "kept").name

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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
