"""From per-sample losses to the samples that are probably clean: mixtures, small losses, class quotas."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from deft.errors import DataError, SettingsError

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture  # whose import takes a second, for mixtures alone

Floats = npt.NDArray[np.float64]
OUTLIER_QUANTILE = 0.995


def forget_rate(rate: float, epoch: int, warmup: int) -> float:
    """Return the share R of a batch that is left out in an epoch.

    It rises in equal steps from 0 in the first epoch to the noise rate in the last one of the warm-up, and stays.

    Source: Han et al., "Co-teaching", NeurIPS 2018, as DeFT's code has it, `linspace(0, r, warm-up)`; the authors'
    own loop begins at its second value.

    Args:
        rate: Noise rate r.
        epoch: Counted from 0.
        warmup: Epochs of the warm-up.

    Example:
        >>> [round(forget_rate(0.4, epoch, 5), 3) for epoch in range(6)]
        [0.0, 0.1, 0.2, 0.3, 0.4, 0.4]
        >>> [forget_rate(0.4, epoch, 1) for epoch in range(3)]
        [0.0, 0.4, 0.4]
    """
    return rate * min(epoch / max(warmup - 1, 1), 1.0)


def two_component_posterior(
    losses: npt.ArrayLike,
    *,
    seed: int,
    labels: npt.ArrayLike | None = None,
    max_iter: int = 10,
    tol: float = 1e-2,
    reg_covar: float = 5e-4,
) -> Floats:
    """Return the probability that each sample is clean, from a mixture of two Gaussians over the losses.

    Source: Li et al., "DivideMix", ICLR 2020, whose settings are the defaults. Beyond it: the largest 0.5 %
    count as equally large, so that one outlier doesn't set the scale; the probability never rises with the
    loss; losses that are all the same are all clean.

    Args:
        losses: One loss per sample, (N,); NaN where there is none. For scores that are high where a label is
            right, give their negatives.
        seed: Seed of the k-means start.
        labels: Classes, (N,) integers, to fit one mixture per class; one mixture for all if None.
        max_iter: Most rounds of expectation maximisation.
        tol: Gain of the likelihood below which it stops.
        reg_covar: Added to each component's variance, in units of the range of the losses.

    Returns:
        P(clean), (N,) in 0..1, NaN where the loss is.

    Raises:
        DataError: The losses or labels aren't one value per sample.
    """
    from sklearn.mixture import GaussianMixture

    values = _losses(losses)
    groups = np.zeros(len(values), dtype=np.int64) if labels is None else np.asarray(labels)
    if groups.shape != values.shape:
        raise DataError(f"There are {len(values)} losses, but the labels have the shape {groups.shape}.")
    posterior = np.full(len(values), np.nan)
    known = ~np.isnan(values)
    for group in np.unique(groups[known]):
        rows = np.flatnonzero(known & (groups == group))
        mixture = GaussianMixture(2, max_iter=max_iter, tol=tol, reg_covar=reg_covar, random_state=seed)
        posterior[rows] = _posterior(_unit_range(values[rows]), mixture)
    return posterior


def estimate_noise_rate(losses: npt.ArrayLike, *, seed: int) -> float:
    """Return the share of wrong labels, estimated from a two-component mixture over the losses.

    The mixture finds two groups whether or not there are two, so on clean data the estimate is too high.

    Args:
        losses: One loss per sample, (N,); NaN where there is none.
        seed: Seed of the mixture.

    Returns:
        The mean probability of being wrong, 0..1; zero for no loss or for losses that are all the same.

    Raises:
        DataError: The losses aren't one value per sample.
    """
    posterior = two_component_posterior(losses, seed=seed)
    known = posterior[~np.isnan(posterior)]
    return float(1.0 - known.mean()) if len(known) else 0.0


def small_loss_mask(losses: npt.ArrayLike, keep_fraction: float) -> npt.NDArray[np.bool_]:
    """Choose the samples with the smallest losses.

    Source: Han et al., "Co-teaching", NeurIPS 2018.

    Args:
        losses: One loss per sample, (N,); NaN, which is never chosen, where there is none.
        keep_fraction: Share of the losses to choose, 0..1.

    Returns:
        Whether each sample is chosen, (N,) bool; of equal losses the earlier come first.

    Raises:
        SettingsError: The share isn't in 0..1.
        DataError: The losses aren't one value per sample.
    """
    if not 0.0 <= keep_fraction <= 1.0:
        raise SettingsError(f"The share to keep must lie in 0..1, not {keep_fraction}.")
    values = _losses(losses)
    kept = round(keep_fraction * int((~np.isnan(values)).sum()))
    mask = np.zeros(len(values), dtype=np.bool_)
    mask[np.argsort(values, kind="stable")[:kept]] = True  # NaN sorts last
    return mask


def border(losses: npt.ArrayLike, kept: npt.ArrayLike) -> float:
    """Return a loss halfway between the largest that is kept and the smallest that is not.

    Args:
        losses: One loss per sample, (N,), none NaN.
        kept: Whether it is kept, bool (N,).

    Example:
        >>> border([0.1, 0.5, 0.9], [True, True, False])
        0.7
    """
    values, chosen = np.asarray(losses), np.asarray(kept, np.bool_)
    largest = values[chosen].max() if chosen.any() else values.min() - 1.0
    smallest = values[~chosen].min() if (~chosen).any() else values.max() + 1.0
    return float((largest + smallest) / 2)


def class_quota_mask(losses: npt.ArrayLike, labels: npt.ArrayLike, quota: int | npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Choose the samples of each class with the smallest losses, the same number everywhere or a number for each.

    A class with fewer samples gives all it has, and none of them twice. Random numbers in place of the losses draw
    at random. Source: the class-balanced choices of UNICON (Karim et al., CVPR 2022), ProMix (Xiao et al., IJCAI
    2023) and TURN (Ahn et al., IJCAI 2024).

    Args:
        losses: One loss per sample, (N,); NaN, which is never chosen, where there is none.
        labels: Classes, (N,) integers.
        quota: Samples to choose per class: one number, or one for each class, (K,).

    Returns:
        Whether each sample is chosen, (N,) bool; of equal losses the earlier come first.

    Raises:
        DataError: Losses and labels aren't one value per sample.

    Example:
        >>> class_quota_mask([0.3, 0.1, 0.2, 0.9], [0, 0, 0, 1], 2)
        array([False,  True,  True,  True])
    """
    values, classes = _losses(losses), np.asarray(labels)
    if classes.shape != values.shape:
        raise DataError(f"There are {len(values)} losses, but the labels have the shape {classes.shape}.")
    order = np.lexsort((values, classes))  # by class, then by loss; NaN sorts last
    order = order[~np.isnan(values[order])]
    ranked, wanted = classes[order], np.asarray(quota)
    rank = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    mask = np.zeros(len(values), dtype=np.bool_)
    mask[order[rank < (wanted[ranked] if wanted.ndim else wanted)]] = True
    return mask


