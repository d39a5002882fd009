"""Make thumbnails, once for each image. A thumbnail's JPEG comment has the measurements of its image."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from timecoverspider.dataset.files import write_atomically
from timecoverspider.exports.decoding import UnreadableImageError, read_rgb
from timecoverspider.exports.measurements import Measurement, measure

SIZE = (200, 280)  # pixels: a tile of 132 pixels is sharp on a screen with 1.5 device pixels
_ENOUGH = (800, 800)  # pixels at which a large image is measured
_MARK = b"timecoverspider-1"  # another number makes all thumbnails anew
_COMMENT = re.compile(_MARK + rb" (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+|grey);")
_HEAD = 300  # bytes of a thumbnail in which the comment stands
_AT_A_TIME = 1000  # images that are given to the threads at once


class Thumbnail(NamedTuple):
    """What is known of an image once its thumbnail is made."""

    width: int  # of the image, rotated as its EXIF orientation says
    height: int
    measurement: Measurement


class Thumbnails:
    """The thumbnails in a folder. The name of a thumbnail is the checksum of its image."""

    def __init__(self, folder: Path, drafts: Path) -> None:
        self._folder, self._drafts = folder, drafts

    def path(self, checksum: str) -> Path:
        """Return the path of the thumbnail of the images with this checksum."""
        return self._folder / f"{checksum}.jpg"

    def find(self, checksum: str) -> Thumbnail | None:
        """Return what the thumbnail's comment says, or None if there is no thumbnail."""
        with suppress(OSError), self.path(checksum).open("rb") as file:
            if match := _COMMENT.search(file.read(_HEAD)):
                *numbers, hue = match.groups()
                width, height, brightness, contrast, saturation = map(float, numbers)
                measured = Measurement(brightness, contrast, saturation, None if hue == b"grey" else float(hue))
                return Thumbnail(int(width), int(height), measured)
        return None

    def make(
        self, files: Iterable[tuple[Path, str]], done: Callable[[], object]
    ) -> Iterator[tuple[Path, UnreadableImageError]]:
        """Make a thumbnail of each image file, given with its checksum, in one thread per core.

        Yield each file that cannot be read, with the error. *done* is called after each file.

        Raises: OSError if a thumbnail cannot be written.
        """
        waiting = iter(files)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            while some := list(islice(waiting, _AT_A_TIME)):
                for (file, _), error in zip(some, threads.map(self._make, *zip(*some, strict=True)), strict=True):
                    done()
                    if error:
                        yield file, error

    def _make(self, file: Path, checksum: str) -> UnreadableImageError | None:
        try:
            content = file.read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum:
                return UnreadableImageError("the file is not the one in the catalog")
            image = read_rgb(BytesIO(content), at_least=_ENOUGH)
        except UnreadableImageError as error:
            return error
        except OSError as error:
            return UnreadableImageError(error.strerror)
        write_atomically(self.path(checksum), _thumbnail(image), self._drafts)
        return None


def _thumbnail(image: Image.Image) -> bytes:
    """Return the thumbnail of an RGB image as a JPEG file."""
    values = " ".join("grey" if value is None else f"{value:.1f}" for value in measure(image))
    comment = b"%b %d %d %b;" % (_MARK, image.width, image.height, values.encode())
    image.thumbnail(SIZE, Image.Resampling.LANCZOS, reducing_gap=2)
    file = BytesIO()
    image.save(file, "JPEG", quality=80, comment=comment)
    return file.getvalue()
