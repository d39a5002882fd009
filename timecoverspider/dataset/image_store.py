"""Validate and store images in a subprocess, which runs ``image_store_worker.py``.

A subprocess, because with threads the crawl spent a quarter of its time waiting for the GIL (10.0 s against 7.25 s for
3,000 covers).
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from timecoverspider.dataset import image_store_worker
from timecoverspider.dataset.image_store_worker import HEADER
from timecoverspider.dataset.images import InvalidImageError, SlowImageError, StoredImage

_SLICES = 12  # parts of the patience: if the machine sleeps, only one part passes


class _Request(NamedTuple):
    """A request that the subprocess has not answered yet."""

    message: tuple[bytes, ...]
    answer: asyncio.Future[StoredImage]


class ImageStore:
    """Sends images to the subprocess, which starts with the first image, and ends with ``close`` or with this process.

    If the subprocess does not answer within *patience* seconds, for example because the disk hangs, it is killed. If
    one image takes too long to decode, a new subprocess gets the other images. *lock* is the file descriptor of the
    data set's lock. The subprocess holds the lock too, so that no other crawl writes while the subprocess runs.
    """

    def __init__(self, folder: Path, patience: float = 120, lock: int | None = None) -> None:
        self._folder, self._patience, self._lock = folder, patience, lock
        self._numbers = count()
        self._answered = 0
        self._requests: dict[int, _Request] = {}
        self._started: asyncio.Future[Process] | None = None

    async def store(self, path: str, content: bytes) -> StoredImage:
        """Validate an image and store it under *path* in the folder; on return the image is on disk.

        Raises: InvalidImageError if the image is invalid; OSError if it cannot be stored. An existing file then stays.
        """
        return await self._ask(True, path, content)

    async def inspect(self, path: str) -> StoredImage:
        """Validate the image that is stored under *path*. Raises the same errors as ``store``."""
        return await self._ask(False, path)

    async def _ask(self, store: bool, path: str, content: bytes = b"") -> StoredImage:
        process = await self._running_process()
        number, name = next(self._numbers), path.encode()
        message = HEADER.pack(number, store, len(name), len(content)), name, content
        answer: asyncio.Future[StoredImage] = asyncio.get_running_loop().create_future()
        self._requests[number] = _Request(message, answer)
        assert process.stdin  # noqa: S101 (a pipe)
        process.stdin.writelines(message)
        slices = 0
        while slices < _SLICES:
            answered = self._answered
            await asyncio.wait([answer], timeout=self._patience / _SLICES)
            if answer.done():
                try:
                    return answer.result()
                finally:
                    del answer  # an exception holds this frame: with the answer it would be a cycle, with the content
            slices = slices + 1 if answered == self._answered else 0  # the process answers: other images come first
        _kill(await asyncio.shield(self._started or self._start()))
        raise OSError(0, f"the image store process has not answered for {self._patience:g} s")

    async def _running_process(self) -> Process:
        """Return the subprocess; start it if this is the first image, or wait for the next one after a slow image."""
        while True:
            if self._started is None:
                self._started = asyncio.ensure_future(self._start())
            started = self._started
            process = await asyncio.shield(started)
            if not self._listening.done() and process.stdin and not process.stdin.is_closing():
                return process
            await asyncio.wait([self._listening])
            if self._started is started:
                raise _ended()

    async def _start(self) -> Process:
        root = str(Path(__file__).resolve().parent.parent.parent)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", image_store_worker.__name__, str(self._folder), str(os.getpid())),
            # The threshold: glibc gives the memory of large images back at once, not 100 MB a thread later.
            env={
                **os.environ,
                "MALLOC_MMAP_THRESHOLD_": "1000000",
                "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
            },
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # so that Ctrl-C does not end it while it stores images
            pass_fds=() if self._lock is None else (self._lock,),
        )
        self._listening = asyncio.ensure_future(self._listen(process))
        return process

    async def _listen(self, process: Process) -> None:
        assert process.stdout  # noqa: S101 (a pipe)
        is_slow = False  # whether the last answer is about a slow image, so that another process must go on
        try:
            async for line in process.stdout:
                number, outcome, value = json.loads(line)
                is_slow = outcome == "slow"
                answer = self._requests.pop(number).answer
                self._answered += 1
                if answer.done():  # the caller was cancelled
                    continue
                if outcome == "stored":
                    answer.set_result(StoredImage(**value))
                elif outcome == "failed":
                    answer.set_exception(OSError(*value))
                else:
                    answer.set_exception(SlowImageError(value) if outcome == "slow" else InvalidImageError(value))
        finally:
            _kill(process)
        await process.wait()  # its status can be lost: _kill polls it, and then asyncio's child watcher finds none
        if is_slow and not self._requests:
            self._started = None  # the next image, if there is one, starts a process
            return
        if is_slow:
            self._started = asyncio.ensure_future(self._start())
            stdin = (await self._started).stdin
            assert stdin  # noqa: S101 (a pipe)
            for request in self._requests.values():
                stdin.writelines(request.message)
            return
        for request in self._requests.values():
            if not request.answer.done():
                request.answer.set_exception(_ended())
        self._requests.clear()

    async def close(self) -> None:
        """Wait until all images are stored, and end the subprocess."""
        while (started := self._started) is not None:
            await asyncio.wait([started])
            if started.exception():
                return
            process = started.result()
            assert process.stdin  # noqa: S101 (a pipe)
            process.stdin.close()
            await asyncio.wait([self._listening], timeout=self._patience)
            _kill(process)
            await process.wait()
            if self._started is started:  # otherwise another process was started after a slow image
                return


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):  # the process has ended
        process.kill()


def _ended() -> OSError:
    return OSError(0, "the image store process has ended")
