"""Pages that could not be read, kept for whoever mends the selectors."""

import hashlib
from pathlib import Path

KEPT = 20  # pages in the folder, the newest


class InvalidPages:
    """The folder of pages that could not be read: the latest 20, at most 20 from one crawl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._saved = 0

    def save(self, url: str, body: bytes, reason: str) -> Path | None:
        """Write a page under its URL's SHA-1, and beside it the URL and the reason.

        Gives the page's file, or None if this crawl has kept enough. Raises OSError.
        """
        if self._saved >= KEPT:
            return None
        self._saved += 1
        self._folder.mkdir(exist_ok=True)
        page = self._folder / f"{hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()}.html"
        page.write_bytes(body)
        page.with_suffix(".txt").write_text(f"{url}\n{reason}\n", encoding="utf-8")
        pages = sorted(self._folder.glob("*.html"), key=lambda file: file.stat().st_mtime_ns)
        for old in pages[:-KEPT]:
            old.unlink()
            old.with_suffix(".txt").unlink(missing_ok=True)
        return page
