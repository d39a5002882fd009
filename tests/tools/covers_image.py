"""Draw the image of the README: ``python tests/tools/covers_image.py``."""

import sys
from datetime import date
from io import BytesIO
from pathlib import Path

from PIL import Image

PROJECT = Path(__file__).resolve().parent.parent.parent
COVERS_IMAGE = PROJECT / ".github" / "covers.png"
DAYS = [date(year, 6, 4) for year in range(1924, 2015, 10)]
SIZE = (84, 110)  # pixels per cover


def covers_image() -> Image.Image:
    """Return one cover per decade, side by side."""
    from timecoverspider.replica.images import draw_cover  # noqa: PLC0415 (only now is the project on the path)

    strip = Image.new("RGB", (SIZE[0] * len(DAYS), SIZE[1]), "white")
    for number, day in enumerate(DAYS):
        cover = Image.open(BytesIO(draw_cover(day, 400))).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        strip.paste(cover, (number * SIZE[0], 0))
    return strip


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    covers_image().save(COVERS_IMAGE, optimize=True)
