"""The same picture more than once, as a model sees it: mirrored, cropped, framed or recoloured, where pixels don't fit.

Two images are candidates if the features of a model are far nearer to each other than either is to its eighth nearest
image, so that the bound goes with the model and with the data. They count if their pictures, laid over each other where
they fit best, mirrored or enlarged if need be, agree.

Shapes: N images, P width of the features, D directions that are kept of them, T side of the grey pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from deft.data.duplicates import LEAST_CONTRAST, joined, sharp
from deft.data.readers import IntArray, Pixels

Floats = npt.NDArray[np.float32]
Pictures = Callable[[IntArray], Pixels]
"""From rows to their pictures, uint8 (n, S, S, 3)."""

NEARER = 0.6
"""Cosine distance of two duplicates, as a share of the smaller of both images' distances to their eighth nearest."""

CROWDED = 0.5
"""Least distance to the eighth nearest that is reckoned with, as a share of its median: many copies are all near."""

LEAST_COSINE = 0.5
"""Cosine of two duplicates' features, at the least, whatever else lies near."""

AGREE, SURELY = 0.8, 0.98
"""Correlation from which pictures of candidates are one: the first for photos; up to the second where all are alike."""

SPREADS = 4.0
"""How far above that of neighbours a correlation has to lie, in median absolute deviations."""

LEAST = 20
"""Images from which neighbours tell what is near."""

NEIGHBOURS = 8
ENLARGED = (1.055, 1.11, 1.18)  # the scales at which one of two pictures may lie over the other
SIDES = (64, 32)  # T, where the pixels are as many, and elsewhere
DETAIL = 0.05  # of the side; what is smoother than this plays no part in the comparison
REACH = 8  # parts of the side: the largest shift is one of them
DIRECTIONS = 64
MEASURED = 20_000  # images, at least as many where there are, that center, spread and directions are those of
WHOLE = 4096  # images up to which all are compared with all
PROBED = 4  # cells in which the neighbours of an image are sought
HANDED = 3  # mirrored pairs of two classes from which these may be each other's mirror images
BLOCK = 4096
_REFERENCES = 300
_PIECE = 256
_LEAST_SPREAD = 1e-6


def with_similar(
    groups: IntArray, features: npt.NDArray[np.floating], rows: IntArray, pictures: Pictures, labels: IntArray
) -> IntArray:
    """Return groups of duplicates joined by what features of their images say, int64 (N,), −1 for none.

    Args:
        groups: Groups that the pixels show, (N,), −1 for none (`find_groups`); one image of each is looked at.
        features: Of any model, (N, P); they may lie on the disk.
        rows: The images that can be used, rising, (n,).
        pictures: Gives the pixels of candidates.
        labels: Given labels, (N,).

    Example:
        >>> none = np.zeros((1, 8, 8, 3), np.uint8)
        >>> with_similar(np.full(2, -1), np.eye(2), np.arange(2), lambda rows: none[0 * rows], np.zeros(2, np.int64))
        array([-1, -1])
    """
    _, first = np.unique(np.where(groups[rows] >= 0, groups[rows], -1 - rows), return_index=True)
    some = rows[np.sort(first)]
    if len(some) < LEAST:
        return groups
    return joined(groups, some[_pairs(features, some, lambda places: pictures(some[places]), labels[some])])


