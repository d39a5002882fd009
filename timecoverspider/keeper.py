"""A process that verifies pictures and stores them, beside the crawl.

Threads would do it as well, but for Python's lock: each picture means a dozen calls that give it away and wait for it
again, and the crawl waits along. This process imports nothing of Scrapy, so that it is small and starts at once.
"""

import asyncio
import hashlib
import json
import os
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

from timecoverspider.pictures import PictureError, picture_size
from timecoverspider.stores import write_whole

_HEADER = struct.Struct("<Q?dII")  # number, whether to store, time of modification, lengths of path and of content
_THREADS = 4  # as many pictures are flushed to disk at a time


@dataclass(frozen=True, slots=True)
class Picture:
    """What a whole picture is like."""

    checksum: str  # MD5
    width: int  # pixels
    height: int
    bytes: int


class Keeper:
    """The crawl's side of it. The process starts with the first picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._awaited: dict[int, asyncio.Future[Picture]] = {}
        self._started: asyncio.Future[Process] | None = None

    async def keep(self, path: str, content: bytes, modified: float | None = None) -> Picture:
        """Store a picture under *path* in the folder; on return it is on disk.

        *modified*, in seconds since 1970, becomes its file's time. Raises PictureError where it is not a whole
        picture, and OSError where it cannot be stored; what was there before stays.
        """
        return await self._ask(True, path, content, modified)

    async def look(self, path: str) -> Picture:
        """Decode the picture that is stored under *path*. Raises PictureError or OSError."""
        return await self._ask(False, path)

    async def _ask(self, store: bool, path: str, content: bytes = b"", modified: float | None = None) -> Picture:
        if self._started is None:
            self._started = asyncio.ensure_future(self._start())
        process: Process = await asyncio.shield(self._started)
        assert process.stdin  # noqa: S101 (a pipe)
        if self._listening.done():
            raise _ended()
        number, name = next(self._numbers), path.encode()
        answer = self._awaited[number] = asyncio.get_running_loop().create_future()
        process.stdin.write(_HEADER.pack(number, store, modified or 0, len(name), len(content)) + name)
        process.stdin.write(content)
        picture: Picture = await answer
        return picture

    async def _start(self) -> Process:
        root = str(Path(__file__).resolve().parent.parent)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__, str(self._folder)),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))},
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for the crawl, which has it finish what it has begun
        )
        self._listening = asyncio.ensure_future(self._listen(process))
        return process

    async def _listen(self, process: Process) -> None:
        assert process.stdout  # noqa: S101 (a pipe)
        async for line in process.stdout:
            number, outcome, value = json.loads(line)
            answer = self._awaited.pop(number)
            if outcome == "kept":
                answer.set_result(Picture(**value))
            else:
                answer.set_exception(PictureError(value) if outcome == "refused" else OSError(*value))
        for answer in self._awaited.values():
            answer.set_exception(_ended())
        self._awaited.clear()

    async def close(self) -> None:
        """End the process when it has stored what it was given."""
        if self._started is not None:
            process = await self._started
            assert process.stdin  # noqa: S101 (a pipe)
            process.stdin.close()
            await self._listening
            await process.wait()


def _ended() -> OSError:
    return OSError(0, "the process that stores pictures has ended")


@dataclass(frozen=True, slots=True)
class _Request:
    """What the crawl asks for: to store the content under the path, or to look at what is there."""

    number: int
    store: bool
    modified: float  # seconds since 1970, 0 where it is not known
    path: str
    content: bytes


def _read(pipe: IO[bytes]) -> _Request | None:
    """The next request, or None where the crawl has closed the pipe, or was killed in the middle of one."""
    header = pipe.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    number, store, modified, path_length, length = _HEADER.unpack(header)
    path, content = pipe.read(path_length), pipe.read(length)
    return _Request(number, store, modified, path.decode(), content) if len(content) == length else None


def _handle(folder: Path, request: _Request) -> None:
    """Do what is asked for, and answer in one line: the number, how it went, and what there is to say."""
    outcome: tuple[str, Any]
    try:
        content = request.content if request.store else (folder / request.path).read_bytes()
        width, height = picture_size(content)
        if request.store:
            write_whole(folder, request.path, content, request.modified or None)
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        outcome = "kept", asdict(Picture(checksum, width, height, len(content)))
    except PictureError as error:
        outcome = "refused", str(error)
    except OSError as error:
        outcome = "failed", (error.errno, error.strerror)
    os.write(sys.stdout.fileno(), f"{json.dumps((request.number, *outcome))}\n".encode())


def main() -> None:
    """Serve one crawl until it closes the pipe, or is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    with ThreadPoolExecutor(_THREADS) as threads:
        while request := _read(sys.stdin.buffer):
            threads.submit(_handle, folder, request)


if __name__ == "__main__":
    main()
