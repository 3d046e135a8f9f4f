"""The same picture more than once: exact copies by pixels, near-duplicates by what small versions of them show.

A near-duplicate is the same photo shifted, cropped, saved again, brightened or noisy, or the next frame of a film.
Candidates are neighbours in a fingerprint that shifts hardly change, found by a tree and never by comparing all with
all; a pair counts if their small pictures, laid over each other where they fit best, agree.

Shapes: N images, T side of the small pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from deft.data.readers import IntArray, Pixels

Floats = npt.NDArray[np.float32]

Kind = Literal["exact", "pixels", "features"]
"""By what an image is known for a duplicate: the same pixels, nearly the same ones, or features of a model."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of duplicates, the surest first."""

SIDE = 32
"""T, the side of the small grey pictures."""

ALIKE, SURELY = 0.85, 0.98
"""Correlation from which two pictures are one: the first for photos; up to the second where all pictures are alike."""

SPREADS = 4.0
"""How far above what different classes have in common a correlation has to lie, in median absolute deviations."""

REACH = 4
"""Largest shift between two near-duplicates, in pixels of the small pictures: an eighth of the side."""

NEIGHBOURS = 8
"""Candidates of each image: with more copies than that, each is still linked to some of the others."""

LEAST_CONTRAST = 2.0
"""Grey levels; a picture that is smoother than this has nothing to be recognised by, and only exact copies count."""

FARTHEST = 4.0
"""Distance of fingerprints up to which two pictures are compared."""

_DIMENSIONS = 10  # of the fingerprint that the tree holds
_SMOOTH = 3.0  # pixels; what is smoother than this plays no part in the comparison
_LOW = [(down, right) for down in range(-5, 6) for right in range(6) if 0 < down * down + right * right <= 25]
_WAVES = [(down, right) for down, right in _LOW if right or down > 0]  # one of each pair of mirror images
_PIECE = 512


def pixel_names(squares: Pixels) -> list[bytes]:
    """Return a name for the pixels of each image, 16 bytes each; images with the same name are exact copies.

    Args:
        squares: uint8 (B, S, S, 3).
    """
    return [blake2b(square.data, digest_size=16).digest() for square in np.ascontiguousarray(squares)]


