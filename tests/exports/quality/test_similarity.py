"""How alike two images are, and from where on they are near duplicates."""

import numpy as np
import pytest
from image_set import CHANGES, draw
from numpy.typing import NDArray
from PIL import Image as Picture

from timecoverspider.exports.quality.alignment import differences
from timecoverspider.exports.quality.similarity import SIZE, calibrate


def pixels(image: Picture.Image) -> NDArray[np.float32]:
    small = image.convert("YCbCr").resize(SIZE, Picture.Resampling.BILINEAR)
    return np.asarray(small, np.float32)[None]


def difference(one: Picture.Image, other: Picture.Image) -> float:
    typical = np.concatenate([pixels(draw(number)) for number in range(30)]).var(0)
    [value] = differences(pixels(one), pixels(other), typical)
    return float(value)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_image_differs_little_from_the_original(change: str) -> None:
    image = draw(1)
    assert difference(image, image) < 1e-4
    assert difference(CHANGES[change](image), image) < 0.03
    assert difference(image, draw(2)) > 0.2


def test_images_of_one_colour_are_not_alike() -> None:
    light, dark = (Picture.new("RGB", (200, 264), colour) for colour in ("white", "black"))
    light.paste((240, 240, 240), (40, 40, 120, 120))
    dark.paste((20, 20, 20), (80, 120, 160, 230))
    assert difference(light, dark) > 0.2


def test_limit_is_below_what_is_usual_in_a_large_set() -> None:
    distances = np.exp(np.random.default_rng(1).normal(np.log(0.1), 0.4, (5000, 3))).astype(np.float32)
    assert 0.005 < calibrate(distances) < distances.min()


def test_limit_of_a_small_set_of_several_kinds_is_a_fifth_of_the_lowest() -> None:
    distances = np.full((45, 3), 0.15, np.float32)
    distances[5:] = np.linspace(0.3, 2, 40)[:, None]
    assert calibrate(distances) == pytest.approx(0.03)


def test_limit_of_a_set_with_nothing_in_common_is_a_twentieth() -> None:
    distances = np.random.default_rng(1).uniform(0.7, 0.9, (45, 3)).astype(np.float32)
    assert calibrate(distances) == pytest.approx(0.05)
