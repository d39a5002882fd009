"""Rows on their way into the catalog: those that come together are written together."""

import asyncio

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.rows import Image, Page, Record

_COMMIT_INTERVAL = 0.05  # seconds; a transaction for each record would take as long as the rest of the crawl


class WriteQueue:
    """Writes to the catalog in a thread, in the order in which rows came, several in one transaction."""

    def __init__(self, catalog: Catalog, crawl: int) -> None:
        self._catalog, self._crawl = catalog, crawl
        self._records: list[Record] = []
        self._images: dict[str, Image] = {}
        self._pages: dict[str, Page] = {}
        self._failures: dict[str, str] = {}
        self._next: asyncio.Future[list[bool]] | None = None
        self._writing = asyncio.Lock()

    def add_image(self, image: Image) -> None:
        """Have an image written before, or with, the records that come later."""
        self._images[image.path] = image

    def add_page(self, page: Page) -> None:
        """Have a page written that was read."""
        self._pages[page.url] = page

    def add_failure(self, url: str, reason: str) -> None:
        """Have it written why a page could not be had."""
        self._failures[url] = reason

    async def save(self, record: Record) -> bool:
        """Write a record; on return it is on disk. Tell whether it is new. Raises CatalogError."""
        number = len(self._records)
        self._records.append(record)
        return (await self.flush())[number]

    async def flush(self) -> list[bool]:
        """Wait until all that has been added is on disk; tell of each record whether it is new. Raises CatalogError."""
        if self._next is None and not (self._records or self._images or self._pages or self._failures):
            return []
        if self._next is None:
            self._next = asyncio.ensure_future(self._write())
        return await asyncio.shield(self._next)

    async def _write(self) -> list[bool]:
        async with self._writing:
            await asyncio.sleep(_COMMIT_INTERVAL)
            self._next = None
            records, self._records = self._records, []
            images, self._images = self._images, {}
            pages, self._pages = self._pages, {}
            failures, self._failures = self._failures, {}
            return await asyncio.to_thread(
                self._catalog.save,
                records=records,
                images=images.values(),
                pages=pages.values(),
                failures=failures,
                crawl=self._crawl,
            )
