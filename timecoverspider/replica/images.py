"""Draw the replica's images from the date alone. They are not TIME's covers."""

from datetime import date
from functools import cache
from io import BytesIO
from math import ceil
from random import Random

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

_FIRST_RED_BORDER = date(1927, 1, 3)
_RED: Colour = (198, 24, 29)
_INK: Colour = (24, 22, 20)
_PAPER: Colour = (236, 231, 220)
# The colours of each decade: background, coat and light. They are visible in the average of its covers.
_PALETTES: dict[int, tuple[Colour, Colour, Colour]] = {
    1920: ((150, 148, 144), (62, 60, 58), (226, 223, 216)),
    1930: ((140, 118, 84), (66, 48, 36), (228, 206, 166)),
    1940: ((92, 108, 96), (44, 54, 66), (206, 198, 160)),
    1950: ((98, 142, 176), (40, 58, 102), (238, 208, 160)),
    1960: ((206, 124, 44), (104, 44, 36), (250, 222, 130)),
    1970: ((124, 98, 46), (92, 74, 104), (222, 178, 92)),
    1980: ((112, 82, 150), (24, 44, 106), (250, 150, 168)),
    1990: ((36, 112, 128), (26, 30, 44), (158, 222, 206)),
    2000: ((58, 76, 118), (122, 22, 34), (190, 208, 232)),
    2010: ((214, 216, 220), (42, 46, 52), (250, 250, 248)),
}


def _varied(colour: Colour, chance: Random, by: int) -> Colour:
    red, green, blue = (max(0, min(255, value + chance.randint(-by, by))) for value in colour)
    return red, green, blue


def _ground(size: tuple[int, int], palette: tuple[Colour, Colour, Colour], chance: Random) -> Image.Image:
    """Return a background in the decade's colours, shaded from top to bottom."""
    ground, _, light = palette
    shades = Image.new("RGB", (1, 4))
    for row in range(4):
        shades.putpixel((0, row), _varied(light if chance.random() < 0.3 else ground, chance, 34))
    column = shades.resize((1, size[1]), Image.Resampling.BILINEAR)
    return column.resize(size, Image.Resampling.NEAREST)  # a tenth of the time of interpolating all pixels


def _portrait(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], palette: tuple[Colour, Colour, Colour], chance: Random
) -> None:
    """Draw a head and shoulders in front of up to three panels, different for each date."""
    width, height = size
    ground, coat, light = palette
    for _ in range(chance.randint(0, 3)):
        left, top = chance.uniform(0, width), chance.uniform(0, height)
        right, bottom = left + chance.uniform(8, width / 3), top + chance.uniform(8, height / 3)
        pen.rounded_rectangle((left, top, right, bottom), 6, _varied(ground, chance, 40))
    x, y = width * chance.uniform(0.4, 0.6), height * chance.uniform(0.42, 0.52)
    head_x, head_y = width * chance.uniform(0.13, 0.19), height * chance.uniform(0.13, 0.18)
    shoulders = width * chance.uniform(0.3, 0.44)
    pen.ellipse((x - shoulders, y + head_y * 0.9, x + shoulders, height * 1.4), _varied(coat, chance, 30))
    hair = head_y * chance.uniform(0.1, 0.5)
    pen.ellipse((x - head_x * 1.15, y - head_y - hair, x + head_x * 1.15, y + head_y * 0.5), _varied(coat, chance, 36))
    pen.ellipse((x - head_x, y - head_y, x + head_x, y + head_y), _varied(light, chance, 16))


@cache
def _lettering(text: str, size: int) -> Image.Image:
    """Return a text, *size* pixels high, as a mask; cached, because all images have the same few texts."""
    font = ImageFont.load_default(size)
    mask = Image.new("L", (ceil(font.getlength(text)), size * 5 // 4))
    ImageDraw.Draw(mask).text((0, 0), text, 255, font)
    return mask


def _frame(pen: ImageDraw.ImageDraw, size: tuple[int, int], day: date) -> None:
    """Draw the border, the masthead and the line of text with the date."""
    width, height = size
    edge = width // 25
    colour = _RED if day >= _FIRST_RED_BORDER else _INK
    pen.rectangle((0, 0, width - 1, height - 1), outline=colour, width=edge if colour == _RED else 2)
    masthead = _lettering("REPLICA", width // 6)
    pen.bitmap(((width - masthead.width) // 2, edge), masthead, colour)
    band = height - edge * 3
    pen.rectangle((edge, band, width - edge - 1, height - edge - 1), _PAPER)
    x = edge * 2
    for text in (*day.isoformat(), "  drawn by a program, not by TIME"):
        letters = _lettering(text, width // 26)
        pen.bitmap((x, band + edge // 2), letters, _INK)
        x += letters.width


def draw_cover(day: date, width: int) -> bytes:
    """Return the image of an issue as a JPEG file of 400x527 or 600x790 pixels.

    The same date and width give the same bytes with the same version of Pillow. Until 1926 images are
    grey. From 1927 on the border is red, and each decade has its own colours.
    """
    size = (width, width * 527 // 400)
    chance = Random(day.toordinal())
    palette = _PALETTES.get(day.year // 10 * 10, _PALETTES[1920])
    image = _ground(size, palette, chance)
    pen = ImageDraw.Draw(image)
    _portrait(pen, size, palette, chance)
    _frame(pen, size, day)
    if day < _FIRST_RED_BORDER:
        image = image.convert("L")
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()
