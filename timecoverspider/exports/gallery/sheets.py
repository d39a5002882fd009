"""Draw sheets and strips: many images in one file, so that a page can draw thousands of images at once."""

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby
from math import sqrt
from pathlib import Path
from statistics import median
from typing import NamedTuple

from PIL import Image

from timecoverspider.exports.collection import Entry

CELLS = 1024  # images of a sheet at most: of 32x42 pixels, 1.4 million pixels in 5.5 MB of the browser's memory
COLUMNS = 32
STRIP_HEIGHT = 200  # pixels
_VERSION = 1  # another number draws all sheets anew
_AREA = 32 * 42  # pixels of a cell
_SMALL_AREA = 16 * 21
_MANY = 12_000  # images above which the cells are small: 47,630 images then take 64 MB of the browser's memory


class Chunk(NamedTuple):
    """Consecutive images of one decade, which are drawn in one sheet and one strip."""

    start: int  # the number of the first image in the collection
    entries: Sequence[Entry]

    def name(self, cell: tuple[int, int]) -> str:
        """Return the name of both files: it depends on the images, so a file with this name need not be drawn again."""
        content = " ".join([str((_VERSION, cell)), *(entry.image.checksum for entry in self.entries)])
        return f"{hashlib.sha256(content.encode()).hexdigest()[:20]}.jpg"


def chunks(entries: Sequence[Entry]) -> Iterator[Chunk]:
    """Divide a collection, the oldest first, into chunks of at most CELLS images."""
    start = 0
    for _, group in groupby(entries, lambda entry: entry.decade):
        some = list(group)
        for number in range(0, len(some), CELLS):
            part = some[number : number + CELLS]
            yield Chunk(start, part)
            start += len(part)


def cell_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return width and height of a cell, in the shape of most images: the median of their sizes.

    >>> cell_size([(400, 527)] * 9), cell_size([(400, 300)] * 20_000)
    ((32, 42), (21, 16))
    """
    shape = min(2.0, max(0.5, median(width / height for width, height in sizes)))
    area = _AREA if len(sizes) <= _MANY else _SMALL_AREA
    return round(sqrt(area * shape)), round(sqrt(area / shape))


def draw_sheet(thumbnails: Sequence[tuple[Path, tuple[int, int]]], cell: tuple[int, int]) -> bytes:
    """Draw thumbnails in rows of COLUMNS cells, each as large as possible at the top left of its cell, as a JPEG file.

    *thumbnails*: pairs of a file, and the width and height of its image.

    Raises: OSError if a thumbnail cannot be read.
    """
    columns, rows = min(COLUMNS, len(thumbnails)), -(-len(thumbnails) // COLUMNS)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]))
    for number, (file, size) in enumerate(thumbnails):
        with Image.open(file) as image:
            image.draft("RGB", cell)
            place = number % COLUMNS * cell[0], number // COLUMNS * cell[1]
            sheet.paste(image.resize(fitted(size, cell), Image.Resampling.LANCZOS, reducing_gap=2), place)
    return _jpeg(sheet)


def draw_strip(thumbnails: Sequence[Path]) -> bytes:
    """Draw the middle column of each thumbnail, one pixel wide and STRIP_HEIGHT high, side by side, as a JPEG file.

    Raises: OSError if a thumbnail cannot be read.
    """
    strip = Image.new("RGB", (len(thumbnails), STRIP_HEIGHT))
    for number, file in enumerate(thumbnails):
        with Image.open(file) as image:
            middle = image.width // 2
            column = image.crop((middle, 0, middle + 1, image.height))
            strip.paste(column.resize((1, STRIP_HEIGHT), Image.Resampling.BILINEAR), (number, 0))
    return _jpeg(strip)


def fitted(size: tuple[int, int], cell: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into a cell; the page's script computes the same.

    >>> fitted((400, 527), (32, 42)), fitted((4000, 10), (32, 42))
    ((32, 42), (32, 1))
    """
    scale = min(cell[0] / size[0], cell[1] / size[1])
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def _jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=82, subsampling=0)  # full colour: else the colours of neighbours mix
    return file.getvalue()