def _pairs(features: npt.NDArray[np.floating], rows: IntArray, pictures: Pictures, labels: IntArray) -> IntArray:
    """Return pairs of places among some rows that show one picture, (p, 2)."""
    units = directions(features, rows)
    near, cosines = neighbours(units)
    pairs, nearer = _ratios(near, cosines)
    alike = pairs[nearer <= NEARER]
    if not len(alike):
        return alike
    apart = pairs[nearer > NEARER]
    others = _agreement(pictures, apart[:: max(1, len(apart) // _REFERENCES)]).max(axis=1)
    straight, mirrored = _agreement(pictures, alike).T
    least = _threshold(others)
    kept = (straight >= least) | (mirrored >= least) & ~_handed(labels[alike], (mirrored >= least) & (straight < least))
    found: IntArray = alike[kept]
    return found


def directions(features: npt.NDArray[np.floating], rows: IntArray) -> Floats:
    """Return unit vectors of some images in the strongest directions of their standardised features, (n, D).

    Args:
        features: (N, P).
        rows: (n,).
    """
    measured = rows[:: max(1, len(rows) // MEASURED)]
    total, squares = np.zeros(features.shape[1]), np.zeros((features.shape[1], features.shape[1]))
    for block in _blocks(measured):
        some = features[block].astype(np.float64)
        total += some.sum(axis=0)
        squares += some.T @ some
    center = total / len(measured)
    spread = squares / len(measured) - np.outer(center, center)
    deviation = np.sqrt(np.maximum(np.diag(spread), 0))
    scale = np.where(deviation > _LEAST_SPREAD, deviation, np.inf)
    strongest = np.linalg.eigh(spread / np.outer(scale, scale))[1][:, ::-1][:, :DIRECTIONS]
    turned, middle = (strongest / scale[:, None]).astype(np.float32), center.astype(np.float32)
    places = np.concatenate([(np.asarray(features[block], np.float32) - middle) @ turned for block in _blocks(rows)])
    unit: Floats = places / np.maximum(np.linalg.norm(places, axis=1, keepdims=True), np.float32(1e-12))
    return unit


def _blocks(rows: IntArray) -> list[IntArray]:
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]


def neighbours(units: Floats) -> tuple[IntArray, Floats]:
    """Return the eight nearest images of each, nearest first, and their cosines, (n, 8) each.

    Many images are sought in cells around some of them; the few neighbours that lie in farther cells are missed.

    Args:
        units: Output of `directions`, (n, D).
    """
    count = min(NEIGHBOURS, len(units) - 1)
    near = np.full((len(units), count), -1, np.int64)
    cosines = np.full((len(units), count), -1.0, np.float32)
    for known, asked in _cells(units):
        for start in range(0, len(asked), _PIECE):
            part = asked[start : start + _PIECE]
            found = units[part] @ units[known].T
            found[part[:, None] == known] = -2.0
            both = np.concatenate([cosines[part], found], axis=1)
            named = np.concatenate([near[part], np.broadcast_to(known, found.shape)], axis=1)
            best = np.argpartition(-both, count - 1, axis=1)[:, :count]
            best = np.take_along_axis(best, np.argsort(-np.take_along_axis(both, best, axis=1), axis=1), axis=1)
            near[part], cosines[part] = np.take_along_axis(named, best, axis=1), np.take_along_axis(both, best, axis=1)
    return near, cosines


def _cells(units: Floats) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield cells: who lies in one, and who seeks neighbours there."""
    rows = np.arange(len(units))
    if len(units) <= WHOLE:
        yield rows, rows
        return
    middles = units[np.random.default_rng(0).choice(len(units), int(np.sqrt(len(units))), replace=False)]
    probed = np.empty((len(units), PROBED), np.int64)
    for start in range(0, len(units), BLOCK):
        close = -(units[start : start + BLOCK] @ middles.T)
        best = np.argpartition(close, PROBED, axis=1)[:, :PROBED]
        order = np.argsort(np.take_along_axis(close, best, axis=1), axis=1)
        probed[start : start + BLOCK] = np.take_along_axis(best, order, axis=1)
    inside, asking = _by_cell(probed[:, 0], len(middles)), _by_cell(probed.reshape(-1), len(middles))
    for known, asked in zip(inside, asking, strict=True):
        yield known, asked // PROBED


def _by_cell(cells: IntArray, count: int) -> list[IntArray]:
    """Return the places of each cell's number, rising."""
    order = np.argsort(cells, kind="stable")
    return np.split(order, np.searchsorted(cells[order], np.arange(1, count)))


def _ratios(near: IntArray, cosines: Floats) -> tuple[IntArray, Floats]:
    """Return pairs of neighbours, each once, and how near they are beside their eighth nearest, (p, 2) and (p,)."""
    pairs = np.stack([np.repeat(np.arange(len(near)), near.shape[1]), near.reshape(-1)], axis=1)
    cosine = cosines.reshape(-1)
    kept = (cosine >= LEAST_COSINE) & (pairs[:, 1] >= 0)
    pairs, first = np.unique(np.sort(pairs[kept], axis=1), axis=0, return_index=True)
    eighth = 1 - cosines[:, -1]
    far = np.maximum(eighth, max(CROWDED * float(np.median(eighth)), 1e-6))
    return pairs, (1 - cosine[kept][first]) / far[pairs].min(axis=1)


def _agreement(pictures: Pictures, pairs: IntArray) -> Floats:
    """Return the largest correlations of pairs over shifts and scales, as they are and mirrored, (p, 2)."""
    best = np.zeros((len(pairs), 2), np.float32)
    for start in range(0, len(pairs), _PIECE):
        part = pairs[start : start + _PIECE]
        rows, place = np.unique(part, return_inverse=True)
        squares = pictures(rows)
        grey = area_grey(squares)
        first, second = (grey[place.reshape(part.shape)[:, number]] for number in (0, 1))
        best[start : start + _PIECE] = _fit(first, second)
    return best


def area_grey(squares: Pixels) -> Floats:
    """Return small grey pictures, float32 (n, T, T): means of areas, which may cut pixels, so that mirrored ones fit.

    Args:
        squares: uint8 (n, S, S, 3).
    """
    size = squares.shape[1]
    side = next((side for side in SIDES if size >= side), SIDES[-1])
    edges = np.arange(side + 1) * size / side
    pixels = np.arange(size)
    shares = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    means = (np.maximum(shares, 0) * side / size).astype(np.float32)
    grey = squares.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    small: Floats = means @ grey @ means.T
    return small


def _fit(first: Floats, second: Floats) -> Floats:
    """Return the largest correlations of pictures (b, T, T) with others, and with these mirrored, (b, 2)."""
    mirrored = second[:, :, ::-1]
    found = [[], []]  # type: list[list[Floats]]
    own, others = _waves(first), [_waves(second), _waves(mirrored)]
    for number, other in enumerate((second, mirrored)):
        found[number].append(_correlation(own, others[number]))
        for scale in ENLARGED:
            found[number].append(_correlation(_waves(_enlarged(first, scale)), others[number]))
            found[number].append(_correlation(own, _waves(_enlarged(other, scale))))
    return np.stack([np.max(some, axis=0) for some in found], axis=1)


def _waves(grey: Floats) -> npt.NDArray[np.complexfloating]:
    """Return the spectrum of the details of pictures, at unit length, padded by the largest shift."""
    side = grey.shape[1]
    padded = side + side // REACH
    details, contrast = sharp(grey, DETAIL * side)
    details[contrast < LEAST_CONTRAST] = 0
    waves: npt.NDArray[np.complexfloating] = np.fft.rfft2(details, s=(padded, padded))
    return waves


def _correlation(first: npt.NDArray[np.complexfloating], second: npt.NDArray[np.complexfloating]) -> Floats:
    """Return the largest correlation over all shifts, (b,)."""
    padded = first.shape[1]
    reach = padded // (REACH + 1)
    near = np.r_[0 : reach + 1, -reach:0]
    shifted = np.fft.irfft2(first * second.conj(), s=(padded, padded))
    best: Floats = shifted[:, near][:, :, near].max(axis=(1, 2)).astype(np.float32)
    return best


def _enlarged(grey: Floats, scale: float) -> Floats:
    """Return the middle of pictures at a larger scale, (b, T, T)."""
    side = grey.shape[1]
    middle = (side - 1) / 2
    place = (np.arange(side) - middle) / scale + middle
    low = np.clip(np.floor(place).astype(int), 0, side - 2)
    weights = np.zeros((side, side), np.float32)
    weights[np.arange(side), low] = 1 - (place - low)
    weights[np.arange(side), low + 1] += place - low
    larger: Floats = (weights @ grey @ weights.T).astype(np.float32)
    return larger


def _threshold(others: Floats) -> float:
    """Return the correlation from which candidates count, given those of neighbours that are none."""
    if len(others) < LEAST:
        return AGREE
    middle = float(np.median(others))
    return min(max(middle + SPREADS * float(np.median(np.abs(others - middle))), AGREE), SURELY)


def _handed(labels: IntArray, mirrored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which pairs have classes that are each other's mirror images, as left and right arrows are, (p,).

    Pairs that only fit mirrored would then mostly join these two classes, and seldom two images of either.

    Args:
        labels: Of both images of each pair, (p, 2).
        mirrored: Which pairs fit mirrored alone, (p,).
    """
    low, high = labels.min(axis=1), labels.max(axis=1)
    within = np.bincount(low[mirrored & (low == high)], minlength=int(high.max(initial=0)) + 1)
    classes, place, times = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True, return_counts=True)
    between = np.bincount(place.reshape(-1)[mirrored], minlength=len(times))
    odd = (classes[:, 0] != classes[:, 1]) & (between >= HANDED) & (between > 2 * within[classes].sum(axis=1))
    handed: npt.NDArray[np.bool_] = odd[place.reshape(-1)]
    return handed
