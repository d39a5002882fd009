"""What the process that stores images answers to each request."""

import hashlib
import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sample_dataset import small_jpeg

from timecoverspider.dataset import image_store_worker as worker

JPEG = small_jpeg("a")


def request(path: str, content: bytes = b"", *, store: bool = True, number: int = 7) -> bytes:
    """Return a request as the crawl sends it."""
    name = path.encode()
    return worker.HEADER.pack(number, store, len(name), len(content)) + name + content


def answer(folder: Path, sent: bytes) -> tuple[str, Any]:
    """Have the worker handle a request; return its outcome and what it says."""
    reading, writing = os.pipe()
    handled = worker._read(BytesIO(sent))
    assert handled is not None
    worker._handle(folder, handled, writing, {})
    os.close(writing)
    with open(reading) as answers:  # noqa: PTH123 (a descriptor)
        [line] = answers
    number, outcome, value = json.loads(line)
    assert number == 7
    return outcome, value


def test_requests_are_read_one_after_the_other_until_the_pipe_is_closed() -> None:
    pipe = BytesIO(request("full/♥.jpg", JPEG) + request("full/b.jpg", store=False, number=2**40))
    first, second = worker._read(pipe), worker._read(pipe)
    assert first is not None
    assert (first.number, first.store, first.path, first.content) == (7, True, "full/♥.jpg", JPEG)
    assert second is not None
    assert (second.number, second.store, second.path, second.content) == (2**40, False, "full/b.jpg", b"")
    assert worker._read(pipe) is None


@pytest.mark.parametrize("left", [1, worker.HEADER.size, worker.HEADER.size + 3, len(request("full/a.jpg", JPEG)) - 1])
def test_request_cut_by_a_killed_crawl_is_not_handled(left: int) -> None:
    assert worker._read(BytesIO(request("full/a.jpg", JPEG)[:left])) is None


def test_valid_image_is_stored_and_described(tmp_path: Path) -> None:
    outcome, image = answer(tmp_path, request("full/a.jpg", JPEG))
    assert outcome == "stored"
    assert (image["width"], image["height"], image["bytes"]) == (16, 21, len(JPEG))
    assert image["checksum"] == hashlib.md5(JPEG).hexdigest()
    assert (tmp_path / "full" / "a.jpg").read_bytes() == JPEG


@pytest.mark.parametrize("content", [b"", b"<p>Sorry</p>", JPEG[:-100]])
def test_invalid_image_is_refused_and_the_stored_one_stays(tmp_path: Path, content: bytes) -> None:
    answer(tmp_path, request("full/a.jpg", JPEG))
    outcome, reason = answer(tmp_path, request("full/a.jpg", content))
    assert (outcome, bool(reason)) == ("invalid", True)
    assert (tmp_path / "full" / "a.jpg").read_bytes() == JPEG


def test_stored_image_is_inspected_and_not_changed(tmp_path: Path) -> None:
    stored = answer(tmp_path, request("full/a.jpg", JPEG))
    assert answer(tmp_path, request("full/a.jpg", store=False)) == stored


def test_damaged_image_is_refused_when_it_is_inspected(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG[:-100])
    assert answer(tmp_path, request("a.jpg", store=False))[0] == "invalid"


def test_image_that_cannot_be_read_or_written_fails_with_its_errno(tmp_path: Path) -> None:
    assert answer(tmp_path, request("full/a.jpg", store=False)) == ("failed", [2, os.strerror(2)])
    (tmp_path / "full").write_text("a file where a folder should be")
    assert answer(tmp_path, request("full/a.jpg", JPEG)) == ("failed", [17, os.strerror(17)])


def test_bug_of_the_worker_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "validate_image", lambda _: 1 / 0)
    outcome, (number, reason) = answer(tmp_path, request("full/a.jpg", JPEG))
    assert (outcome, number) == ("failed", 0)
    assert "ZeroDivisionError" in reason
