"""Validate images by decoding them."""

import warnings
from contextlib import closing, nullcontext
from dataclasses import dataclass
from io import BytesIO
from threading import Lock


class InvalidImageError(ValueError):
    """The content is not a complete image; a retry may help. Raised by validate_image."""


class SlowImageError(InvalidImageError):
    """Decoding the image takes too long; a retry does not help. Raised by ImageStore."""


FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MAX_PIXELS = 50_000_000  # of all frames together; a cover of the archive has about 500,000
MAX_WEBP_PIXELS = 16_000_000  # its decoder needs 16 bytes for a pixel: four times what the others need

_LARGE = 2_000_000  # pixels above which images are decoded one after the other, so that the memory of one is enough
_decoding = Lock()


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
    completely, or declares too many pixels. Pixels beyond the limit are never decoded.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError  # noqa: PLC0415 (not needed without new images)

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns above this, and raises above twice this
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    if not content:
        raise InvalidImageError("the file is empty")
    is_webp = content[8:12] == b"WEBP"  # its decoder takes its memory when the image is opened
    try:
        with _decoding if is_webp else nullcontext(), Image.open(BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            limit = MAX_WEBP_PIXELS if is_webp else MAX_PIXELS
            pixels = width * height * getattr(image, "n_frames", 1)
            _check(pixels, limit)
            # Decode a JPEG at its smallest scale: the decoder reads the whole stream, but computes few pixels.
            image.draft("L", (1, 1))
            with _decoding if pixels > _LARGE and not is_webp else nullcontext(), closing(image):
                pixels = 0
                for frame in ImageSequence.Iterator(image):
                    pixels += frame.width * frame.height  # a frame can be larger than the first frame
                    _check(pixels, limit)
                    frame.load()
    except UnidentifiedImageError as error:
        raise InvalidImageError(f"the file is not a valid {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from error
    except Image.DecompressionBombError as error:
        raise _too_large(MAX_PIXELS) from error
    except InvalidImageError:
        raise
    except MemoryError as error:
        raise InvalidImageError("decoding the image needs too much memory") from error
    except Exception as error:  # Pillow passes on all exceptions of its decoders
        raise InvalidImageError(f"the image cannot be decoded: {error}") from error
    return width, height


def _check(pixels: int, limit: int) -> None:
    if pixels > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> InvalidImageError:
    return InvalidImageError(f"the image declares more than {limit:,} pixels")
