"""The subprocess of ``image_store.py``: validates images, and stores them.

It does not import Scrapy, so that it starts fast and needs little memory.
"""

import hashlib
import json
import os
import signal
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from timecoverspider.dataset.files import write_atomically
from timecoverspider.dataset.images import InvalidImageError, StoredImage, validate_image
from timecoverspider.dataset.layout import Layout

HEADER = struct.Struct("<Q?II")  # number, store or inspect, length of path, length of content (bytes)
_THREADS = 4  # images that are flushed to disk at the same time


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


def _handle(folder: Path, request: _Request, answers: int) -> None:
    """Handle a request, and answer with one line of JSON: the request's number, the outcome, its value."""
    outcome: tuple[str, Any]
    try:
        file = folder / request.path
        content = request.content if request.store else file.read_bytes()
        width, height = validate_image(content)
        if request.store:
            write_atomically(file, content, Layout(folder).drafts)
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        stored = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="microseconds")
        outcome = "stored", asdict(StoredImage(checksum, width, height, len(content), stored))
    except InvalidImageError as error:
        outcome = "invalid", str(error)
    except OSError as error:
        outcome = "failed", (error.errno, error.strerror)
    except Exception as error:  # noqa: BLE001 (a bug: without an answer the crawl would wait)
        outcome = "failed", (0, repr(error))
    os.write(answers, f"{json.dumps((request.number, *outcome))}\n".encode())


def main() -> None:
    """Handle the requests of one crawl until it closes the pipe or ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # only the crawl ends this process
    folder, answers = Path(sys.argv[1]), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # otherwise print() would write into the answers
    with ThreadPoolExecutor(_THREADS) as threads:
        while request := _read(sys.stdin.buffer):
            threads.submit(_handle, folder, request, answers)


if __name__ == "__main__":
    main()
