"""A feed in a file that is replaced in one step, if it is this data set's."""

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
    """A file that becomes another one later. What goes wrong meanwhile is kept for then."""

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
        """The SHA-256 of what has been written."""
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
        """Flush the file to disk. Raises the first OSError that happened."""
        if self._file is not None:
            self.flush()
            try:
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
        if self._error:
            raise self._error


class _Owner(NamedTuple):
    """Whose a feed is, as the hidden file beside it says, so that another data set can know."""

    folder: str  # of the data set, relative to the feed's
    sha256: str


class FeedFile:
    """The feed of a data set at a path.

    A file there is replaced if the catalog knows its SHA-256: then this data set wrote it, and nobody changed it. Any
    other file is set aside.
    """

    def __init__(self, path: Path, dataset: Dataset) -> None:
        self._path = path.resolve()  # what a symbolic link points to
        self._dataset = dataset
        self._owner = self._path.with_name(f".timecoverspider.{self._path.name}")

    def check(self) -> None:
        """Raise UsageError if the file is another data set's feed."""
        if (owner := self._read_owner()) and self._path.is_file():
            folder = (self._path.parent / owner.folder).resolve()
            if folder != self._dataset.folder and folder.is_dir() and _sha256(self._path) == owner.sha256:
                raise UsageError(f"{self._path} is the feed of the data set in {folder}: name another file with -o")

    def open(self) -> Draft:
        """A new draft; those that an interrupted crawl left are deleted."""
        for stale in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.tmp"):
            stale.unlink(missing_ok=True)
        return Draft(self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp"))

    def publish(self, draft: Draft, records: int, *, complete: bool) -> str:
        """Give a draft the feed's name; tell what a person should know, or nothing.

        If the crawl was not *complete*, a feed of this data set that has more records stays as it is. Raises FeedError
        if it cannot be written, and CatalogError; the file that was there then stays.
        """
        try:
            draft.finish()
            return self._replace(Feed(str(self._path), draft.sha256, records, now()), draft.path, complete=complete)
        except OSError as error:
            raise FeedError(error.strerror or str(error)) from error
        finally:
            with suppress(OSError):  # its folder may not be one
                draft.path.unlink()

    def _replace(self, feed: Feed, draft: Path, *, complete: bool) -> str:
        there = _sha256(self._path) if self._path.exists() else ""
        ours = {known.sha256: known.records for known in self._dataset.feeds()}
        said = ""
        if there != feed.sha256:
            if there in ours and ours[there] > feed.records and not complete:
                return "stays as it was: it has more records than this crawl knows of"
            self._dataset.catalog.save_feed(feed)  # before the rename, so that a kill leaves no stranger
            if there and there not in ours:
                said = f"was not written by this data set, or changed since. It is kept as {self._set_aside()}."
            draft.replace(self._path)
            flush_folder(self._path.parent)
        elif there not in ours:
            self._dataset.catalog.save_feed(feed)
        self._dataset.catalog.forget_feeds(feed)
        self._write_owner(_Owner(os.path.relpath(self._dataset.folder, self._path.parent), feed.sha256))
        return said

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
