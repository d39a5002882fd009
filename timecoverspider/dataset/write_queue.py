"""Write rows to the catalog in groups."""

import asyncio

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.rows import Image, Page, Record

_COMMIT_INTERVAL = 0.05  # seconds; one transaction per record takes as long as the rest of the crawl


class WriteQueue:
    """Writes rows to the catalog in a thread, in their order, several in one transaction.

    Raises: CatalogError, from ``save`` and ``flush``, if the catalog cannot be written.
    """

    def __init__(self, catalog: Catalog, crawl: int) -> None:
        self._catalog, self._crawl = catalog, crawl
        self._records: list[Record] = []
        self._images: dict[str, Image] = {}
        self._pages: dict[str, Page] = {}
        self._failures: dict[str, str] = {}
        self._requests: dict[str, str] = {}
        self._next: asyncio.Future[list[bool]] | None = None
        self._writing = asyncio.Lock()

    def add_image(self, image: Image) -> None:
        """Add an image; it is written before or together with records that are added later."""
        self._images[image.path] = image

    def add_page(self, page: Page) -> None:
        """Add a page that was read."""
        self._pages[page.url] = page

    def add_failure(self, url: str, reason: str, request: str = "") -> None:
        """Add the reason why a page failed, and its request as JSON if there is one."""
        self._failures[url] = reason
        if request:
            self._requests[url] = request

    async def save(self, record: Record) -> bool:
        """Write a record, and return whether it is new. On return the record is on disk."""
        number = len(self._records)
        self._records.append(record)
        return (await self.flush())[number]

    async def flush(self) -> list[bool]:
        """Wait until all added rows are on disk, and return for each record whether it is new."""
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
            requests, self._requests = self._requests, {}
            return await asyncio.to_thread(
                self._catalog.save,
                records=records,
                images=images.values(),
                pages=pages.values(),
                failures=failures,
                requests=requests,
                crawl=self._crawl,
            )
