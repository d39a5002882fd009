"""Measure how much two small images differ after one was moved, scaled, brightened and tinted like the other."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_STEPS = 6  # of Gauss and Newton; a crop of 4% on each side needs five
_FARTHEST = 0.12  # by which an image may be scaled, and moved as a share of half its size
_SHARE = 0.8  # of the image that must agree: the rest may be a caption
_BLOCK = 4  # pixels of a side of the blocks that agree or do not
_GREY = 9  # variance of the colours below which an image is grey


class _Warp(NamedTuple):
    """Images that were moved onto others."""

    moved: Floats  # (pairs, height, width) or (pairs, height, width, 3)
    inside: Floats  # (pairs, height, width): 1 where both images have a pixel


def differences(fixed: Floats, moving: Floats, typical: Floats) -> Floats:
    """Return for each pair how much its images differ, as a share of the variance of the whole set.

    *fixed* and *moving* are (pairs, height, width, 3): luminance, blue and red difference. *typical* is the variance
    of each pixel, (height, width, 3). 0 is equal, 1 as different as two images of the set by chance. The fifth of the
    image that differs most does not count. If an image is grey, only luminance counts.
    """
    places, weights = _align(fixed[..., 0], moving[..., 0])
    moved, inside = _warp(moving, places)
    weights = weights * inside
    fixed, moved = _centred(fixed, weights), _centred(moved, weights)
    here, there = _power(fixed, fixed, weights), _power(moved, moved, weights)
    grey = np.minimum(here[:, 1:].sum(1), there[:, 1:].sum(1)) < _GREY
    rest = fixed - _gains(_power(fixed, moved, weights), there)[:, None, None, :] * moved
    counts = np.where(grey[:, None], [1.0, 0.0, 0.0], 1.0).astype(np.float32)[:, None, None, :]
    errors = _block_sums((rest**2 * counts).sum(-1) * inside)
    usual = _block_sums((typical * counts).sum(-1) * inside)
    # An image that is nearly of one colour is like any other of this kind: measure it by its own variance.
    own = (np.minimum(here, there) * counts[:, 0, 0]).sum(1) / np.maximum((typical * counts).sum(-1).mean((1, 2)), 1e-6)
    distances: Floats = _trimmed(errors, usual) / np.clip(own, 1e-6, 1)
    return distances


def _trimmed(errors: Floats, usual: Floats) -> Floats:
    """Return the sum of the errors by that of what is usual, without the blocks that differ most."""
    order = np.argsort(errors / np.maximum(usual, 1e-6), axis=1)
    errors, usual = (np.take_along_axis(values, order, 1) for values in (errors, usual))
    kept = np.cumsum(usual, 1) <= _SHARE * usual.sum(1, keepdims=True)
    share: Floats = (errors * kept).sum(1) / np.maximum((usual * kept).sum(1), 1e-6)
    return share


def _gains(common: Floats, moved: Floats) -> Floats:
    """Return by how much contrast and colour of the moved images have to be raised, (pairs, 3)."""
    contrast = common[:, 0] / np.maximum(moved[:, 0], 1e-6)
    colour = common[:, 1:].sum(1) / np.maximum(moved[:, 1:].sum(1), 1e-6)
    gains: Floats = np.stack([contrast, colour, colour], -1).clip(0.3, 3)
    return gains


def _align(fixed: Floats, moving: Floats) -> tuple[Floats, Floats]:
    """Return scale and shift of each moving image, (pairs, 4), and the weight of each pixel, (pairs, height, width).

    Least squares by Gauss and Newton for scale, shift, contrast and brightness. A pixel that differs much has little
    weight, so that a caption does not pull.
    """
    pairs, height, width = fixed.shape
    across, down = _axes(height, width)
    places = np.zeros((pairs, 4), np.float32)
    for step in range(_STEPS + 1):
        moved, weights = _warp(moving, places)
        if step == 0:
            rest, gains = _fit(fixed, moved, weights)
        spread = 2 * np.median(np.abs(rest).reshape(pairs, -1), axis=1)[:, None, None] + 1
        weights = weights * np.minimum(1, spread / np.maximum(np.abs(rest), 1e-6))
        rest, gains = _fit(fixed, moved, weights)
        if step == _STEPS:
            break
        to_right = np.gradient(moved, axis=2) * gains * ((width - 1) / 2)
        to_bottom = np.gradient(moved, axis=1) * gains * ((height - 1) / 2)
        slopes = (to_right * across, to_right, to_bottom * down, to_bottom, moved, np.ones_like(moved))
        places = np.clip(places + _solve(np.stack(slopes, -1), weights, rest), -_FARTHEST, _FARTHEST)
    return places, weights


def _solve(slopes: Floats, weights: Floats, rest: Floats) -> Floats:
    """Return the change of scale and shift that leaves the least of the rest, (pairs, 4)."""
    pairs = len(rest)
    slopes = slopes.reshape(pairs, -1, 6)
    weighted = (slopes * weights.reshape(pairs, -1, 1)).transpose(0, 2, 1)
    matrix, right = weighted @ slopes, weighted @ rest.reshape(pairs, -1, 1)
    diagonal = np.arange(6)
    # A hundredth of the trace keeps images without edges where they are.
    matrix[:, diagonal[:4], diagonal[:4]] += 0.01 * np.trace(matrix[:, :4, :4], axis1=1, axis2=2)[:, None] + 1
    matrix[:, diagonal[4:], diagonal[4:]] += 0.1
    change: Floats = np.linalg.solve(matrix, right)[:, :4, 0]
    return change


def _fit(fixed: Floats, moved: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return what is left of the fixed images without the moved ones, and the gain of each, (pairs, 1, 1)."""
    fixed, moved = (_centred(images[..., None], weights)[..., 0] for images in (fixed, moved))
    common, power = ((weights * moved * other).sum((1, 2), keepdims=True) for other in (fixed, moved))
    gains = common / np.maximum(power, 1e-6)
    return fixed - gains * moved, gains


