"""Whether bytes are a whole picture."""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


class PictureError(ValueError):
    """What arrived is not a whole picture, and perhaps is next time. Raised by picture_size."""


FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MAX_PIXELS = 50_000_000  # of all frames together; the archive's covers have half a million


@dataclass(frozen=True, slots=True)
class Picture:
    """What a whole picture is like."""

    checksum: str  # MD5
    width: int  # pixels
    height: int
    bytes: int


def picture_size(content: bytes) -> tuple[int, int]:
    """The width and height in pixels of a picture, all of which is decoded.

    Raises PictureError, with the reason, where it is no picture in one of FORMATS, is not whole, or says that it
    has more than MAX_PIXELS, in which case nothing of it is decoded.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError  # noqa: PLC0415 (a crawl that finds nothing needs none)

    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns before it refuses
    if not content:
        raise PictureError("it is empty")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            _refuse_bombs(picture)
            # A JPEG's smallest form: the decoder reads all of the stream, and computes little of it.
            picture.draft("L", (1, 1))
            for frame in ImageSequence.Iterator(picture):
                frame.load()
    except UnidentifiedImageError as error:
        raise PictureError(f"it is no picture in a format of {', '.join(FORMATS)}") from error
    except PictureError:
        raise
    except Exception as error:  # Pillow lets through whatever its decoders raise
        raise PictureError(f"it is not a whole picture: {error}") from error
    return width, height


def _refuse_bombs(picture: "Image.Image") -> None:
    width, height = picture.size
    if width * height * getattr(picture, "n_frames", 1) > MAX_PIXELS:
        raise PictureError(f"it says that it has {width:,} x {height:,} pixels")
