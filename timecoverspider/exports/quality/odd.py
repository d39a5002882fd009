"""Name what is unlike the rest of a collection: sizes, modes and formats."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

PLACEHOLDER, ODD_SIZE = "placeholder", "odd size"

_JUDGED = 10  # images below which nothing is odd
_MOST = 0.8  # share of the images that must agree on a mode or a format before another one is odd
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".png": "PNG", ".gif": "GIF", ".webp": "WEBP"}
_SHAPE, _AREA = 0.1, np.log(2)  # by which the logarithms of width/height and of the area may always differ


def odd_sizes(sizes: Sequence[tuple[int, int]]) -> dict[int, tuple[str, str]]:
    """Map the number of each image with an odd size to PLACEHOLDER or ODD_SIZE, and to the reason.

    *sizes* are width and height in pixels. A size is odd if at most two images, or one in a hundred, have the size,
    and its shape or area is four robust standard deviations from the median. If both are, the image is a placeholder.

    >>> odd_sizes([(400, 527)] * 20 + [(290, 290), (800, 1054), (401, 528)])
    ... # doctest: +NORMALIZE_WHITESPACE
    {20: ('placeholder', '290x290 pixels: unlike all others in size and shape, most have 400x527'),
     21: ('odd size', '800x1054 pixels, most have 400x527')}
    """
    if len(sizes) < _JUDGED:
        return {}
    counts = Counter(sizes)
    [(usual, _)] = counts.most_common(1)
    width, height = np.log(np.array(sizes, float)).T
    shapes, areas = _is_outlier(width - height, _SHAPE), _is_outlier(width + height, float(_AREA))
    most = f"most have {usual[0]}x{usual[1]}"
    found = {}
    for number, size in enumerate(sizes):
        if counts[size] <= _few(len(sizes)) and (shapes[number] or areas[number]):
            text = f"{size[0]}x{size[1]} pixels"
            if shapes[number] and areas[number]:
                found[number] = PLACEHOLDER, f"{text}: unlike all others in size and shape, {most}"
            else:
                found[number] = ODD_SIZE, f"{text}, {most}"
    return found


def rare(values: Sequence[str]) -> dict[int, str]:
    """Map the number of each image with a rare mode or format to the reason, if most images have the same.

    >>> rare(["RGB"] * 20 + ["P"])
    {20: 'P, most have RGB'}
    >>> rare(["RGB", "P"] * 20)
    {}
    """
    counts = Counter(values)
    if len(values) < _JUDGED or counts.most_common(1)[0][1] < _MOST * len(values):
        return {}
    [(usual, _)] = counts.most_common(1)
    few = _few(len(values))
    return {number: f"{value}, most have {usual}" for number, value in enumerate(values) if counts[value] <= few}


def wrong_name(path: str, kind: str) -> str:
    """Return how the name of a file contradicts its format, or an empty string.

    >>> wrong_name("full/a.jpeg", "PNG"), wrong_name("full/a.JPG", "JPEG"), wrong_name("full/a.php", "PNG")
    ('PNG, but the name says JPEG', '', '')
    """
    named = _FORMATS.get(PurePosixPath(path).suffix.lower(), kind)
    return f"{kind}, but the name says {named}" if named != kind else ""


def _few(count: int) -> int:
    return max(2, count // 100)


def _is_outlier(values: NDArray[np.float64], allowed: float) -> NDArray[np.bool_]:
    """Return which values are four robust standard deviations, and more than *allowed*, from the median."""
    distances = np.abs(values - np.median(values))
    outliers: NDArray[np.bool_] = distances > max(4 * 1.4826 * float(np.median(distances)), allowed)
    return outliers