def _warp(images: Floats, places: Floats) -> _Warp:
    """Return the images, scaled and shifted. The outermost pixels, mostly border, are outside."""
    height, width = images.shape[1:3]
    across, down = _axes(height, width)
    x = ((1 + places[:, 0, None, None]) * across + places[:, 1, None, None] + 1) * ((width - 1) / 2)
    y = ((1 + places[:, 2, None, None]) * down + places[:, 3, None, None] + 1) * ((height - 1) / 2)
    inside = (x >= 1) & (x <= width - 2) & (y >= 1) & (y <= height - 2)
    inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    return _Warp(_sample(images, x.clip(0, width - 1.001), y.clip(0, height - 1.001)), inside.astype(np.float32))


def _sample(images: Floats, x: Floats, y: Floats) -> Floats:
    """Interpolate the images at these places, in pixels."""
    pairs, height, width = images.shape[:3]
    pixels = images.reshape(pairs * height * width, *images.shape[3:])
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = x - left, y - top
    if images.ndim == 4:
        right, bottom = right[..., None], bottom[..., None]
    corner = np.arange(pairs)[:, None, None] * (height * width) + top * width + left
    one, two, three, four = (pixels.take(corner + step, 0) for step in (0, 1, width, width + 1))
    above, below = one + (two - one) * right, three + (four - three) * right
    sampled: Floats = (above + (below - above) * bottom).astype(np.float32)
    return sampled


def _axes(height: int, width: int) -> tuple[Floats, Floats]:
    """Return the columns and rows of an image as numbers from -1 to 1, (1, width) and (height, 1)."""
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    return across[None, :], down[:, None]


def _centred(images: Floats, weights: Floats) -> Floats:
    """Return the images, (pairs, height, width, channels), without their means."""
    total = np.maximum(weights.sum((1, 2)), 1e-6)[:, None]
    centred: Floats = images - ((images * weights[..., None]).sum((1, 2)) / total)[:, None, None, :]
    return centred


def _power(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Return the covariance of the centred images, (pairs, channels)."""
    power: Floats = (one * other * weights[..., None]).sum((1, 2)) / np.maximum(weights.sum((1, 2)), 1e-6)[:, None]
    return power


def _block_sums(values: Floats) -> Floats:
    pairs, height, width = values.shape
    blocks = values.reshape(pairs, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    sums: Floats = blocks.sum((2, 4)).reshape(pairs, -1)
    return sums
