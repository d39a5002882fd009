"""Decode image files to RGB, as OpenCV's ``imread`` does."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

from timecoverspider.dataset.images import FORMATS


class UnreadableImageError(Exception):
    """An image file is missing or cannot be decoded; the message has the reason. Raised by read_rgb."""


def read_rgb(file: Path | BinaryIO, *, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Return the first frame of an image file in mode RGB, rotated as its EXIF orientation says, without alpha.

    If *at_least* is a width and a height in pixels, a large JPEG is decoded at a half, a quarter or an eighth of its
    size, but not smaller than *at_least*.

    Raises: UnreadableImageError.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            if at_least:
                image.draft(None, at_least)
            image.load()
            return ImageOps.exif_transpose(image).convert("RGB")
    except Exception as error:
        raise UnreadableImageError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error
