"""The process that stores images ends with its crawl, and holds the lock of the data set as long as it runs."""

import os
import signal
from pathlib import Path

import pytest
from aiohttp import web
from data_set import assert_complete
from image_workers import own_worker, use_store, wait_for_end_of, workers
from mock_archive import DAYS, MockArchive, serving
from scrapy_command import start_crawl

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.image_store import ImageStore
from timecoverspider.exceptions import DatasetLockedError
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import image_url

COVER = draw_cover(DAYS[0], 400)


def open_for_writing(folder: Path) -> Dataset:
    return Dataset(folder / "output", write=True, archive="live")


def test_worker_holds_the_lock_until_it_ends_although_the_dataset_is_closed(tmp_path: Path) -> None:
    dataset = open_for_writing(tmp_path)

    async def work(store: ImageStore) -> None:
        await store.store("full/a.jpg", COVER)
        dataset.close()
        with pytest.raises(DatasetLockedError):
            open_for_writing(tmp_path)

    use_store(tmp_path / "output", work, dataset.lock)
    open_for_writing(tmp_path).close()


def test_worker_whose_lock_is_not_given_holds_none(tmp_path: Path) -> None:
    dataset = open_for_writing(tmp_path)

    async def work(store: ImageStore) -> None:
        await store.store("full/a.jpg", COVER)
        assert own_worker()
        dataset.close()
        open_for_writing(tmp_path).close()

    use_store(tmp_path / "output", work)


@pytest.mark.slow
def test_worker_that_is_stopped_ends_with_its_killed_crawl_and_writes_nothing_later(folder: Path) -> None:
    archive, crawl, stopped = MockArchive(), [], []
    for day in DAYS:  # images that differ from the stored ones
        archive.answers[image_url(day)] = draw_cover(DAYS[0], 600)

    async def stop_and_kill(request: web.Request) -> web.Response:
        stopped.extend(workers(crawl[0].pid))
        os.kill(stopped[0], signal.SIGSTOP)  # as on a disk that hangs
        crawl[0].kill()
        return web.Response()

    archive.answers[image_url(DAYS[39])] = stop_and_kill
    with serving(archive.app) as address:
        crawl.append(start_crawl(folder, address, "-a", "refresh=1"))
        crawl[0].communicate(timeout=60)
    wait_for_end_of(stopped[0])  # nobody continues it
    archive.answers[image_url(DAYS[39])] = draw_cover(DAYS[0], 600)
    done = archive.crawl(folder)
    assert done.returncode == 0, done.stderr
    assert_complete(folder)
    assert not list((folder / "output" / ".incoming").iterdir())
