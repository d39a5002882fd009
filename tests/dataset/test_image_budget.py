"""One image may take only so much time and memory."""

import asyncio
import itertools
import json
import os
import threading
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from data_set import failures, records
from image_workers import own_worker, peak_memory, use_store, workers
from mock_archive import DAYS, MockArchive
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from scrapy_command import last_line

from timecoverspider.dataset import image_store_worker as worker
from timecoverspider.dataset.image_store import ImageStore
from timecoverspider.dataset.images import SlowImageError, StoredImage
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_url, image_url

COVER = draw_cover(DAYS[0], 400)


class Ended(BaseException):
    """Raised where the process would end or sleep."""


def slow_jpeg(scans: int) -> bytes:
    """Return a progressive JPEG of 16 million pixels that takes 10 ms for each of its scans."""
    file = BytesIO()
    Image.new("L", (4000, 4000)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rfind(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + b"\xff\xd9"


def saved(form: str, mode: str, side: int, **options: object) -> bytes:
    """Return an image of one colour: a file of a few KB with many pixels."""
    file = BytesIO()
    Image.new(mode, (side, side)).save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


def watch(monkeypatch: pytest.MonkeyPatch, cpu_time: float) -> tuple[list[int], str]:
    """Watch an image that has had that many seconds; return the exit statuses of the process, and its answer."""
    statuses: list[int] = []

    rounds: list[float] = []

    def end(status: int) -> None:
        statuses.append(status)
        raise Ended

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) > 2:
            raise Ended

    reading, writing = os.pipe()
    running = {threading.get_ident(): (7, time.thread_time() - cpu_time)}
    with monkeypatch.context() as patch:
        patch.setattr(os, "_exit", end)
        patch.setattr(time, "sleep", sleep)
        with pytest.raises(Ended):
            worker._watch(writing, running)
    os.close(writing)
    with open(reading) as answers:  # noqa: PTH123 (a descriptor)
        return statuses, answers.read()


def test_image_beyond_its_budget_is_invalid_and_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, answer = watch(monkeypatch, worker._BUDGET + 1)
    assert statuses == [worker.OUT_OF_TIME]
    assert json.loads(answer) == [7, "slow", "decoding the image takes more than 5 s"]


def test_image_within_its_budget_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch(monkeypatch, worker._BUDGET - 2) == ([], "")


@pytest.mark.slow
def test_image_that_takes_too_long_is_invalid_and_the_others_are_stored(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> list[object]:
        contents = [slow_jpeg(3000), *[COVER] * 20]
        tasks = [store.store(f"full/{number}.jpg", content) for number, content in enumerate(contents)]
        found: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
        await store.store("full/later.jpg", COVER)
        return found

    slow, *others = use_store(tmp_path, work)
    assert isinstance(slow, SlowImageError)
    assert "takes more than 5 s" in str(slow)
    assert not any(isinstance(other, BaseException) for other in others)
    assert len(list((tmp_path / "full").iterdir())) == 21


@pytest.mark.slow
def test_image_after_a_slow_one_is_stored_while_the_next_worker_starts(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> StoredImage:
        with pytest.raises(SlowImageError):
            await store.store("full/slow.jpg", slow_jpeg(3000))
        return await store.store("full/a.jpg", COVER)

    assert use_store(tmp_path, work).width == 400


@pytest.mark.slow
def test_store_closed_after_a_slow_image_leaves_no_process(tmp_path: Path) -> None:
    async def work(store: ImageStore) -> None:
        with pytest.raises(SlowImageError):
            await store.store("full/slow.jpg", slow_jpeg(3000))

    use_store(tmp_path, work)
    assert workers(os.getpid()) == []


def test_patience_begins_again_with_each_answer_to_another_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, rounds = ImageStore(tmp_path), itertools.count(1)
    image = StoredImage("", 400, 527, len(COVER))

    async def process() -> SimpleNamespace:
        return SimpleNamespace(stdin=SimpleNamespace(writelines=lambda _: None))

    async def wait(answers: list["asyncio.Future[StoredImage]"], timeout: float) -> None:
        number = next(rounds)
        store._answered += number in (11, 22)  # one round less than the patience has
        if number == 33:
            answers[0].set_result(image)

    monkeypatch.setattr(store, "_running_process", process)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "wait", wait)
        assert asyncio.run(store.store("full/a.jpg", COVER)) is image


@pytest.mark.slow
def test_cover_whose_image_takes_too_long_is_missing_and_requested_once(tmp_path: Path) -> None:
    archive = MockArchive()
    archive.answers[image_url(DAYS[3])] = slow_jpeg(3000)
    done = archive.crawl(tmp_path)
    assert done.returncode == 3
    assert f"1 missing (<{cover_url(DAYS[3])}>" in last_line(done)
    assert image_url(DAYS[3]) in last_line(done)
    assert "Traceback" not in done.stderr
    assert "takes more than 5 s" in failures(tmp_path)[cover_url(DAYS[3])]
    assert archive.requests.count(image_url(DAYS[3])) == 1
    assert len(records(tmp_path)) == 39


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "mode", "side"), [("WEBP", "RGB", 4000), ("PNG", "RGB", 7000), ("PNG", "RGBA", 5000), ("GIF", "P", 7000)]
)
def test_images_of_many_pixels_at_the_same_time_are_stored_in_a_bounded_memory(
    tmp_path: Path, form: str, mode: str, side: int
) -> None:
    content = saved(form, mode, side)

    async def work(store: ImageStore) -> int:
        images = await asyncio.gather(*(store.store(f"full/{number}.jpg", content) for number in range(12)))
        assert [image.width for image in images] == [side] * 12
        return peak_memory(own_worker())

    assert len(content) < 300_000
    assert use_store(tmp_path, work) < 400 * 2**20


def test_image_that_needs_more_memory_than_there_is_is_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    reading, writing = os.pipe()
    with monkeypatch.context() as patch:
        patch.setattr(JpegImageFile, "draft", fail)
        worker._handle(tmp_path, worker._Request(7, True, "full/a.jpg", COVER), writing, {})
    os.close(writing)
    with open(reading) as answers:  # noqa: PTH123 (a descriptor)
        assert json.loads(answers.read()) == [7, "invalid", "decoding the image needs too much memory"]
    assert not (tmp_path / "full").exists()
