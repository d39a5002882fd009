"""The average of the images of each decade or year, as the tutorial's follow-up computes it with OpenCV."""

import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.files import flush_folder, set_aside, write_atomically
from timecoverspider.dataset.lock import Lock
from timecoverspider.exports.collection import iterate_collection
from timecoverspider.exports.decoding import UnreadableImageError, keep_memory, read_rgb

YEARS = {"decade": 10, "year": 1}  # how many years a period has, by its name

_SHARE = 50  # images that a thread sums up at a time; the sum of more than 257 could need more than 16 bits
_ROWS = 64  # rows that are resized at a time, to save memory
_LARGE = 2_000_000  # pixels above which images are decoded one after the other, so that the memory of one is enough
_MAKER = "timecoverspider averages"  # in the text "Software" of a PNG: the file may be replaced or removed

_decoding_large = threading.Lock()

_Array = npt.NDArray[Any]


class Writer(Protocol):
    """Where averages are written to."""

    def write(self, period: int, image: Image.Image) -> None:
        """Write the average of the period that begins with this year."""


class Picked(NamedTuple):
    """An image with a date. Sorted, the images of a period that have the same size follow each other."""

    period: int  # its first year
    width: int  # pixels, according to the catalog
    height: int
    path: str  # below the folder of the data set
    page_url: str


@dataclass(slots=True)
class Written:
    """How many averages were written, of how many images, and how many images could not be read."""

    averages: int = 0
    images: int = 0
    unreadable: int = 0


def pick_images(dataset: Dataset, by: str) -> tuple[list[Picked], int]:
    """Return all images of a data set that have a date, and the number of the others. *by* is a key of YEARS.

    Raises: CatalogError if the catalog cannot be read.
    """
    images, undated = [], 0
    for entry in iterate_collection(dataset):
        if entry.year is None:
            undated += 1
            continue
        period = entry.year // YEARS[by] * YEARS[by]
        images.append(Picked(period, entry.image.width, entry.image.height, entry.image.path, entry.page_url))
    return sorted(images), undated


