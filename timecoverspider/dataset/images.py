"""Validate images by decoding them."""

import warnings
from dataclasses import dataclass
from io import BytesIO


class InvalidImageError(ValueError):
    """The content is not a complete image; a retry may help. Raised by validate_image."""


FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MAX_PIXELS = 50_000_000  # of all frames together; a cover of the archive has about 500,000


@dataclass(frozen=True, slots=True)
class StoredImage:
    """The properties of a stored image."""

    checksum: str  # MD5
    width: int  # pixels
    height: int
    bytes: int
    stored: str = ""  # UTC, with microseconds: the modification time of the file


def validate_image(content: bytes) -> tuple[int, int]:
    """Decode all frames of an image, and return its width and height in pixels.

    Raises: InvalidImageError, with the reason, if the content is not an image in one of FORMATS, cannot be decoded
    completely, or declares more than MAX_PIXELS. Pixels beyond MAX_PIXELS are never decoded.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError  # noqa: PLC0415 (not needed without new images)

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns above this, and raises above twice this
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    if not content:
        raise InvalidImageError("the file is empty")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            _check(width * height * getattr(image, "n_frames", 1))
            # Decode a JPEG at its smallest scale: the decoder reads the whole stream, but computes few pixels.
            image.draft("L", (1, 1))
            pixels = 0
            for frame in ImageSequence.Iterator(image):
                pixels += frame.width * frame.height  # a frame can be larger than the first frame
                _check(pixels)
                frame.load()
    except UnidentifiedImageError as error:
        raise InvalidImageError(f"the file is not a valid {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from error
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except InvalidImageError:
        raise
    except Exception as error:  # Pillow passes on all exceptions of its decoders
        raise InvalidImageError(f"the image cannot be decoded: {error}") from error
    return width, height


def _check(pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise _too_large()


def _too_large() -> InvalidImageError:
    return InvalidImageError(f"the image declares more than {MAX_PIXELS:,} pixels")
