"""What people's decisions say of a detector's scores: how likely a label of each score really is to be wrong.

A detector's P(wrong) is taken as right up to a scale that isn't known: the log-odds of an error are a + e^b x, where x
are those that it states. (Platt, "Probabilistic outputs for support vector machines", 1999, fits the same two numbers.)
Both have a normal prior around "as stated", a = b = 0, and every decision is a draw given x: so it doesn't matter that
people were shown the worst first, for that is how they were chosen by x. The posterior is summed over a grid of both
numbers, laid where it lies.

The scores of one class may be off otherwise than those of another, by a number of its own with the standard deviation
`CLASSES`. Decisions I (Fisher's information on a) within one class then tell of all classes no more than
I / (1 + CLASSES² I), so each counts for 1 / (1 + CLASSES² I): whoever has gone through one class alone has learned less
about the others than about itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deft.shown import short_repr

SURE = 1e-6
"""A stated probability counts as no nearer to 0 or 1."""

SLOPE, MOST_SLOPE = 0.4, 0.5
"""Prior standard deviation of b for each unit of that of a, and its largest."""

CLASSES = 0.5
"""Standard deviation by which a differs from class to class."""

SIDE, REACH = 25, 4.5  # nodes of the grid along each axis, and how far it reaches, in standard deviations
ROUNDS, STILL, SMALLEST = 50, 1e-8, 1e-9
DIGITS = 1  # of log-odds, up to which they count as the same
FAR = 9.0  # standard deviations from its mean at which a Poisson distribution is cut off


def expit(log_odds: np.ndarray) -> np.ndarray:
    """Return probabilities by their log-odds, in NumPy: a review page loads no SciPy.

    Args:
        log_odds: Any shape.
    """
    probabilities: np.ndarray = np.exp(-np.logaddexp(0, -log_odds))
    return probabilities


def stated(p_clean: np.ndarray) -> np.ndarray:
    """Return the log-odds that labels are wrong, as the detector states them, float64 (N,).

    Args:
        p_clean: Its probability that each label is right, (N,).
    """
    sure = np.clip(p_clean.astype(np.float64), SURE, 1 - SURE)
    log_odds: np.ndarray = np.log1p(-sure) - np.log(sure)
    return log_odds


def rounded(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds that occur, to `DIGITS`, rising, (m,), and how often each does, int64 (m,).

    Args:
        log_odds: Finite, (N,).
    """
    places = np.round(log_odds * 10**DIGITS).astype(np.int64)
    first = int(places.min(initial=0))
    copies = np.bincount(places - first)  # several times faster than to sort them
    occur = np.flatnonzero(copies)
    return (occur + first) / 10**DIGITS, copies[occur]


@dataclass(frozen=True, repr=False)
class Recalibration:
    """What is known of a and b: points with weights.

    Args:
        shift: a of each point, (G,).
        slope: e^b of each point, (G,).
        weights: Posterior probability of each, (G,), summing to one.

    Example:
        >>> log_odds, was_wrong = np.array([2.0, 2.0, 1.0]), np.array([True, True, True])
        >>> found = Recalibration.learn(log_odds, was_wrong, np.zeros(3, int), spread=1.0)
        >>> bool(found.chances(np.array([0.0]))[0] > 0.5)
        True
    """

    shift: np.ndarray
    slope: np.ndarray
    weights: np.ndarray

    __repr__ = short_repr

    @classmethod
    def learn(cls, log_odds: np.ndarray, was_wrong: np.ndarray, classes: np.ndarray, *, spread: float) -> Recalibration:
        """Return what decisions say.

        Args:
            log_odds: Of the labels that people decided about, as stated (`stated`), (n,).
            was_wrong: Whether they found them wrong, bool (n,).
            classes: Number of the class of each label, from 0, (n,).
            spread: Prior standard deviation of a, in log-odds; that of b is `SLOPE` times as large.
        """
        said = _Said.of(log_odds, was_wrong, classes, np.array([spread, min(SLOPE * spread, MOST_SLOPE)]))
        mode, covariance = said.mode()
        axis = np.linspace(-REACH, REACH, SIDE)
        white = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        points = mode + white @ np.linalg.cholesky(covariance).T
        height = said.log_posterior(points)
        weights = np.exp(height - height.max())
        shift, slope = said.read(points)
        return cls(shift[:, 0], slope[:, 0], weights / weights.sum())

    def chances(self, log_odds: np.ndarray) -> np.ndarray:
        """Return the probability that each label is wrong, (N,).

        Args:
            log_odds: As stated, (N,).
        """
        chances: np.ndarray = self.weights @ expit(self.shift[:, None] + self.slope[:, None] * log_odds)
        return chances

    def quantiles(self, log_odds: np.ndarray, shares: tuple[float, ...]) -> tuple[int, ...]:
        """Return quantiles of how many labels are wrong.

        At each point it is a sum of independent draws, taken as a Poisson distribution moved to have their mean and
        variance (Röllin, "Translated Poisson approximation using exchangeable pair couplings", 2007); all are mixed.

        Args:
            log_odds: As stated, (N,).
            shares: Of the quantiles, 0..1.
        """
        values, copies = rounded(log_odds)
        chance = expit(self.shift[:, None] + self.slope[:, None] * values)
        mean, variance = chance @ copies, (chance * (1 - chance)) @ copies
        moved = np.floor(mean - variance)
        reached = np.cumsum(_poissons(mean - moved, moved.astype(np.int64), self.weights))
        return tuple(min(int(np.searchsorted(reached, share)), len(log_odds)) for share in shares)


