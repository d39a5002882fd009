"""Whether bytes are a whole picture."""

import warnings
from dataclasses import dataclass
from io import BytesIO


class InvalidImageError(ValueError):
    """What arrived is not a whole picture, and perhaps is next time. Raised by validate_image."""


FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MAX_PIXELS = 50_000_000  # of all frames together; the archive's covers have half a million


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What a complete image is like."""

    checksum: str  # MD5
    width: int  # pixels
    height: int
    bytes: int
    stored: str = ""  # UTC, with microseconds: the time of its file


def validate_image(content: bytes) -> tuple[int, int]:
    """The width and height in pixels of a picture, all of which is decoded.

    Raises InvalidImageError, with the reason, where it is no picture in one of FORMATS, is not whole, or says that it
    has more than MAX_PIXELS, in which case nothing of it is decoded.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError  # noqa: PLC0415 (a crawl that finds nothing needs none)

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns of more than this, and refuses twice as many
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    if not content:
        raise InvalidImageError("it is empty")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            _check(width * height * getattr(picture, "n_frames", 1))
            # A JPEG's smallest form: the decoder reads all of the stream, and computes little of it.
            picture.draft("L", (1, 1))
            pixels = 0
            for frame in ImageSequence.Iterator(picture):
                pixels += frame.width * frame.height  # which may be more than the first one's
                _check(pixels)
                frame.load()
    except UnidentifiedImageError as error:
        raise InvalidImageError(f"it is no picture in a format of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except InvalidImageError:
        raise
    except Exception as error:  # Pillow lets through whatever its decoders raise
        raise InvalidImageError(f"it is not a whole picture: {error}") from error
    return width, height


def _check(pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise _too_large()


def _too_large() -> InvalidImageError:
    return InvalidImageError(f"it says that it has more than {MAX_PIXELS:,} pixels")
