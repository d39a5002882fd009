"""Rows that come together are written together, in order, and a save returns when they are on disk."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sample_dataset import COVERS, TIME, image, record

from timecoverspider.dataset.catalog import Catalog
from timecoverspider.dataset.rows import Page
from timecoverspider.dataset.write_queue import WriteQueue
from timecoverspider.exceptions import CatalogError

BROKEN = record("broken", date="2013-01-01")._replace(page_url=None)  # type: ignore[arg-type]


class CountingCatalog(Catalog):
    """Counts its transactions of rows."""

    saves = 0

    def save(self, **rows: Any) -> list[bool]:
        self.saves += 1
        return super().save(**rows)


def use_queue(folder: Path, work: Callable[[WriteQueue, CountingCatalog], Awaitable[None]]) -> None:
    async def run(catalog: CountingCatalog) -> None:
        await work(WriteQueue(catalog, 1), catalog)

    with closing(CountingCatalog(folder / "catalog.db", write=True)) as catalog:
        catalog.describe("covers", COVERS)
        asyncio.run(run(catalog))


def test_records_saved_together_are_one_transaction_and_each_knows_whether_it_is_new(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        assert await queue.save(record("p"))
        many = [record(f"q{number}", date=f"2013-01-{number:02}") for number in range(1, 31)]
        many.insert(7, record("p again"))
        new = await asyncio.gather(*map(queue.save, many))
        assert [page.page_url for page, is_new in zip(many, new, strict=True) if not is_new] == ["p again"]
        assert (catalog.saves, catalog.count()) == (2, 31)

    use_queue(tmp_path, work)


def test_saved_record_has_its_image_on_disk(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        queue.add_image(image())
        await queue.save(record("p"))
        with closing(Catalog(tmp_path / "catalog.db")) as reader:
            assert [stored.images for stored in reader.records()] == [(image(),)]
        assert catalog.saves == 1

    use_queue(tmp_path, work)


def test_flush_writes_pages_and_failures_without_a_record(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        queue.add_page(Page("listing", 0, 15, TIME))
        queue.add_failure("p", "HTTP 503")
        assert await queue.flush() == []
        assert [(page.url, page.failure) for page in catalog.pages()] == [("listing", ""), ("p", "HTTP 503")]

    use_queue(tmp_path, work)


def test_flush_of_an_empty_queue_writes_nothing(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        assert await queue.flush() == []
        assert catalog.saves == 0

    use_queue(tmp_path, work)


def test_rows_added_during_a_write_are_written_by_the_next(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        first = asyncio.ensure_future(queue.save(record("p")))
        while not catalog.saves:
            await asyncio.sleep(0)
        assert await queue.save(record("q", date="2013-01-01"))
        assert first.done()
        assert (catalog.saves, catalog.count()) == (2, 2)

    use_queue(tmp_path, work)


def test_write_that_fails_fails_all_its_records_and_none_of_the_next(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        results = await asyncio.gather(queue.save(record("p")), queue.save(BROKEN), return_exceptions=True)
        assert [type(result) for result in results] == [CatalogError, CatalogError]
        assert catalog.count() == 0
        assert await queue.save(record("p"))
        assert catalog.count() == 1

    use_queue(tmp_path, work)


def test_save_that_is_cancelled_is_written_all_the_same(tmp_path: Path) -> None:
    async def work(queue: WriteQueue, catalog: CountingCatalog) -> None:
        saving = asyncio.ensure_future(queue.save(record("p")))
        await asyncio.sleep(0)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        await queue.flush()
        assert catalog.count() == 1

    use_queue(tmp_path, work)
