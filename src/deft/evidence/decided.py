"""What people's decisions say of how often labels are wrong: by which factor the odds of an error have to change.

Given labels alone can't tell errors from images that a model doubts (`deft.evidence.label_noise.hardness`); whoever
decided about some of them can. Each decision is taken as a draw from the probability that the label is wrong, given
image and label. So it doesn't matter that people were shown the most suspicious ones: that is how they were chosen by
image and label, not by what the decision would be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SPREAD = 0.7  # standard deviation of the factor's logarithm before anybody has decided
FARTHEST, STEPS = math.log(8), 97  # logarithms of the factors that are tried


@dataclass(frozen=True)
class Decided:
    """By how much decisions change the odds of an error.

    Args:
        count: How many decisions there are.
        factor: On the odds of an error.
        spread: Standard deviation of its logarithm, which decisions make smaller.
    """

    count: int = 0
    factor: float = 1.0
    spread: float = SPREAD


def learn_factor(log_odds: Callable[[float], Tensor], was_wrong: Tensor) -> Decided:
    """Return the factor's mean and spread once the decisions are known, by Bayes' rule on a grid of its logarithm.

    Args:
        log_odds: From a factor to the log-odds that each label was right, (N,).
        was_wrong: Whether people found the label wrong, bool (N,).

    Example:
        >>> odds = torch.tensor([2.0, 2.0, 2.0, 2.0])
        >>> learn_factor(lambda factor: odds - torch.tensor(factor).log(), odds > 0).factor > 2
        True
    """
    places = torch.linspace(-FARTHEST, FARTHEST, STEPS, dtype=torch.float64)
    sign = torch.where(was_wrong, -1.0, 1.0)
    likelihood = [float(torch.nn.functional.logsigmoid(sign * log_odds(math.exp(at))).sum()) for at in places.tolist()]
    weights = (torch.tensor(likelihood, dtype=torch.float64) - 0.5 * (places / SPREAD).square()).softmax(dim=0)
    mean = float((weights * places).sum())
    spread = math.sqrt(float((weights * (places - mean).square()).sum()))
    return Decided(len(was_wrong), math.exp(mean), spread)
