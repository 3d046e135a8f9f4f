"""Wrong labels made on purpose, so that a detector can be scored against a truth that is known.

Every function takes the true labels and a seed and returns new labels; nothing is drawn from a global
generator. Exactly round(rate * n) labels are changed, n being the labels that could be. Labels below zero
belong to images that can't be read and are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from deft.errors import DataError, SettingsError

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def symmetric(labels: npt.ArrayLike, rate: float, *, num_classes: int, seed: int, include_self: bool = False) -> Labels:
    """Replace a share of the labels by classes drawn uniformly.

    Source: the usual symmetric noise; `include_self` is the variant of DeFT's and DivideMix's code, whose
    real rate is only rate * (1 - 1 / num_classes).

    Args:
        labels: True classes, (N,) integers.
        rate: Share of the labels to replace, 0..1.
        num_classes: Number of classes C.
        seed: Decides which labels change and to what.
        include_self: Draw from all C classes, so that a replaced label may be right again.

    Returns:
        The labels with the noise in them, (N,) int64.

    Raises:
        SettingsError: The rate isn't in 0..1 or there are fewer than two classes.
        DataError: The labels aren't one row of classes below `num_classes`.
    """
    given = _checked(labels, rate, num_classes)
    rng = np.random.default_rng(seed)
    chosen = _choose(np.flatnonzero(given >= 0), rate, rng)
    shift = rng.integers(0 if include_self else 1, num_classes, size=len(chosen))
    given[chosen] = (given[chosen] + shift) % num_classes
    return given


def pair_flip(labels: npt.ArrayLike, rate: float, *, num_classes: int, seed: int) -> Labels:
    """Turn a share of the labels into the next class, the last class into the first.

    Source: Han et al., "Co-teaching", NeurIPS 2018.

    Args:
        labels: True classes, (N,) integers.
        rate: Share of the labels to change, 0..1.
        num_classes: Number of classes.
        seed: Decides which labels change.

    Returns:
        The labels with the noise in them, (N,) int64.

    Raises:
        SettingsError: The rate isn't in 0..1 or there are fewer than two classes.
        DataError: The labels aren't one row of classes below `num_classes`.
    """
    given = _checked(labels, rate, num_classes)
    chosen = _choose(np.flatnonzero(given >= 0), rate, np.random.default_rng(seed))
    given[chosen] = (given[chosen] + 1) % num_classes
    return given


def asymmetric(
    labels: npt.ArrayLike, rate: float, *, class_map: Mapping[int, int], num_classes: int, seed: int
) -> Labels:
    """Turn a share of the labels of some classes into the class that each is easily taken for.

    Source: Patrini et al., "Making deep neural networks robust to label noise", CVPR 2017.

    Args:
        labels: True classes, (N,) integers.
        rate: Share to change of the labels whose class is a key of the map, 0..1. The other classes stay as
            they are, so the rate over all labels is lower unless the map names every class.
        class_map: Wrong class for each class that gets noise.
        num_classes: Number of classes.
        seed: Decides which labels change.

    Returns:
        The labels with the noise in them, (N,) int64.

    Raises:
        SettingsError: The rate isn't in 0..1, there are fewer than two classes, or the map is empty, names a
            class that doesn't exist or sends a class to itself.
        DataError: The labels aren't one row of classes below `num_classes`.
    """
    given = _checked(labels, rate, num_classes)
    target = np.arange(num_classes)
    if not class_map:
        raise SettingsError("Asymmetric noise needs a map with at least one pair of classes.")
    for source, wrong in class_map.items():
        if not (0 <= source < num_classes and 0 <= wrong < num_classes):
            raise SettingsError(f"The class map sends {source} to {wrong}, but the classes are 0 to {num_classes - 1}.")
        if source == wrong:
            raise SettingsError(f"The class map sends class {source} to itself, which makes no label wrong.")
        target[source] = wrong
    mapped = np.flatnonzero((given >= 0) & (target != np.arange(num_classes))[given])
    chosen = _choose(mapped, rate, np.random.default_rng(seed))
    given[chosen] = target[given[chosen]]
    return given


def instance_dependent(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    rate: float,
    *,
    num_classes: int,
    seed: int,
    std: float = 0.1,
    scale: Literal["standardised", "raw"] = "standardised",
) -> Labels:
    """Return labels that are wrong where their image's own features speak against them.

    Source: Xia et al., "Part-dependent label noise", NeurIPS 2020, algorithm 2: each image's flip rate comes
    from a normal distribution around `rate` cut to 0..1, its wrong class from a softmax of its features
    projected by a random matrix of its true class.

    "raw" is what the public codes of that paper and of DeFT do with pixels of 0..255: the projections are so large
    that the softmax names one class with near certainty, and mostly the same one for all images of a class, since
    the mean picture outweighs the rest. On 10 000 photos of CIFAR-10 at a rate of 0.4, the largest wrong class has
    0.64 of a class's wrong labels and their entropy is 0.87 nats; "standardised", the default here, has
    0.18 and 2.15 (`python -m benchmarks.instance_noise`), so that the photo decides and not the class. The
    paper's tables are made with "raw".

    Args:
        features: What the noise depends on (pixels or embeddings), (N, D).
        labels: True classes, (N,) integers.
        rate: Share of the labels to change, 0..1; the images' own flip rates weigh the choice.
        num_classes: Number of classes.
        seed: Decides the projections, which labels change and to what.
        std: Spread of the images' flip rates.
        scale: "standardised" gives every feature mean 0 and variance 1, and the projections variance 1; "raw"
            projects the features as they are.

    Returns:
        The labels with the noise in them, (N,) int64.

    Raises:
        SettingsError: The rate isn't in 0..1, there are fewer than two classes, `std` isn't positive, or the scale
            isn't known.
        DataError: The labels aren't one row of classes below `num_classes`, or the features don't fit them.
    """
    given = _checked(labels, rate, num_classes)
    if not (std > 0 and np.isfinite(std)):
        raise SettingsError(f"The spread of the flip rates must be a positive number, not {std}.")
    if scale not in ("standardised", "raw"):
        raise SettingsError(f"Features are 'standardised' or 'raw', not {scale!r}.")
    rows = np.flatnonzero(given >= 0)
    seen = _features(features, given, rows)
    if scale == "standardised":
        seen = _standardised(seen) / np.sqrt(max(1, seen.shape[1]))
    rng = np.random.default_rng(seed)
    flip_rates = _truncated_normal(rate, std, len(rows), rng)
    picked = np.sort(_weighted_choice(flip_rates, _count(rate, len(rows)), rng))
    chosen, seen = rows[picked], seen[picked]
    wrong = given.copy()
    for label in range(num_classes):
        projection = rng.standard_normal((seen.shape[1], num_classes))
        of_class = given[chosen] == label
        scores = seen[of_class] @ projection
        scores[:, label] = -np.inf
        wrong[chosen[of_class]] = _draw_from_softmax(scores, rng)
    return wrong


def _checked(labels: npt.ArrayLike, rate: float, num_classes: int) -> Labels:
    """Return the labels as a new int64 array, or say what is wrong with them or with the settings."""
    if not 0.0 <= rate <= 1.0:
        raise SettingsError(f"The noise rate must lie in 0..1, not {rate}.")
    if num_classes < 2:
        raise SettingsError(f"Wrong labels need at least two classes, not {num_classes}.")
    given = np.asarray(labels)
    if given.ndim != 1 or not (given.size == 0 or np.issubdtype(given.dtype, np.integer)):
        raise DataError(
            f"Labels must be one row of integers, not an array of shape {given.shape} and type {given.dtype}."
        )
    if given.size and given.max() >= num_classes:
        raise DataError(f"Label {given.max()} does not fit {num_classes} classes, 0 to {num_classes - 1}.")
    return given.astype(np.int64, copy=True)


def _count(rate: float, total: int) -> int:
    return round(rate * total)


def _choose(candidates: npt.NDArray[np.intp], rate: float, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw a share of the rows, each equally likely, in increasing order."""
    return np.sort(rng.choice(candidates, size=_count(rate, len(candidates)), replace=False))