def small_grey(squares: Pixels) -> Pixels:
    """Return small grey pictures, uint8 (B, T, T): means of the areas that each pixel covers.

    Args:
        squares: uint8 (B, S, S, 3).
    """
    side = squares.shape[1]
    if side < SIDE:
        squares = squares.repeat(-(-SIDE // side), axis=1).repeat(-(-SIDE // side), axis=2)
        side = squares.shape[1]
    edges = np.arange(SIDE) * side // SIDE
    areas = np.diff([*edges, side])
    lines = np.add.reduceat(squares, edges, axis=1, dtype=np.uint32)
    sums = np.add.reduceat(lines, edges, axis=2).astype(np.float32)
    grey = sums @ np.array([0.299, 0.587, 0.114], np.float32)
    means: Pixels = np.rint(grey / (areas[:, None] * areas[None, :])).astype(np.uint8)
    return means


def exact_copies(names: Sequence[bytes | str]) -> npt.NDArray[np.bool_]:
    """Return which images have the same pixels as another, (N,).

    Args:
        names: Names of each image's pixels, from `pixel_names`, or of its content, (N,).
    """
    _, place, times = np.unique(np.array(names, object), return_inverse=True, return_counts=True)
    copies: npt.NDArray[np.bool_] = times[place.reshape(-1)] > 1
    return copies


def kinds_of(groups: IntArray, by_pixels: IntArray, copies: npt.NDArray[np.bool_]) -> IntArray:
    """Return by what each image is known for a duplicate, the surest of `KINDS`, as places there, (N,), −1 for none.

    Args:
        groups: Number of each image's group, (N,), −1 for none.
        by_pixels: The groups that pixels show alone, (N,), −1 for none.
        copies: Which images have the same pixels as another, (N,).

    Example:
        >>> groups, none = np.array([0, 0, 0, -1]), np.array([0, 0, -1, -1])
        >>> kinds_of(groups, none, np.array([True, False, False, False])).tolist()
        [0, 1, 2, -1]
    """
    kinds: IntArray = np.where(groups < 0, -1, np.where(copies, 0, np.where(by_pixels >= 0, 1, 2))).astype(np.int64)
    return kinds


def find_groups(names: list[bytes], small: Pixels, labels: IntArray) -> IntArray:
    """Return the group of each image, int64 (N,): images of one group show one picture; -1 for an image on its own.

    Groups are numbered by their first image. Whatever is linked over others is one group, as the frames of a film are.

    Args:
        names: Names of each image's pixels, from `pixel_names`, (N,).
        small: Output of `small_grey`, (N, T, T).
        labels: Given labels, (N,): what images of different classes have in common is no sign of a duplicate.
    """
    first = {name: row for row, name in reversed(list(enumerate(names)))}
    copy_of = np.array([first[name] for name in names], np.int64)
    kept = np.unique(copy_of)
    near = kept[near_pairs(small[kept], labels[kept])]
    rows = np.arange(len(names))
    return _number(len(names), np.concatenate([np.stack([rows, copy_of], axis=1), near]))


def joined(groups: IntArray, pairs: IntArray) -> IntArray:
    """Return groups with those joined that further pairs link, numbered by their first image, int64 (N,), −1 for none.

    Args:
        groups: Number of each image's group, (N,), −1 for none.
        pairs: Rows that show one picture, (P, 2).

    Example:
        >>> joined(np.array([-1, 0, 0, -1]), np.array([[0, 2]]))
        array([ 0,  0,  0, -1])
    """
    rows = np.flatnonzero(groups >= 0)
    _, first, part = np.unique(groups[rows], return_index=True, return_inverse=True)
    return _number(len(groups), np.concatenate([np.stack([rows, rows[first][part]], axis=1), pairs]))


def near_pairs(small: Pixels, labels: IntArray) -> IntArray:
    """Return pairs of rows that show one picture, int64 (P, 2), though not all pairs of a large group.

    Args:
        small: Output of `small_grey`, no two the same, (N, T, T).
        labels: Given labels, (N,).
    """
    parts = [_details(small[start : start + _PIECE]) for start in range(0, len(small), _PIECE)]
    details, contrast = (np.concatenate(part) for part in zip(*parts, strict=True))
    rows = np.flatnonzero(contrast >= LEAST_CONTRAST)
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = rows[_candidates(small[rows])]
    if not len(pairs):
        return pairs
    alike = np.concatenate(
        [_agreement(details, pairs[start : start + _PIECE]) for start in range(0, len(pairs), _PIECE)]
    )
    return pairs[alike >= _threshold(alike, labels[pairs[:, 0]] != labels[pairs[:, 1]])]


def fingerprints(small: Pixels) -> Floats:
    """Return what shifts hardly change: logarithms of the strengths of the low waves, float32 (N, 40).

    Args:
        small: Output of `small_grey`, (N, T, T).
    """
    found = np.empty((len(small), len(_WAVES)), np.float32)
    down, right = (np.array(part) for part in zip(*_WAVES, strict=True))
    for start in range(0, len(small), _PIECE):
        piece = small[start : start + _PIECE].astype(np.float32)
        waves = np.abs(np.fft.rfft2((piece - piece.mean(axis=(1, 2), keepdims=True)) * _window(SIDE)))
        found[start : start + _PIECE] = np.log1p(waves[:, down, right])
    found -= found.mean(axis=1, keepdims=True)
    return found


def _candidates(small: Pixels) -> IntArray:
    """Return pairs of neighbours by fingerprint, each once, (P, 2)."""
    from scipy.spatial import cKDTree

    prints = fingerprints(small)
    prints -= prints.mean(axis=0)
    spread = prints.T.astype(np.float64) @ prints / len(prints)
    strongest = np.linalg.eigh(spread)[1][:, ::-1][:, :_DIMENSIONS]
    places = (prints @ strongest).astype(np.float32)
    tree = cKDTree(places)
    count = min(NEIGHBOURS + 1, len(small))
    _, near = tree.query(places, k=count, distance_upper_bound=FARTHEST)
    pairs = np.stack([np.repeat(np.arange(len(small)), count), near.reshape(-1)], axis=1)
    pairs = np.unique(np.sort(pairs[(pairs[:, 1] < len(small)) & (pairs[:, 0] != pairs[:, 1])], axis=1), axis=0)
    close = np.linalg.norm(prints[pairs[:, 0]] - prints[pairs[:, 1]], axis=1) <= FARTHEST
    near_ones: IntArray = pairs[close].astype(np.int64)
    return near_ones


def _details(small: Pixels) -> tuple[npt.NDArray[np.float16], Floats]:
    """Return the detail of pictures, at unit length and faded at the border, (B, T, T), and their contrast, (B,)."""
    details, contrast = sharp(small.astype(np.float32), _SMOOTH)
    return details.astype(np.float16), contrast


def sharp(grey: Floats, smooth: float) -> tuple[Floats, Floats]:
    """Return the detail of pictures, at unit length and faded at the border, (B, T, T), and their contrast, (B,).

    Args:
        grey: (B, T, T).
        smooth: Pixels; what is smoother than this is no detail.
    """
    from scipy.ndimage import gaussian_filter1d

    details = grey - gaussian_filter1d(gaussian_filter1d(grey, smooth, axis=1), smooth, axis=2)
    contrast = details.std(axis=(1, 2))
    details *= _window(grey.shape[1])
    length = np.sqrt((details**2).sum(axis=(1, 2), keepdims=True))
    return details / np.maximum(length, 1e-6), contrast


def _window(side: int) -> Floats:
    """Return weights that fade towards the border, (T, T)."""
    fade = np.hanning(side + 2)[1:-1]
    weights: Floats = np.outer(fade, fade).astype(np.float32)
    return weights


def _agreement(details: npt.NDArray[np.float16], pairs: IntArray) -> Floats:
    """Return the largest correlation of each pair over all shifts, (P,)."""
    first, second = (
        np.fft.rfft2(details[pairs[:, part]].astype(np.float32), s=(2 * SIDE, 2 * SIDE)) for part in (0, 1)
    )
    shifted = np.fft.irfft2(first * second.conj(), s=(2 * SIDE, 2 * SIDE))
    near = np.r_[0 : REACH + 1, -REACH:0]
    best: Floats = shifted[:, near][:, :, near].max(axis=(1, 2)).astype(np.float32)
    return best


def _threshold(alike: Floats, apart: npt.NDArray[np.bool_]) -> float:
    """Return the correlation from which a pair counts, given what candidates of different classes have in common."""
    others = alike[apart]
    if len(others) < 20:
        return ALIKE
    middle = float(np.median(others))
    return min(max(middle + SPREADS * float(np.median(np.abs(others - middle))), ALIKE), SURELY)


def _number(count: int, pairs: IntArray) -> IntArray:
    """Return a number for each connected group, by its first row, int64 (N,); -1 for rows in no group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, part = connected_components(links, directed=False)
    _, first, part, size = np.unique(part, return_index=True, return_inverse=True, return_counts=True)
    shared = size > 1
    numbers = np.full(len(size), -1, np.int64)
    numbers[np.flatnonzero(shared)[np.argsort(first[shared])]] = np.arange(shared.sum())
    found: IntArray = numbers[part]
    return found
