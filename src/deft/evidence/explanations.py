"""Explanations of the given labels: how much each expert counts and how labels go wrong, each with its chance.

Shapes: M explanations, E experts, N images, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from deft.evidence.experts import mixed
from deft.evidence.label_noise import LabelNoise


@dataclass(frozen=True)
class Explanation:
    """Weights of the experts and noise of the labels, and how probable it is that labels came about so.

    Args:
        chance: 0..1; those of all explanations sum to one.
        weights: One for each expert, (E,).
        noise: How labels go wrong.
    """

    chance: float
    weights: Tensor
    noise: LabelNoise


class Belief(NamedTuple):
    """What is believed of each image.

    Args:
        log_probs: log P(class | image) with the given label left aside, (N, K).
        joint: log P(class, given label | image), (N, K).
    """

    log_probs: Tensor
    joint: Tensor


@dataclass(frozen=True)
class Explanations:
    """All that may explain the given labels, the most probable first.

    Few labels don't tell mistakes that fall anywhere from those that name one other class each. What follows from them
    is then the mean over both, by their chances (Bayesian model averaging; Hoeting et al., Statistical Science 1999).

    Args:
        each: The explanations, at least one.

    Example:
        >>> even = Explanation(1.0, torch.ones(1), LabelNoise.even(3, 0.2))
        >>> Explanations((even,)).believe([torch.zeros(1, 3)], torch.tensor([0])).joint.exp()
        tensor([[0.2667, 0.0333, 0.0333]])
    """

    each: tuple[Explanation, ...]

    @classmethod
    def only(cls, weights: Tensor, noise: LabelNoise) -> Explanations:
        """Return that one explanation is certain."""
        return cls((Explanation(1.0, weights, noise),))

    @property
    def best(self) -> Explanation:
        """The most probable one."""
        return self.each[0]

    @property
    def weights(self) -> Tensor:
        """Mean weights, (E,)."""
        return torch.stack([one.chance * one.weights for one in self.each]).sum(dim=0)

    @property
    def rate(self) -> float:
        """Mean noise rate over explanations and classes."""
        return sum(one.chance * float(one.noise.rates.mean()) for one in self.each)

    def harder(self, factor: float) -> Explanations:
        """Return the same with the odds of every error multiplied by a factor."""
        return Explanations(tuple(replace(one, noise=one.noise.harder(factor)) for one in self.each))

    def believe(self, experts: Sequence[Tensor], labels: Tensor) -> Belief:
        """Return what is believed of each image with its label left aside, and with it.

        What the label says of the class is the mean of what it says under each explanation.

        Args:
            experts: Log-probabilities of each image, (N, K) each.
            labels: Given labels, (N,).
        """
        probs = [mixed(experts, one.weights) for one in self.each]
        joints = [prob + one.noise.log_chances(labels) for prob, one in zip(probs, self.each, strict=True)]
        if len(joints) == 1:
            return Belief(probs[0], joints[0])
        seen = [joint.logsumexp(dim=1, keepdim=True) for joint in joints]
        chances = self._chances()
        given = _mean([joint - likelihood for joint, likelihood in zip(joints, seen, strict=True)], chances)
        return Belief(_mean(probs, chances), given + _mean(seen, chances))

    def tensors(self) -> dict[str, Tensor]:
        """Return all of it as named tensors, for a file."""
        kept = {
            "chances": self._chances(),
            "weights": torch.stack([one.weights for one in self.each]),
            "rates": torch.stack([one.noise.rates for one in self.each]),
        }
        places = {f"places.{at}": one.noise.places for at, one in enumerate(self.each)}
        return kept | {name: places_of for name, places_of in places.items() if places_of is not None}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Explanations:
        """Return what `tensors` gave.

        Args:
            tensors: Named tensors of a file.

        Raises:
            KeyError: A tensor is missing.
            ValueError: They don't fit each other, or there are none.
        """
        parts = zip(tensors["chances"].tolist(), tensors["weights"], tensors["rates"], strict=True)
        each = tuple(
            Explanation(chance, weights, LabelNoise(rates, tensors.get(f"places.{at}")))
            for at, (chance, weights, rates) in enumerate(parts)
        )
        if not each:
            raise ValueError("there is no explanation of the labels")
        return cls(each)

    def _chances(self) -> Tensor:
        return torch.tensor([one.chance for one in self.each])


def _mean(logs: Sequence[Tensor], chances: Tensor) -> Tensor:
    """Return the logarithm of a weighted mean."""
    return torch.stack([log + chance for log, chance in zip(logs, chances.log(), strict=True)]).logsumexp(dim=0)