def _weighted_choice(weights: Floats, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw `count` rows without replacement, by weight (Efraimidis and Spirakis, 2006)."""
    waiting = rng.standard_exponential(len(weights)) / np.maximum(weights, 1e-12)
    return np.argsort(waiting, kind="stable")[:count]


def _truncated_normal(mean: float, std: float, size: int, rng: np.random.Generator) -> Floats:
    """Draw from a normal distribution cut to 0..1, by inverting its distribution function."""
    low, high = ndtr((0.0 - mean) / std), ndtr((1.0 - mean) / std)
    drawn: Floats = mean + std * ndtri(low + (high - low) * rng.random(size))
    return np.clip(drawn, 0.0, 1.0)


def _features(features: npt.ArrayLike, labels: Labels, rows: npt.NDArray[np.intp]) -> Floats:
    """Return the features of the rows, flattened, (n, D)."""
    given = np.asarray(features)
    if given.ndim < 2 or len(given) != len(labels):
        raise DataError(
            f"Features need one row for each of the {len(labels)} labels; these have the shape {given.shape}."
        )
    kept = given[rows].astype(np.float64).reshape(len(rows), int(np.prod(given.shape[1:])))
    if not np.isfinite(kept).all():
        raise DataError("Features must be finite numbers; some of them are not.")
    return kept


def _standardised(features: Floats) -> Floats:
    """Return features whose columns have mean zero and variance one, or are all zero."""
    if not len(features):
        return features
    spread = features.std(axis=0)
    standardised: Floats = (features - features.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    return standardised


def _draw_from_softmax(scores: Floats, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw one column of each row with probability softmax(scores), by the Gumbel trick."""
    return np.asarray(np.argmax(scores + rng.gumbel(size=scores.shape), axis=1))
