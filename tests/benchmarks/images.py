"""The benchmark's images: the replica's covers with grain, so that they are as large as real covers.

The replica draws smooth shapes: 20 KB at 400x527 pixels, 36 KB at 600x790. Of 42 real JPEG covers, the median is 55 KB,
and four in five have 43 to 67 KB. Grain is data that a client must decode; a comment of the same length would be
skipped.
"""

from datetime import date
from io import BytesIO
from math import log
from random import Random

from PIL import Image

from timecoverspider.replica import pages
from timecoverspider.replica.images import draw_cover

MEDIAN = 55_000  # bytes
SPREAD = 0.2  # of the logarithm of the size: nine in ten are between 40 and 76 KB
STEPS = 8  # the strength of the grain is found to 1/256


def draw_grainy_cover(day: date) -> bytes:
    """Draw the cover of an issue as a JPEG file that has the size in bytes of a real cover.

    The same date gives the same bytes with the same version of Pillow.
    """
    chance = Random(f"grain of {day}")
    size = chance.lognormvariate(log(MEDIAN), SPREAD)
    with Image.open(BytesIO(draw_cover(day, pages.image_width(day)))) as cover:
        grain = Image.frombytes("L", cover.size, chance.randbytes(cover.width * cover.height)).convert(cover.mode)
        weak, strong = 0.0, 1.0
        for _ in range(STEPS):
            strength = (weak + strong) / 2
            body = _jpeg(Image.blend(cover, grain, strength))
            weak, strong = (strength, strong) if len(body) < size else (weak, strength)
    return body


def _jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=85)  # as the replica's
    return file.getvalue()
