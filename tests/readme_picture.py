"""Makes the README's picture: ``python tests/readme_picture.py``, in the project's folder."""

from datetime import date
from io import BytesIO
from pathlib import Path

from PIL import Image

from timecoverspider.replica.images import draw_cover

PICTURE = Path(__file__).resolve().parent.parent / ".github" / "covers.png"
DAYS = [date(year, 6, 4) for year in range(1924, 2015, 10)]
SIZE = (84, 110)  # pixels, of each cover


def picture() -> Image.Image:
    """One cover a decade, side by side."""
    strip = Image.new("RGB", (SIZE[0] * len(DAYS), SIZE[1]), "white")
    for number, day in enumerate(DAYS):
        cover = Image.open(BytesIO(draw_cover(day, 400))).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        strip.paste(cover, (number * SIZE[0], 0))
    return strip


if __name__ == "__main__":
    picture().save(PICTURE, optimize=True)
