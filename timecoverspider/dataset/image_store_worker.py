"""The subprocess of ``image_store.py``: validates images, and stores them.

It does not import Scrapy, so that it starts fast and needs little memory.
"""

import ctypes
import hashlib
import json
import os
import resource
import signal
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from timecoverspider.dataset.files import modified, write_atomically
from timecoverspider.dataset.images import InvalidImageError, StoredImage, validate_image
from timecoverspider.dataset.layout import Layout

HEADER = struct.Struct("<Q?II")  # number, store or inspect, length of path, length of content (bytes)
OUT_OF_TIME = 75  # exit status: an image took too long, and other requests have no answer yet

_THREADS = 4  # images that are flushed to disk at the same time
_BUDGET = 5.0  # seconds of CPU time for one image; a JPEG of 40,000 scans takes minutes
_MEMORY = 450 * 2**20  # bytes; a decoder that needs more fails
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class _Request:
    """A request of the crawl: store the content under the path, or inspect the stored file."""

    number: int
    store: bool
    path: str
    content: bytes


def _read(pipe: IO[bytes]) -> _Request | None:
    """Return the next request, or None if the crawl has closed the pipe or was killed while writing a request."""
    header = pipe.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    number, store, path_length, length = HEADER.unpack(header)
    path, content = pipe.read(path_length), pipe.read(length)
    return _Request(number, store, path.decode(), content) if len(content) == length else None


def _handle(folder: Path, request: _Request, answers: int, running: dict[int, tuple[int, float]]) -> None:
    """Handle a request, and answer with one line of JSON: the request's number, the outcome, its value."""
    running[threading.get_ident()] = request.number, time.thread_time()
    outcome: tuple[str, Any]
    try:
        file = folder / request.path
        content = request.content if request.store else file.read_bytes()
        width, height = validate_image(content)
        if request.store:
            write_atomically(file, content, Layout(folder).drafts)
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        outcome = "stored", asdict(StoredImage(checksum, width, height, len(content), modified(file.stat())))
    except InvalidImageError as error:
        outcome = "invalid", str(error)
    except OSError as error:
        outcome = "failed", (error.errno, error.strerror)
    except Exception as error:  # noqa: BLE001 (a bug: without an answer the crawl would wait)
        outcome = "failed", (0, repr(error))
    del running[threading.get_ident()]
    _answer(answers, request.number, *outcome)


def _answer(answers: int, number: int, outcome: str, value: Any) -> None:
    os.write(answers, f"{json.dumps((number, outcome, value))}\n".encode())


def _watch(answers: int, running: dict[int, tuple[int, float]]) -> None:
    """End this process if an image takes too long: a thread that decodes cannot be stopped.

    CPU time counts, so that neither a slow disk nor a machine that sleeps makes an image invalid.
    """
    while True:
        time.sleep(_BUDGET / 20)
        for thread, (number, started) in list(running.items()):
            if time.clock_gettime(time.pthread_getcpuclockid(thread)) - started > _BUDGET:
                _answer(answers, number, "slow", f"decoding the image takes more than {_BUDGET:g} s")
                os._exit(OUT_OF_TIME)


def _end_with(parent: int) -> None:
    """Have the system kill this process when the crawl ends, also if this process is stopped or waits for a disk."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


def main() -> None:
    """Handle the requests of one crawl until it closes the pipe or ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # only the crawl ends this process
    folder, answers = Path(sys.argv[1]), os.dup(sys.stdout.fileno())
    _end_with(int(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # otherwise print() would write into the answers
    running: dict[int, tuple[int, float]] = {}  # by thread, the number of its request and the CPU time at its start
    threading.Thread(target=_watch, args=(answers, running), daemon=True).start()
    with ThreadPoolExecutor(_THREADS) as threads:
        while request := _read(sys.stdin.buffer):
            threads.submit(_handle, folder, request, answers, running)


if __name__ == "__main__":
    main()
