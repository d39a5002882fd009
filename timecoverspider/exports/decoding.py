"""Decode image files to RGB, as OpenCV's ``imread`` does."""

import ctypes
import warnings
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image, ImageOps, UnidentifiedImageError

from timecoverspider.dataset.files import regular_size
from timecoverspider.dataset.images import FORMATS, MAX_PIXELS

warnings.filterwarnings(
    "ignore", category=UserWarning, module="PIL"
)  # of what an image contains, e.g. invalid EXIF data

_MALLOC = {-1: 1 << 26, -3: 1 << 25, -8: 1}  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in bytes, M_ARENA_MAX (malloc.h)


class UnreadableImageError(Exception):
    """An image file is missing or cannot be decoded; the message has the reason. Raised by read_rgb."""


def keep_memory() -> None:
    """Have glibc keep the memory of an image for the next image.

    To get new memory for each image takes a tenth of the CPU time of averages.
    """
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in _MALLOC.items():
            mallopt(option, value)


def read_rgb(file: Path | BinaryIO, *, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Return the first frame of an image file in mode RGB, rotated as its EXIF orientation says, without alpha.

    If *at_least* is a width and a height in pixels, a large JPEG is decoded at a half, a quarter or an eighth of its
    size, but not smaller than *at_least*.

    Raises: UnreadableImageError.
    """
    try:
        if isinstance(file, Path):
            regular_size(file)  # to open a pipe may never end
        with Image.open(file, formats=FORMATS) as image:
            _check_size(image)
            if at_least:
                image.draft(None, at_least)
            rgb = _first_frame(image) if isinstance(image, GifImagePlugin.GifImageFile) else _to_rgb(image)
            return _rotated(rgb, image.info.get("exif"))
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(
            f"the file is not a valid {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
        ) from error
    except Exception as error:  # Pillow passes on all exceptions of its decoders
        raise UnreadableImageError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:  # somebody has replaced the file: no such image is stored
        raise UnreadableImageError(f"the image declares more than {MAX_PIXELS:,} pixels")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image where Pillow and OpenCV differ: 16-bit grey and CMYK."""
    image.load()
    if image.mode.startswith("I;16"):  # Pillow turns all values above 255 into white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK":  # Pillow divides by 255, and is darker by 1
        ink = np.asarray(image).astype(np.uint16)
        light = 255 - ink[..., 3:]
        return Image.fromarray((light - (ink[..., :3] * light >> 8)).astype(np.uint8))
    # Alpha is dropped. Pillow warns if the transparency of a palette is not dropped before.
    image.info.pop("transparency", None)
    return image if image.mode == "RGB" else image.convert("RGB")


def _first_frame(image: GifImagePlugin.GifImageFile) -> Image.Image:
    """Paint the first frame of a GIF onto the background colour, which OpenCV shows where the frame is transparent."""
    palette, index = image.global_palette, image.info.get("background", 0)
    box = image.tile[0][1]  # the frame can be smaller than the image
    background = tuple(palette.palette[3 * index : 3 * index + 3]) if palette else (index, index, index)
    canvas = Image.new("RGB", image.size, background)
    frame = image.convert("RGBA").crop(box)
    canvas.paste(frame, box, frame)
    return canvas


def _rotated(image: Image.Image, exif: bytes | None) -> Image.Image:
    """Rotate an image as its EXIF data says. Unlike Pillow, OpenCV does not look for an orientation in XMP data."""
    if not exif:
        return image
    rotated = image.copy()  # an image that is not a file knows only the orientation in its info
    rotated.info = {"exif": exif}
    with suppress(Exception):  # OpenCV ignores invalid EXIF data
        ImageOps.exif_transpose(rotated, in_place=True)
    return rotated
