"""Make thumbnails, once for each image. A thumbnail's JPEG comment has the measurements of its image."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from timecoverspider.dataset.files import write_atomically
from timecoverspider.dataset.rows import Image as StoredImage
from timecoverspider.exports.decoding import UnreadableImageError, read_rgb
from timecoverspider.exports.gallery.measurements import Measurement, measure

SIZE = (200, 280)  # pixels: a tile of 132 pixels is sharp on a screen with 1.5 device pixels
_ENOUGH = (800, 800)  # pixels at which a large image is measured
_MARK = b"timecoverspider-1"  # another number makes all thumbnails anew
_COMMENT = re.compile(_MARK + rb" (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+|grey);")
_END = b"\xff\xd9"  # of a JPEG file that is not truncated
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
        """Return what the thumbnail's comment says, or None if there is no complete thumbnail."""
        with suppress(OSError, ValueError), self.path(checksum).open("rb") as file:
            match = _COMMENT.search(file.read(_HEAD))
            file.seek(-len(_END), os.SEEK_END)
            if match and file.read() == _END:
                *numbers, hue = match.groups()
                width, height, brightness, contrast, saturation = map(float, numbers)
                measured = Measurement(brightness, contrast, saturation, None if hue == b"grey" else float(hue))
                return Thumbnail(int(width), int(height), measured)
        return None

    def make(
        self, images: Iterable[StoredImage], folder: Path, done: Callable[[], object]
    ) -> Iterator[tuple[str, UnreadableImageError]]:
        """Make a thumbnail of each image of the data set in *folder*, in one thread per core.

        Yield the path of each image that cannot be read, with the error. *done* is called after each image.

        Raises: OSError if a thumbnail cannot be written.
        """
        waiting = iter(images)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            while some := list(islice(waiting, _AT_A_TIME)):
                for stored, error in zip(some, threads.map(partial(self._make, folder), some), strict=True):
                    done()
                    if error:
                        yield stored.path, error

    def _make(self, folder: Path, stored: StoredImage) -> UnreadableImageError | None:
        try:
            content = (folder / stored.path).read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != stored.checksum:
                return UnreadableImageError("the file is not the one in the catalog")
            image = read_rgb(BytesIO(content), at_least=_ENOUGH)
        except UnreadableImageError as error:
            return error
        except OSError as error:
            return UnreadableImageError(error.strerror)
        size = stored.width, stored.height
        if (stored.width < stored.height) != (image.width < image.height):
            size = stored.height, stored.width
        write_atomically(self.path(stored.checksum), _thumbnail(image, size), self._drafts)
        return None


def _thumbnail(image: Image.Image, size: tuple[int, int]) -> bytes:
    """Return the thumbnail of an RGB image, which had this size before it was decoded, as a JPEG file."""
    if (factor := min(image.width // _ENOUGH[0], image.height // _ENOUGH[1])) > 1:
        image = image.reduce(factor)
    values = " ".join("grey" if value is None else f"{value:.1f}" for value in measure(image))
    comment = b"%b %d %d %b;" % (_MARK, *size, values.encode())
    image.thumbnail(SIZE, Image.Resampling.LANCZOS, reducing_gap=2)
    file = BytesIO()
    image.save(file, "JPEG", quality=80, comment=comment)
    return file.getvalue()
