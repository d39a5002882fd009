"""Measurements of images whose values are known, and the table."""

import csv
from io import StringIO

import pytest
from PIL import Image
from sample_dataset import image

from timecoverspider.exports.collection import Entry
from timecoverspider.exports.gallery.measurements import Measurement, measure, to_csv


def halves(left: str, right: str) -> Image.Image:
    picture = Image.new("RGB", (40, 40), left)
    picture.paste(right, (20, 0, 40, 40))
    return picture


@pytest.mark.parametrize(("colour", "hue"), [("red", 0), ("yellow", 60), ("lime", 120), ("cyan", 180), ("blue", 240)])
def test_hue_of_one_colour_is_its_angle(colour: str, hue: float) -> None:
    assert measure(Image.new("RGB", (8, 8), colour)).hue == pytest.approx(hue, abs=1)


def test_hue_of_two_reds_is_red_and_not_the_opposite() -> None:
    hue = measure(halves("#ff0020", "#ff2000")).hue
    assert hue is not None
    assert min(hue, 360 - hue) < 1


@pytest.mark.parametrize("picture", [Image.new("RGB", (8, 8), "#777"), halves("black", "white")])
def test_image_without_a_prevailing_colour_has_no_hue(picture: Image.Image) -> None:
    assert measure(picture).hue is None


def test_black_and_white_have_the_largest_contrast() -> None:
    measured = measure(halves("black", "white"))
    assert (measured.brightness, measured.contrast, measured.saturation) == (127.5, 127.5, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2)])
def test_image_of_any_size_is_measured(size: tuple[int, int]) -> None:
    measured = measure(Image.new("RGB", size, "blue"))
    assert (measured.saturation, measured.hue) == (255, pytest.approx(240, abs=1))


def test_table_can_be_read_whatever_the_title() -> None:
    title = 'a, "b"; c\td'
    text = to_csv([(Entry(image(), title, "1969-07", "", {}), Measurement(1.04, 2.06, 3, None))])
    assert text.endswith("\n")
    [row] = csv.DictReader(StringIO(text))
    assert row["title"] == title
    assert [row[name] for name in Measurement._fields] == ["1.0", "2.1", "3", ""]
