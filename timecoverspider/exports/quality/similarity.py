"""Find images that look alike although their collection shares one frame: candidates first, then a closer look.

A fixed threshold fails: all covers have the same border, masthead and lines. So all is measured by what is usual in the
set: a descriptor has what an image does *not* share with the others, and two images are near duplicates if they differ
by far less than the nearest neighbours of this set usually do.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timecoverspider.exports.quality.alignment import differences

Floats = NDArray[np.float32]
Thumbnails = NDArray[np.uint8]  # (images, 32, 24, 3): RGB

SIZE = (24, 32)  # pixels of a thumbnail: width, height
CALIBRATED = 30  # unique images below which nothing is said: the spread of so few distances is not known

_NEIGHBOURS = 3  # candidates for each image; the right one is among them for 501 of 510 planted copies
_DIMENSIONS = 64  # principal components of a descriptor; 128 found no more
_SAMPLE = 2000  # images, or up to twice as many, from which the components are computed: half a second
_COLOUR = np.array([1, 0.85, 0.85], np.float32)  # less finds more grey copies (1: 20 of 30), and fewer crops
_FALSE = 0.01  # false pairs that a set may have, if the logarithms of its distances are normal
_MOST = 0.05  # by which near duplicates differ at most; planted ones differed by 0.04
_CELLS = 8_000_000  # similarities that are in memory at once: 32 MB
_BATCH = 256  # pairs that are aligned at once: 20 MB a thread
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], np.float32
).T  # JPEG's luminance, blue and red difference


class Pair(NamedTuple):
    """Two images, as numbers of their thumbnails, the smaller one first."""

    first: int
    second: int


def find_candidates(thumbnails: Thumbnails, done: Callable[[int], object]) -> NDArray[np.intp]:
    """Return the numbers of the three nearest neighbours of each image, of fewer if there are fewer images.

    Memory: 3 KB an image. Time: the square of the number of images. *done* gets the number of images compared.
    """
    vectors = _describe(thumbnails)
    count = len(vectors)
    nearest = np.empty((count, min(_NEIGHBOURS, count - 1)), np.intp)
    rows = max(1, _CELLS // count)
    for start in range(0, count, rows):
        block = vectors[start : start + rows] @ vectors.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        nearest[start : start + rows] = np.argpartition(block, -nearest.shape[1], 1)[:, -nearest.shape[1] :]
        done(len(block))
    return nearest


def find_near_duplicates(
    thumbnails: Thumbnails, candidates: NDArray[np.intp], done: Callable[[int], object]
) -> list[Pair]:
    """Return the pairs of images that are far more alike than the nearest neighbours of this set usually are.

    The list is empty if there are fewer than 30 images. *done* gets the number of images compared.
    """
    if len(thumbnails) < CALIBRATED:
        return []
    distances = _distances(thumbnails, candidates, done)
    found = np.argwhere(distances < calibrate(distances))
    pairs = {tuple(sorted((int(image), int(candidates[image, place])))) for image, place in found}
    return sorted(Pair(*pair) for pair in pairs)


def find_same(thumbnails: Thumbnails, candidates: NDArray[np.intp]) -> list[Pair]:
    """Return the pairs of candidates that may have the same pixels: their thumbnails differ by less than four levels.

    A JPEG that is decoded at an eighth of its size differs from a PNG of the same pixels by one or two levels.
    """
    pairs = {tuple(sorted((first, int(second)))) for first, row in enumerate(candidates) for second in row}
    return sorted(
        Pair(first, second)
        for first, second in pairs
        if np.abs(thumbnails[first].astype(np.int16) - thumbnails[second]).mean() < 4
    )


def _distances(thumbnails: Thumbnails, candidates: NDArray[np.intp], done: Callable[[int], object]) -> Floats:
    """Return how much each image differs from each of its candidates, as a share of what is usual in the set."""
    count, neighbours = candidates.shape
    typical = _variance(thumbnails)
    pairs = np.stack([np.repeat(np.arange(count), neighbours), candidates.ravel()])

    def measure(start: int) -> Floats:
        first, second = (_colours(thumbnails[side]) for side in pairs[:, start : start + _BATCH])
        return differences(first, second, typical)

    results = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # numpy releases the GIL: 1.7 times as fast on two cores
        for result in threads.map(measure, range(0, pairs.shape[1], _BATCH)):
            results.append(result)
            done(len(result) // neighbours)
    return np.concatenate(results).reshape(count, neighbours)


def calibrate(distances: Floats) -> float:
    """Return the distance below which two images of this set are near duplicates: 0.01 pairs are so by chance.

    The logarithms of the distances are normal (4,763 covers: as far as 4 standard deviations below the median). The
    median and the spread are those of the middle one of three candidates, so that they stay what they are if every
    image has a duplicate; that one varies less than a single distance does, hence 1.2. In a small set of several kinds
    of images this spread is too large: a fifth of what 98% of the middle ones exceed is allowed in any case. In a set
    with nothing in common the result would be 0.28; it is at most 0.05.
    """
    middle = np.log(np.maximum(np.median(distances, axis=1), 1e-6))
    lowest, low, median = np.quantile(middle, [0.02, 0.1, 0.5])
    spread = 1.2 * (median - low) / -NormalDist().inv_cdf(0.1)
    spread *= 1 + 2 / len(distances) ** 0.5  # the spread itself is not known well in a small set
    chance = NormalDist().inv_cdf(_FALSE / distances.size)
    return min(float(np.exp(max(median + chance * spread, lowest - np.log(5)))), _MOST)


def _describe(thumbnails: Thumbnails) -> Floats:
    """Return a unit vector of each image: what it does not share with the others."""
    vectors = np.concatenate([_outlines(block) for block in _blocks(thumbnails)])
    mean, spread = vectors.mean(0), vectors.std(0)
    # Clip to what is usual at a place: a caption, or a border that a crop has moved, counts no more than any pixel.
    vectors -= mean
    np.clip(vectors, -(limit := spread + 0.1 * spread.mean()), limit, out=vectors)
    vectors *= spread / np.maximum(limit, 1e-9)
    vectors -= vectors.mean(0)
    some = vectors[:: max(1, len(vectors) // _SAMPLE)]
    _, lengths, axes = np.linalg.svd(some, full_matrices=False)
    strengths = lengths**2 / len(some)
    noise = strengths.sum() / vectors.shape[1] + 1e-12  # added, so that faint components are not amplified
    return _unit(vectors @ (axes[:_DIMENSIONS] / np.sqrt(strengths[:_DIMENSIONS] + noise)[:, None]).T)


def _outlines(thumbnails: Thumbnails) -> Floats:
    """Return each image as a vector of 12x16 colours that brightness and contrast do not change."""
    count = len(thumbnails)
    squares = _colours(thumbnails).reshape(count, SIZE[1] // 2, 2, SIZE[0] // 2, 2, 3)
    colours = squares.mean((2, 4)).reshape(count, -1, 3) * _COLOUR
    return _unit((colours - colours.mean(1, keepdims=True)).reshape(count, -1))


def _variance(thumbnails: Thumbnails) -> Floats:
    """Return the variance of each pixel of the set, (32, 24, 3)."""
    total = np.zeros((2, *thumbnails.shape[1:]))
    for block in _blocks(thumbnails):
        colours = _colours(block).astype(np.float64)
        total += colours.sum(0), (colours**2).sum(0)
    mean, square = total / len(thumbnails)
    variance: Floats = (square - mean**2).clip(0).astype(np.float32)
    return variance


def _blocks(thumbnails: Thumbnails) -> list[Thumbnails]:
    return [thumbnails[start : start + 1000] for start in range(0, len(thumbnails), 1000)]


def _colours(thumbnails: Thumbnails) -> Floats:
    colours: Floats = thumbnails.astype(np.float32) @ _TO_YCC
    return colours


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