def _poissons(means: np.ndarray, moved: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the probabilities of the counts 0, 1, ... under a mixture of Poisson distributions, each moved.

    Args:
        means: Of each, (G,).
        moved: By how much each is moved, int64 (G,).
        weights: Of each in the mixture, (G,).
    """
    means = np.maximum(means, 1e-12)
    centre, width = np.floor(means), np.ceil(FAR * np.sqrt(means) + FAR)
    first, end = np.maximum(centre - width, 0).astype(np.int64), (centre + width).astype(np.int64)
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, end.max())))])
    found = np.zeros((end + moved).max())
    for mean, low, high, move, weight in zip(means, first, end, moved, weights, strict=True):
        logs = np.arange(low, high) * math.log(mean) - mean - log_factorials[low:high]
        found[low + move : high + move] += weight * np.exp(logs)
    return found


@dataclass(frozen=True)
class _Said:
    """Decisions that are told apart by their log-odds and by what was said.

    Args:
        values: Log-odds, (m,).
        wrong: How much was said to be wrong there, (m,).
        right: And right, (m,).
        scale: Prior standard deviations of a and b, (2,).
    """

    values: np.ndarray
    wrong: np.ndarray
    right: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, log_odds: np.ndarray, was_wrong: np.ndarray, classes: np.ndarray, scale: np.ndarray) -> _Said:
        chance = expit(log_odds)
        told = np.bincount(classes, weights=chance * (1 - chance), minlength=1)
        worth = 1 / (1 + CLASSES**2 * told[classes])
        values, place = np.unique(np.round(log_odds, DIGITS), return_inverse=True)
        wrong, right = (
            np.bincount(place, weights=worth * some, minlength=len(values)) for some in (was_wrong, ~was_wrong)
        )
        return cls(values, wrong, right, scale)

    def read(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a and e^b, (G, 1) each, of points in prior standard deviations, (G, 2)."""
        return self.scale[0] * points[:, :1], np.exp(self.scale[1] * points[:, 1:])

    def log_posterior(self, points: np.ndarray) -> np.ndarray:
        """Return the log-density of points (G, 2) up to a constant, (G,)."""
        shift, slope = self.read(points)
        log_odds = shift + slope * self.values
        fit = np.logaddexp(0, -log_odds) @ self.wrong + np.logaddexp(0, log_odds) @ self.right
        height: np.ndarray = -fit - 0.5 * np.square(points).sum(axis=1)
        return height

    def mode(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the point of the greatest density, (2,), and the covariance there, (2, 2), by Fisher scoring."""
        place, covariance, count = np.zeros(2), np.eye(2), self.wrong + self.right
        for _ in range(ROUNDS):
            shift, slope = (float(part[0, 0]) for part in self.read(place[None]))
            chance = expit(shift + slope * self.values)
            change = np.stack([np.full(len(self.values), self.scale[0]), self.scale[1] * slope * self.values])
            covariance = np.linalg.inv((change * count * chance * (1 - chance)) @ change.T + np.eye(2))
            step = covariance @ (change @ (self.wrong - count * chance) - place)
            before, size = self.log_posterior(place[None])[0], 1.0
            while size > SMALLEST and self.log_posterior((place + size * step)[None])[0] < before:
                size /= 2
            place = place + size * step
            if math.sqrt(float(step @ step)) * size < STILL:
                break
        return place, covariance
