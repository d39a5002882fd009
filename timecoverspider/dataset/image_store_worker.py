"""The process that validates images and stores them for ``image_store.py``.

It imports nothing of Scrapy, nor what the crawl needs for its part, so that it is small and starts at once.
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

HEADER = struct.Struct("<Q?II")  # number, whether to store, lengths of path and of content
_THREADS = 4  # as many pictures are flushed to disk at a time


@dataclass(frozen=True, slots=True)
class _Request:
    """What the crawl asks for: to store the content under the path, or to look at what is there."""

    number: int
    store: bool
    path: str
    content: bytes


def _read(pipe: IO[bytes]) -> _Request | None:
    """The next request, or None where the crawl has closed the pipe, or was killed in the middle of one."""
    header = pipe.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    number, store, path_length, length = HEADER.unpack(header)
    path, content = pipe.read(path_length), pipe.read(length)
    return _Request(number, store, path.decode(), content) if len(content) == length else None


def _handle(folder: Path, request: _Request, answers: int) -> None:
    """Do what is asked for, and answer in one line: the number, how it went, and what there is to say."""
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
        outcome = "refused", str(error)
    except OSError as error:
        outcome = "failed", (error.errno, error.strerror)
    except Exception as error:  # noqa: BLE001 (a bug, for which the crawl must not wait)
        outcome = "failed", (0, repr(error))
    os.write(answers, f"{json.dumps((request.number, *outcome))}\n".encode())


def main() -> None:
    """Serve one crawl until it closes the pipe, or is no more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it is the crawl that ends it
    folder, answers = Path(sys.argv[1]), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints something does not answer with it
    with ThreadPoolExecutor(_THREADS) as threads:
        while request := _read(sys.stdin.buffer):
            threads.submit(_handle, folder, request, answers)


if __name__ == "__main__":
    main()
