"""Sheets and strips: each image in its place."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sample_images import picture

from timecoverspider.exports.gallery.sheets import (
    CELLS,
    COLUMNS,
    STRIP_HEIGHT,
    cell_size,
    draw_sheet,
    draw_strip,
    fitted,
)


def thumbnails(folder: Path, colours: list[tuple[int, int, int]], size: tuple[int, int]) -> list[Path]:
    files = []
    for number, colour in enumerate(colours):
        Image.new("RGB", size, colour).save(folder / f"{number}.jpg", quality=95)
        files.append(folder / f"{number}.jpg")
    return files


def colour(number: int) -> tuple[int, int, int]:
    return number % 4 * 80, number // 4 % 4 * 80, number // 16 % 4 * 80


def close_to(wanted: tuple[int, int, int]) -> object:
    return pytest.approx(wanted, abs=12)


def test_sheet_has_each_thumbnail_at_the_top_left_of_its_cell(tmp_path: Path) -> None:
    count = COLUMNS * 2 + 3
    files = thumbnails(tmp_path, [colour(number) for number in range(count)], (80, 100))
    sheet = Image.open(BytesIO(draw_sheet([(file, (400, 500)) for file in files], (32, 48))))
    assert sheet.size == (COLUMNS * 32, 3 * 48)
    width, height = fitted((400, 500), (32, 48))
    for number in range(count):
        x, y = number % COLUMNS * 32, number // COLUMNS * 48
        for place in [(x + 2, y + 2), (x + width - 3, y + height - 3)]:
            assert sheet.getpixel(place) == close_to(colour(number)), number


def test_sheet_of_few_thumbnails_is_narrow(tmp_path: Path) -> None:
    files = thumbnails(tmp_path, [(255, 0, 0)], (80, 100))
    assert Image.open(BytesIO(draw_sheet([(files[0], (80, 100))], (32, 40)))).size == (32, 40)


def test_strip_has_the_middle_column_of_each_thumbnail(tmp_path: Path) -> None:
    files = []
    for number in range(12):
        image = Image.new("RGB", (81, 100), "black")
        image.paste(colour(number // 8), (32, 0, 48, 50))  # neighbours alike: JPEG mixes blocks of eight pixels
        image.save(tmp_path / f"{number}.jpg", quality=95)
        files.append(tmp_path / f"{number}.jpg")
    strip = Image.open(BytesIO(draw_strip(files)))
    assert strip.size == (12, STRIP_HEIGHT)
    for number in range(12):
        assert strip.getpixel((number, 40)) == close_to(colour(number // 8))
        assert strip.getpixel((number, 160)) == close_to((0, 0, 0))


@pytest.mark.parametrize("size", [(1, 1), (10, 2), (5000, 2), (2, 5000)])
def test_thumbnail_of_any_shape_fits_into_its_cell(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(1, size))
    assert Image.open(BytesIO(draw_sheet([(tmp_path / "a.jpg", size)], (32, 42)))).size == (32, 42)
    assert Image.open(BytesIO(draw_strip([tmp_path / "a.jpg"]))).size == (1, STRIP_HEIGHT)


@pytest.mark.parametrize(("many", "area"), [(100, 32 * 42), (47_630, 16 * 21)])
def test_cells_of_many_images_are_small(many: int, area: int) -> None:
    width, height = cell_size([(400, 527)] * many)
    assert width * height == pytest.approx(area, rel=0.05)
    assert width / height == pytest.approx(400 / 527, abs=0.03)


def test_sheet_at_its_largest_is_no_larger_than_phones_draw() -> None:
    width, height = cell_size([(400, 527)])
    assert width * COLUMNS * height * CELLS // COLUMNS < 4096 * 4096