def write_averages(
    images: Sequence[Picked],
    folder: Path,
    out: Writer,
    *,
    size: tuple[int, int],
    report: Callable[[str], object],
    done: Callable[[int], object],
) -> Written:
    """Write the average of each period of the images in *folder*, the folder of the data set.

    *size* is the width and the height of the averages in pixels. *report* gets a line for each image that cannot be
    read, and *done* the number of images after each step.

    Raises: OSError if a file cannot be written.
    """
    keep_memory()
    written = Written()
    for period, sums in groupby(_in_threads(images, folder, size), key=lambda part: part.period):
        total, count = np.zeros((size[1], size[0], 3), np.uint32), 0
        for part in sums:
            total += part.total
            count += part.images
            written.unreadable += len(part.problems)
            for problem in part.problems:
                report(problem)
            done(part.images + len(part.problems))
        if count:
            out.write(period, Image.fromarray((total // count).astype(np.uint8)))
            written.averages += 1
            written.images += count
    return written


def gaps(images: Iterable[Picked], by: str) -> list[str]:
    """Return the periods without images between the first and the last, e.g. ``1910`` or ``1930 to 1950``."""
    step, found, after = YEARS[by], [], None
    for period in sorted({image.period for image in images}):
        if after is not None and period > after:
            last = period - step
            found.append(f"{after}" if after == last else f"{after} to {last}")
        after = period + step
    return found


@dataclass(slots=True)
class _Sum:
    """The sum of some images of a period, resized to the size of the averages."""

    period: int
    total: _Array  # 16 bits
    images: int
    problems: list[str]


def _in_threads(images: Iterable[Picked], folder: Path, size: tuple[int, int]) -> Iterator[_Sum]:
    """Yield the sums of all images in order, computed on all cores; few are in memory at the same time."""
    threads = os.cpu_count() or 1
    waiting: deque[Future[_Sum]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for _, group in groupby(images, key=lambda image: image.period):
            members = list(group)
            for start in range(0, len(members), _SHARE):
                if len(waiting) > threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(_sum, members[start : start + _SHARE], folder, size))
        while waiting:
            yield waiting.popleft().result()


def _sum(images: Sequence[Picked], folder: Path, size: tuple[int, int]) -> _Sum:
    """Sum up at most _SHARE images of a period.

    Consecutive images of the same size are summed up before they are resized, because resizing is linear. To resize
    each image would take eight times as long as to sum it up.
    """
    part = _Sum(images[0].period, np.zeros((size[1], size[0], 3), np.uint16), 0, [])
    same = np.zeros((0, 0, 3), np.uint16)
    for image in images:
        try:
            pixels = _read(image, folder, size)
        except UnreadableImageError as error:
            part.problems.append(f"unreadable: {image.path} (<{image.page_url}>): {error}")
            continue
        part.images += 1
        if pixels.shape == part.total.shape:
            part.total += pixels
        elif pixels.shape == same.shape:
            same += pixels
        else:
            part.total += resize(same, size)
            same = pixels.astype(np.uint16)
    part.total += resize(same, size)
    return part


def _read(image: Picked, folder: Path, size: tuple[int, int]) -> _Array:
    """Return the pixels of an image, those of a large image resized.

    Raises: UnreadableImageError.
    """
    if image.width * image.height <= _LARGE:
        return np.asarray(read_rgb(folder / image.path))
    with _decoding_large:
        return resize(np.asarray(read_rgb(folder / image.path)), size)


def resize(pixels: _Array, size: tuple[int, int]) -> _Array:
    """Resize an array of 16-bit pixels (height, width, channels) as ``cv2.resize`` does.

    That is, bilinear and without antialiasing, as the centres of the pixels lie.
    """
    if pixels.shape[1::-1] == size:
        return pixels
    resized = np.zeros((size[1], size[0], pixels.shape[2]), np.uint16)
    if not pixels.size:
        return resized
    upper, lower, down = _neighbours(pixels.shape[0], size[1])
    left, right, across = _neighbours(pixels.shape[1], size[0])
    down, across = down[:, None, None], across[:, None]
    for start in range(0, size[1], _ROWS):
        rows = slice(start, start + _ROWS)
        lines = pixels[upper[rows]] * (1 - down[rows]) + pixels[lower[rows]] * down[rows]
        resized[rows] = np.rint(lines[:, left] * (1 - across) + lines[:, right] * across)
    return resized


def _neighbours(length: int, wanted: int) -> tuple[_Array, _Array, _Array]:
    """Return for each of the *wanted* pixels of a line the two nearest of *length* pixels, and the second's share."""
    centres = ((np.arange(wanted) + 0.5) * length / wanted - 0.5).clip(0, length - 1)
    first = centres.astype(np.intp)
    return first, np.minimum(first + 1, length - 1), (centres - first).astype(np.float32)


class Output:
    """A folder that gets the averages, one file for each period, each in one step.

    Raises: OSError, from all methods, if the folder cannot be used; DatasetLockedError if another process uses it.
    """

    def __init__(self, folder: Path, by: str, report: Callable[[str], object]) -> None:
        self._folder, self._by, self._report = folder, by, report
        self._software = f"{_MAKER} --by {by}"
        self._drafts = folder / ".drafts"
        self._drafts.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self._drafts / "lock")

    def write(self, period: int, image: Image.Image) -> None:
        """Write the average of a period. A file of the same name that this command did not write is renamed."""
        content, text = BytesIO(), PngInfo()
        text.add_text("Software", self._software)
        image.save(content, "PNG", pnginfo=text)
        file = self._folder / f"{period:04}.png"
        if os.path.lexists(file) and not _software(file).startswith(_MAKER):
            kept = set_aside(file, "kept")
            self._report(f"{file} was not written by this command, and is now {kept}")
        write_atomically(file, content.getvalue(), self._drafts)

    def finish(self, periods: Iterable[int]) -> None:
        """Remove drafts, also of a process that was killed, and averages that this command wrote of other periods."""
        flush_folder(self._folder)
        current = {f"{period:04}.png" for period in periods}
        for file in sorted(self._folder.glob("[0-9][0-9][0-9][0-9].png")):
            if file.name not in current and _software(file) == self._software:
                file.unlink()
                self._report(f"removed {file}: the {self._by} has no images any more")
        shutil.rmtree(self._drafts, ignore_errors=True)
        self._lock.close()


def _software(file: Path) -> str:
    """Return the name of the program that made a PNG, or an empty string."""
    try:
        with Image.open(file, formats=("PNG",)) as image:
            return str(image.info.get("Software", ""))
    except Exception:  # noqa: BLE001 (Pillow passes on all exceptions of its decoders)
        return ""
