"""Read the image files of a data set, and leave out those that are not as the catalog says."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from timecoverspider.dataset.files import regular_size
from timecoverspider.exports.formats.table import Row

_THREADS = 2
_AHEAD = 4  # batches that are read ahead
_BATCH = 1_000_000  # bytes of images that a thread reads at once: 4,763 single tasks took 0.1 s more
_ROWS = 100  # in a batch at most, if images are small


class Original(NamedTuple):
    """A row with its image file, which has the checksum of the catalog."""

    row: Row
    file: Path
    content: bytes


class Damaged(NamedTuple):
    """An image that is missing or is not as the catalog says. The reason is a sentence."""

    path: str
    page_url: str
    reason: str


def read_originals(folder: Path, rows: Iterable[Row]) -> Iterator[Original | Damaged]:
    """Yield the rows in order, each with the content of its file, or why the file cannot be exported."""
    ahead: deque[Future[list[Original | Damaged]]] = deque()
    with ThreadPoolExecutor(_THREADS) as threads:
        for batch in _batches(rows):
            ahead.append(threads.submit(_read_all, folder, batch))
            if len(ahead) > _AHEAD:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch, size = list[Row](), 0
    for row in rows:
        batch.append(row)
        size += row.bytes
        if size >= _BATCH or len(batch) == _ROWS:
            yield batch
            batch, size = [], 0
    yield batch


def _read_all(folder: Path, rows: Iterable[Row]) -> list[Original | Damaged]:
    return [_read(folder, row) for row in rows]


def _read(folder: Path, row: Row) -> Original | Damaged:
    file = folder / row.path
    try:
        size = regular_size(file)
        content = file.read_bytes() if size == row.bytes else b""
    except (OSError, ValueError) as error:  # ValueError: somebody has changed the path in the catalog
        return Damaged(row.path, row.page_url, f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(content) != row.bytes or not content:
        return Damaged(row.path, row.page_url, f"the file has {size:,} bytes instead of {row.bytes:,}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != row.checksum:
        return Damaged(row.path, row.page_url, f"the MD5 of the file is not {row.checksum}")
    return Original(row, file, content)
