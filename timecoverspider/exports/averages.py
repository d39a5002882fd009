"""The average of images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from timecoverspider.exports.decoding import read_rgb


def average(files: Sequence[Path], size: tuple[int, int]) -> Image.Image:
    """Return the mean of the images in these files, resized to a width and a height in pixels."""
    total = np.zeros((size[1], size[0], 3), np.uint32)
    for file in files:
        image = read_rgb(file)
        if image.size != size:
            image = image.transform(
                size,
                Image.Transform.AFFINE,
                (image.width / size[0], 0, 0, 0, image.height / size[1], 0),
                Image.Resampling.BILINEAR,
            )
        total += np.asarray(image)
    return Image.fromarray((total // len(files)).astype(np.uint8))
