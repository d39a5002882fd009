"""Pictures are verified and stored by a process beside the crawl, and what becomes of it is noticed."""

import asyncio
import hashlib
import os
import select
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import DAYS, Site, assert_whole, records, serving, start

from timecoverspider.dataset.image_store import ImageStore
from timecoverspider.dataset.images import InvalidImageError, StoredImage
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import image_url

WHOLE = draw_cover(DAYS[0], 400)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kept(folder: Path, work: Any) -> Any:
    """Let a keeper of a folder do some work, and close it."""

    async def run() -> Any:
        store = ImageStore(folder)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def test_what_is_kept_is_there_as_it_came(tmp_path: Path) -> None:
    picture = kept(tmp_path, lambda store: store.store("full/a.jpg", WHOLE))
    stored = datetime.fromtimestamp((tmp_path / "full" / "a.jpg").stat().st_mtime, UTC)
    expected = hashlib.md5(WHOLE).hexdigest(), 400, 527, len(WHOLE), stored.isoformat(timespec="microseconds")
    assert picture == StoredImage(*expected)
    assert (tmp_path / "full" / "a.jpg").read_bytes() == WHOLE
    assert kept(tmp_path, lambda store: store.inspect("full/a.jpg")) == picture
    assert not list((tmp_path / ".incoming").iterdir())


def test_many_at_once_are_not_mixed_up(tmp_path: Path) -> None:
    pictures = [draw_cover(day, 400) for day in DAYS[:10]]

    async def work(store: ImageStore) -> list[StoredImage]:
        return await asyncio.gather(*(store.store(f"full/{n}.jpg", pictures[n % 10]) for n in range(50)))

    checksums = [picture.checksum for picture in kept(tmp_path, work)]
    assert checksums == [hashlib.md5(pictures[n % 10]).hexdigest() for n in range(50)]


@pytest.mark.parametrize("content", [b"", b"<p>Sorry</p>", WHOLE[:-100]])
def test_what_is_refused_is_not_stored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.jpg").write_bytes(WHOLE)
    with pytest.raises(InvalidImageError):
        kept(tmp_path, lambda store: store.store("full/a.jpg", content))
    assert (tmp_path / "full" / "a.jpg").read_bytes() == WHOLE


def test_what_cannot_be_read_or_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kept(tmp_path, lambda store: store.inspect("full/a.jpg"))
    (tmp_path / "full").write_text("a file where a folder should be")
    with pytest.raises(FileExistsError):
        kept(tmp_path, lambda store: store.store("full/a.jpg", WHOLE))


def test_a_keeper_that_has_nothing_to_do_is_no_process(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> list[int]:
        return children(os.getpid())

    assert kept(tmp_path, work) == []


def test_a_keeper_that_is_killed_is_noticed(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> None:
        await store.store("full/a.jpg", WHOLE)
        waiting = [asyncio.ensure_future(_error(store.store(f"full/{n}.jpg", WHOLE))) for n in range(20)]
        [pid] = children(os.getpid())
        os.kill(pid, signal.SIGKILL)
        errors = [error for error in await asyncio.gather(*waiting) if error]
        assert all("has ended" in str(error) for error in errors)
        assert "has ended" in str(await _error(store.store("full/b.jpg", WHOLE)))

    kept(tmp_path, work)


def test_a_keeper_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    async def run() -> None:
        store = ImageStore(tmp_path, patience=0.5)
        await store.store("full/a.jpg", WHOLE)
        [pid] = children(os.getpid())
        os.kill(pid, signal.SIGSTOP)
        assert "has not answered for 0.5 s" in str(await _error(store.store("full/b.jpg", WHOLE)))
        assert "has ended" in str(await _error(store.store("full/c.jpg", WHOLE)))
        await store.close()
        assert children(os.getpid()) == []

    asyncio.run(run())


def test_a_keeper_that_stops_while_it_is_closed_is_no_obstacle(tmp_path: Path) -> None:
    async def run() -> None:
        store = ImageStore(tmp_path, patience=0.5)
        await store.store("full/a.jpg", WHOLE)
        os.kill(children(os.getpid())[0], signal.SIGSTOP)
        await store.close()
        assert children(os.getpid()) == []

    asyncio.run(run())


def test_what_others_print_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import atexit, threading\nthreading.Thread(target=lambda: print('Good morning', flush=True)).start()\n"
    (tmp_path / "PIL.py").write_text(f"{code}raise ImportError('no Pillow here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    error = kept(tmp_path, lambda store: _error(store.store("full/a.jpg", WHOLE)))
    assert "no Pillow here" in str(error)


def test_files_in_the_current_folder_are_not_the_keepers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert kept(tmp_path, lambda store: store.store("full/a.jpg", WHOLE)).width == 400


async def _error(work: Coroutine[Any, Any, StoredImage]) -> OSError | None:
    try:
        await work
    except OSError as error:
        return error
    return None


@pytest.mark.parametrize("victim", ["the keeper", "the crawl"])
def test_neither_outlives_the_other(tmp_path: Path, victim: str) -> None:
    site, crawl, keepers = Site(DAYS), [], []

    async def strike(request: web.Request) -> web.Response:
        keepers.extend(children(crawl[0].pid))
        os.kill(keepers[0] if victim == "the keeper" else crawl[0].pid, signal.SIGKILL)
        return web.Response(body=WHOLE)

    site.instead[image_url(DAYS[39])] = strike  # by then images are being stored
    with serving(site.app) as address:
        crawl.append(start(tmp_path, address))
        log = crawl[0].communicate(timeout=60)[1]
    if victim == "the keeper":
        assert crawl[0].returncode == 1
        assert "Broken off, cannot write to" in log.splitlines()[-1]
        assert "Traceback" not in log
        assert len(records(tmp_path)) < 40
    else:
        _wait_for_the_end_of(keepers[0])
    assert_whole(tmp_path)
    assert Site(DAYS).crawl(tmp_path).returncode == 0
    assert len(records(tmp_path)) == 40


def _wait_for_the_end_of(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)
