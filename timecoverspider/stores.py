"""Pictures written whole or not at all."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

from scrapy.pipelines.files import FSFilesStore
from scrapy.pipelines.media import MediaPipeline


class AtomicFilesStore(FSFilesStore):
    """Scrapy's store in a folder, whose files get their names only when they are on disk."""

    def __init__(self, basedir: str | os.PathLike[str]) -> None:
        super().__init__(basedir)
        self._incoming = incoming_folder(Path(self.basedir))
        self._incoming.mkdir(exist_ok=True)

    def persist_file(
        self,
        path: str | os.PathLike[str],
        buf: BytesIO,
        info: MediaPipeline.SpiderInfo,
        meta: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Write *buf* to a file elsewhere in the store, flush it to disk and rename it.

        ``meta["modified"]``, a time in seconds since 1970, becomes the file's. Raises OSError where it
        cannot be written; what was there before stays.
        """
        target = self._get_filesystem_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)  # Scrapy's own way fails where two threads do it at once
        draft = self._incoming / target.name
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            content = buf.getbuffer()
            while content:
                content = content[os.write(descriptor, content) :]
            if meta and meta.get("modified") is not None:
                os.utime(descriptor, (meta["modified"], meta["modified"]))
            os.fsync(descriptor)
        except OSError:
            draft.unlink()
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
        leftover.unlink()
