"""A process beside the crawl stores the images, and the crawl notices what becomes of that process."""

import asyncio
import hashlib
import os
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from data_set import assert_complete, records
from image_workers import own_worker, use_store, wait_for_end_of, workers
from mock_archive import DAYS, MockArchive
from scrapy_command import start_crawl
from serving import serving

from timecoverspider.dataset.image_store import ImageStore
from timecoverspider.dataset.images import InvalidImageError, StoredImage
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import image_url

COVER = draw_cover(DAYS[0], 400)


async def error_of(work: Coroutine[Any, Any, StoredImage]) -> OSError | None:
    try:
        await work
    except OSError as error:
        return error
    return None


def test_image_is_stored_as_it_came(tmp_path: Path) -> None:
    image = use_store(tmp_path, lambda store: store.store("full/a.jpg", COVER))
    stored = datetime.fromtimestamp((tmp_path / "full" / "a.jpg").stat().st_mtime, UTC)
    expected = hashlib.md5(COVER).hexdigest(), 400, 527, len(COVER), stored.isoformat(timespec="microseconds")
    assert image == StoredImage(*expected)
    assert (tmp_path / "full" / "a.jpg").read_bytes() == COVER
    assert use_store(tmp_path, lambda store: store.inspect("full/a.jpg")) == image
    assert not list((tmp_path / ".incoming").iterdir())


def test_images_stored_at_the_same_time_are_not_mixed_up(tmp_path: Path) -> None:
    images = [draw_cover(day, 400) for day in DAYS[:10]]

    async def work(store: ImageStore) -> list[StoredImage]:
        return await asyncio.gather(*(store.store(f"full/{n}.jpg", images[n % 10]) for n in range(50)))

    checksums = [image.checksum for image in use_store(tmp_path, work)]
    assert checksums == [hashlib.md5(images[n % 10]).hexdigest() for n in range(50)]


def test_invalid_image_is_refused_and_the_stored_one_stays(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.jpg").write_bytes(COVER)
    with pytest.raises(InvalidImageError):
        use_store(tmp_path, lambda store: store.store("full/a.jpg", COVER[:-100]))
    assert (tmp_path / "full" / "a.jpg").read_bytes() == COVER


def test_error_of_the_disk_reaches_the_crawl_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        use_store(tmp_path, lambda store: store.inspect("full/a.jpg"))
    (tmp_path / "full").write_text("a file where a folder should be")
    with pytest.raises(FileExistsError):
        use_store(tmp_path, lambda store: store.store("full/a.jpg", COVER))


def test_store_that_is_not_used_starts_no_process(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> list[int]:
        return workers(os.getpid())

    assert use_store(tmp_path, work) == []


def test_closed_store_leaves_no_process(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> int:
        await store.store("full/a.jpg", COVER)
        return own_worker()

    assert use_store(tmp_path, work)
    assert workers(os.getpid()) == []


def test_killed_worker_fails_all_images_that_wait_and_come(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> None:
        await store.store("full/a.jpg", COVER)
        os.kill(own_worker(), signal.SIGSTOP)  # so that none of them is stored before it is killed
        waiting = [asyncio.ensure_future(error_of(store.store(f"full/{n}.jpg", COVER))) for n in range(20)]
        await asyncio.sleep(0)
        os.kill(own_worker(), signal.SIGKILL)
        async with asyncio.timeout(30):  # less than the patience of the store
            assert all(await asyncio.gather(*waiting))
            assert await error_of(store.store("full/b.jpg", COVER))

    use_store(tmp_path, work)
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["a.jpg"]


def test_worker_that_does_not_answer_is_killed(tmp_path: Path) -> None:
    async def run() -> None:
        store = ImageStore(tmp_path)
        await store.store("full/a.jpg", COVER)
        store._patience = 0.1  # not before: a process takes longer to start
        os.kill(own_worker(), signal.SIGSTOP)
        assert await error_of(store.store("full/b.jpg", COVER))
        store._patience = 60
        async with asyncio.timeout(30):  # less than the patience of the store
            assert await error_of(store.store("full/c.jpg", COVER))
        await store.close()

    asyncio.run(run())
    assert workers(os.getpid()) == []


def test_worker_that_stops_while_the_store_closes_is_killed(tmp_path: Path) -> None:
    async def run() -> None:
        store = ImageStore(tmp_path)
        await store.store("full/a.jpg", COVER)
        store._patience = 0.1
        os.kill(own_worker(), signal.SIGSTOP)
        async with asyncio.timeout(30):  # and not for ever
            await store.close()

    asyncio.run(run())
    assert workers(os.getpid()) == []


def test_worker_that_fails_says_why_whatever_a_library_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PIL.py").write_text("print('Good morning', flush=True)\nraise ImportError('no Pillow here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    error = use_store(tmp_path, lambda store: error_of(store.store("full/a.jpg", COVER)))
    assert "no Pillow here" in str(error)


def test_worker_imports_nothing_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert use_store(tmp_path, lambda store: store.store("full/a.jpg", COVER)).width == 400


@pytest.mark.parametrize("victim", ["worker", "crawl"])
def test_killed_process_ends_the_other_and_the_next_crawl_goes_on(tmp_path: Path, victim: str) -> None:
    archive, crawl, pids = MockArchive(DAYS), [], []

    async def strike(request: web.Request) -> web.Response:
        pids.extend(workers(crawl[0].pid))
        os.kill(pids[0] if victim == "worker" else crawl[0].pid, signal.SIGKILL)
        return web.Response(body=COVER)

    archive.answers[image_url(DAYS[39])] = strike  # by then images are being stored
    with serving(archive.app) as address:
        crawl.append(start_crawl(tmp_path, address))
        log = crawl[0].communicate(timeout=60)[1]
    if victim == "worker":
        assert crawl[0].returncode == 1
        assert "Traceback" not in log
        assert len(records(tmp_path)) < 40
    else:
        wait_for_end_of(pids[0])
    assert_complete(tmp_path)
    assert MockArchive(DAYS).crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 40


def test_worker_has_time_to_answer_after_the_machine_has_slept(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> StoredImage:
        await store.store("full/a.jpg", COVER)
        os.kill(own_worker(), signal.SIGSTOP)
        waiting = asyncio.ensure_future(store.store("full/b.jpg", COVER))
        await asyncio.sleep(0)
        loop, slept = asyncio.get_running_loop(), [0.0]
        now = loop.time
        loop.time = lambda: now() + slept[0]  # type: ignore[method-assign]
        for _ in range(3):
            slept[0] += 1000  # the machine sleeps, and the clock of the loop goes on
            await asyncio.sleep(0)
            assert not waiting.done()
        os.kill(own_worker(), signal.SIGCONT)
        return await waiting

    assert use_store(tmp_path, work).bytes == len(COVER)
    assert (tmp_path / "full" / "b.jpg").read_bytes() == COVER