def unit_range(losses: npt.ArrayLike) -> Floats:
    """Return losses scaled to 0..1 as the mixture does it, so that those of several epochs can be averaged.

    Args:
        losses: One loss per sample, (N,); NaN where there is none.

    Returns:
        (N,), NaN where the loss is.

    Raises:
        DataError: The losses aren't one value per sample.
    """
    values = _losses(losses).copy()
    known = ~np.isnan(values)
    values[known] = _unit_range(values[known])
    return values


def _losses(losses: npt.ArrayLike) -> Floats:
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"Losses must be one value per sample, not an array of shape {values.shape}.")
    return values


def _unit_range(values: Floats) -> Floats:
    """Return losses scaled to 0..1 after the largest few are made equal; all zero if they don't differ."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros_like(values)
    values = np.clip(values, finite.min(), finite.max())
    top = np.quantile(values, OUTLIER_QUANTILE, method="lower")
    if top > values.min():
        values = np.minimum(values, top)
    low, high = values.min(), values.max()
    if high == low:
        return np.zeros_like(values)
    scaled: Floats = values / (high - low) - low / (high - low)
    return np.clip(scaled, 0.0, 1.0)


def _posterior(scaled: Floats, mixture: GaussianMixture) -> Floats:
    """Return the posterior of the component with the smaller mean, made to fall with the loss."""
    from sklearn.exceptions import ConvergenceWarning

    if len(np.unique(scaled)) < 2:
        return np.ones_like(scaled)
    column = scaled[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten rounds are the method, not a failure
        mixture.fit(column)
    small, large = np.argsort(mixture.means_[:, 0])
    posterior: Floats = mixture.predict_proba(column)[:, small].astype(np.float64)
    posterior[scaled <= mixture.means_[small, 0]] = 1.0
    posterior[scaled >= mixture.means_[large, 0]] = 0.0
    return posterior
