"""Images of none of the classes: unusual to look at, and labelled as if at random.

Shapes: N images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

START_SHARE, START_PLACE = 0.05, 0.95  # where the search begins; the second is a quantile of the unusualness
ROUNDS, STILL = 200, 1e-6
LEAST_WIDTH = 0.2  # of the foreign images' unusualness, in standard deviations of all
WORTH = 10.0  # nats of likelihood that they have to explain, in all, before any is held for foreign


@dataclass(frozen=True)
class Foreign:
    """How many images belong to no class, and how unusual they look.

    Args:
        share: Share of foreign images, 0..1; 0 where the data show none.
        known: Mean and standard deviation of the unusualness of images of the classes.
        odd: The same of foreign images.
        classes: Number of classes K: a foreign image bears each label equally often.

    Example:
        >>> Foreign.none(10).probability(torch.tensor([3.0]), torch.tensor([-2.0]))
        tensor([0.])
    """

    share: float
    known: tuple[float, float]
    odd: tuple[float, float]
    classes: int

    @classmethod
    def none(cls, classes: int) -> Foreign:
        """Return that no image is foreign."""
        return cls(0.0, (0.0, 1.0), (0.0, 1.0), classes)

    @classmethod
    def learn(cls, unusual: Tensor, log_likelihoods: Tensor, classes: int) -> Foreign:
        """Return the share that makes images and labels most likely, by expectation maximisation.

        Two kinds of images are told apart by how unusual they look (two Gaussians) and by how well their label fits
        (as the classes foretell it, or by chance). An unusual image of a class has a label that fits, so it is not
        taken for a foreign one, and where nothing is foreign the share goes to nought.

        Args:
            unusual: How unusual each image looks, (N,).
            log_likelihoods: log P(given label | image) if it belongs to a class, (N,).
            classes: Number of classes K.
        """
        spread = float(unusual.std()) if len(unusual) > 1 else 0.0
        if not math.isfinite(spread) or spread <= 0:
            return cls.none(classes)
        place = (float(unusual.mean()), spread)
        found = cls(START_SHARE, place, (float(unusual.quantile(START_PLACE)), spread), classes)
        alone = float((log_likelihoods + _log_normal(unusual, place)).sum())
        for _ in range(ROUNDS):
            odd = found.probability(unusual, log_likelihoods)
            before, share = found.share, float(odd.mean())
            if share < 1 / len(unusual) / 2:
                return cls.none(classes)
            far = _moments(unusual, odd, LEAST_WIDTH * spread)
            found = cls(min(share, 0.5), _moments(unusual, 1 - odd, 1e-3 * spread), far, classes)
            if found.odd[0] <= found.known[0]:
                return cls.none(classes)
            if abs(found.share - before) < STILL:
                break
        together = torch.logaddexp(*found._parts(unusual, log_likelihoods))
        worth = float(together.sum()) - alone > WORTH
        return found if worth and found._labelled_at_random(unusual, log_likelihoods) else cls.none(classes)

    def probability(self, unusual: Tensor, log_likelihoods: Tensor) -> Tensor:
        """Return the probability that an image belongs to none of the classes, its label known, (N,).

        Args:
            unusual: How unusual each image looks, (N,).
            log_likelihoods: log P(given label | image) if it belongs to a class, (N,).
        """
        if self.share <= 0:
            return torch.zeros_like(unusual)
        known, odd = self._parts(unusual, log_likelihoods)
        return (odd - known).sigmoid()

    def _labelled_at_random(self, unusual: Tensor, log_likelihoods: Tensor) -> bool:
        """Return whether labels of images that look foreign hardly fit better than chance; a long tail's do."""
        chances = log_likelihoods.exp()
        known, odd = self._parts(unusual, torch.zeros_like(unusual))
        looks = (odd + math.log(self.classes) - known).sigmoid()
        fit = float((looks * chances).sum() / looks.sum().clamp(min=1e-9))
        return fit < (1 / self.classes + float(chances.mean())) / 2

    def _parts(self, unusual: Tensor, log_likelihoods: Tensor) -> tuple[Tensor, Tensor]:
        known = math.log1p(-self.share) + log_likelihoods + _log_normal(unusual, self.known)
        odd = math.log(self.share) - math.log(self.classes) + _log_normal(unusual, self.odd)
        return known, odd


def _log_normal(values: Tensor, place: tuple[float, float]) -> Tensor:
    mean, spread = place
    return -0.5 * ((values - mean) / spread).square() - math.log(spread)


def _moments(values: Tensor, weights: Tensor, least: float) -> tuple[float, float]:
    total = float(weights.sum().clamp(min=1e-9))
    mean = float((weights * values).sum()) / total
    return mean, max(math.sqrt(float((weights * (values - mean).square()).sum()) / total), least)
