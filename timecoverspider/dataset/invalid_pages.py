"""Store invalid pages, so that a developer can correct the selectors."""

import hashlib
from pathlib import Path

KEPT = 20  # pages in the folder; older pages are deleted


class InvalidPages:
    """The folder of invalid pages: the latest 20. A crawl stores at most 20."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._saved = 0

    def save(self, url: str, body: bytes, reason: str) -> Path | None:
        """Store a page as ``<SHA-1 of the URL>.html``, and its URL and the reason in a .txt file beside it.

        Return the path of the page, or None if this crawl has stored 20 pages already.

        Raises: OSError if the page cannot be stored.
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
