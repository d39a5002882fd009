"""Measure images: brightness, contrast, saturation and hue, the axes of cultural analytics' image plots."""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageStat

from timecoverspider.exports.collection import Entry

_ANGLES = np.exp(2j * np.pi * np.arange(256) / 255)  # of the 256 hues of an HSV image
_MIN_COLOUR = 0.5  # mean length of the hue vectors below which an image counts as grey; JPEG's noise stays below
_MIN_SHARE = 0.01  # of the saturation: below, the hues of an image are opposite ones, and have no mean


class Measurement(NamedTuple):
    """The measurements of an image, all but the hue on the scale of 8-bit pixels, 0 to 255."""

    brightness: float  # mean luma (ITU-R BT.601)
    contrast: float  # standard deviation of the luma
    saturation: float  # mean saturation (HSV)
    hue: float | None  # degrees, 0 = red, 120 = green; mean weighted by saturation; None if there is none

    def rounded(self) -> tuple[float | None, ...]:
        """Return the measurements with one decimal."""
        return tuple(None if value is None else round(value, 1) for value in self)


def measure(image: Image.Image) -> Measurement:
    """Measure an image of mode RGB. Colours are measured at half the size, at which most JPEG files store colours.

    >>> measure(Image.new("RGB", (4, 4), (255, 0, 0))).rounded()
    (76.0, 0.0, 255.0, 0.0)
    >>> measure(Image.new("RGB", (4, 4), (90, 90, 90))).rounded()
    (90.0, 0.0, 0.0, None)
    """
    luma = ImageStat.Stat(image.convert("L"))
    hues, saturations, _ = (image.reduce(2) if min(image.size) > 1 else image).convert("HSV").split()
    weights = np.bincount(np.asarray(hues).ravel(), np.asarray(saturations).ravel(), minlength=256)
    pixels = hues.width * hues.height
    mean = complex(weights @ _ANGLES) / pixels
    saturation = float(weights.sum()) / pixels
    has_hue = abs(mean) > max(_MIN_COLOUR, _MIN_SHARE * saturation)
    hue = float(np.degrees(np.angle(mean))) % 360 if has_hue else None
    return Measurement(luma.mean[0], luma.stddev[0], saturation, hue)


def to_csv(rows: Iterable[tuple[Entry, Measurement]]) -> str:
    """Return a CSV table with a line for each image; a grey image has no hue."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["path", "title", "date", "width", "height", "bytes", "checksum", *Measurement._fields])
    for entry, measured in rows:
        image = entry.image
        size = [image.width, image.height, image.bytes]
        writer.writerow([image.path, entry.title, entry.date, *size, image.checksum, *measured.rounded()])
    return file.getvalue()
