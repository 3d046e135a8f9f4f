"""Experts on which class an image shows, and how much each counts under noise that is the same for all classes.

Shapes: E experts, N images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deft.evidence.label_noise import PSEUDO_IMAGES, PSEUDO_WRONG, LabelNoise, log_likelihoods

START_WEIGHT = 0.4  # of all experts together
USUAL, SPREAD = 0.3, 1.5  # median of a weight before any label is seen, and standard deviation of its logarithm
LEAST_WEIGHT = 1e-4  # in place of nought
FARTHEST = 20.0  # that a logarithm goes from 0: where more weight hardly helps, a line search would overflow


def mixed(experts: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Return log P(class | image), the experts' product of powers (Hinton 2002), (N, K).

    Args:
        experts: Log-probabilities up to a constant of each image, (N, K) each.
        weights: One for each, (E,).
    """
    alike = weights[:, None].expand(-1, len(experts[0]))  # gradients are sums of rows first: `deft.one_thread`
    total = experts[0] * alike[0][:, None]
    for expert, weight in zip(experts[1:], alike[1:], strict=True):
        total = total + weight[:, None] * expert
    return total.log_softmax(dim=1)


@dataclass(frozen=True)
class Told:
    """What weighed experts say of the given labels.

    Args:
        likelihood: Mean log-likelihood of a label, a scalar.
        slopes: Its derivatives by the logarithms of the weights, (E,).
        probs: P(class | image), (N, K).
        seen: P(given label | image), (N, 1).
    """

    likelihood: Tensor
    slopes: Tensor
    probs: Tensor
    seen: Tensor


def tell(experts: Sequence[Tensor], logs: Tensor, chances: Tensor) -> Told:
    """Return what weighed experts say of the given labels, with derivatives: P(class | image, label) less `probs`.

    They are written out, for the search asks for them a thousand times, and automatic differentiation takes longer.

    Args:
        experts: Log-probabilities up to a constant of each image, (N, K) each.
        logs: Logarithms of the weights, (E,).
        chances: P(given label | true class) of every true class, (N, K).
    """
    weights = logs.exp()
    total = experts[0] * weights[0]
    for expert, weight in zip(experts[1:], weights[1:].tolist(), strict=True):
        total.add_(expert, alpha=weight)
    probs = total.softmax(dim=1)
    seen = (probs * chances).sum(dim=1, keepdim=True).clamp(min=1e-30)
    pull = (chances / seen - 1).mul_(probs)
    slopes = torch.stack([(expert * pull).sum(dim=1).mean() for expert in experts])  # rows first: `deft.one_thread`
    return Told(seen.log().mean(), weights * slopes, probs, seen)


def evenly(experts: Sequence[Tensor], labels: Tensor, start: Tensor | None = None) -> tuple[Tensor, LabelNoise]:
    """Return weights, (E,), and noise of one common rate, those most likely once the labels are seen.

    Args:
        experts: Log-probabilities of each image, (N, K) each.
        labels: Given labels, (N,).
        start: Weights that the search sets out from, (E,).
    """
    count, classes, own = len(experts), experts[0].shape[1], labels[:, None]
    weights = torch.full((count,), START_WEIGHT / count) if start is None else start
    point = torch.cat([weights.log(), torch.tensor([-1.4])])  # the last is the log-odds of the rate

    def surprise(point: Tensor) -> tuple[Tensor, Tensor]:
        rate, others = point[count].sigmoid(), max(classes - 1, 1)
        chances = (rate / others).expand(len(labels), classes).scatter(1, own, (1 - rate).expand(len(labels), 1))
        told = tell(experts, point[:count], chances)
        right = told.probs.gather(1, own)
        by_rate = (((1 - right) / others - right) / told.seen).mean() * rate * (1 - rate)
        prior, prior_slopes = log_prior(point[:count]), log_prior_slopes(point[:count])
        odds = log_prior_odds(point[count])
        odds_slope = PSEUDO_WRONG - PSEUDO_IMAGES * rate
        slopes = torch.cat([prior_slopes, odds_slope[None]]) / len(labels) + torch.cat([told.slopes, by_rate[None]])
        return -told.likelihood - (prior + odds) / len(labels), -slopes

    point = minimised(surprise, point, steps=50)
    return point[:count].exp(), LabelNoise.even(classes, float(point[count].sigmoid()))


def log_prior(logs: Tensor) -> Tensor:
    """Return how likely logarithms of weights are before any label is seen, up to a constant, a scalar.

    Args:
        logs: (E,).
    """
    return -0.5 * ((logs - math.log(USUAL)) / SPREAD).square().sum()


def log_prior_slopes(logs: Tensor) -> Tensor:
    """Return the derivatives of `log_prior`, (E,).

    Args:
        logs: (E,).
    """
    return (math.log(USUAL) - logs) / SPREAD**2


def log_prior_odds(odds: Tensor) -> Tensor:
    """Return how likely log-odds of a noise rate are before any label is seen, up to a constant, a scalar.

    Args:
        odds: A scalar.
    """
    sigmoid = torch.nn.functional.logsigmoid
    return PSEUDO_WRONG * sigmoid(odds) + (PSEUDO_IMAGES - PSEUDO_WRONG) * sigmoid(-odds)


def even_likelihood(expert: Tensor, labels: Tensor) -> float:
    """Return the mean log-likelihood of given labels under one expert and even noise, both at their best.

    Args:
        expert: Log-probabilities up to a constant of each image, (N, K).
        labels: Given labels, (N,).
    """
    return float(even_likelihoods([expert], labels).mean())


def even_likelihoods(experts: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Return the log-likelihood of each given label under experts and even noise, all at their best, (N,).

    Args:
        experts: Log-probabilities up to a constant of each image, (N, K) each.
        labels: Given labels, (N,).
    """
    experts = [expert.log_softmax(dim=1) for expert in experts]
    weights, noise = evenly(experts, labels)
    return log_likelihoods(mixed(experts, weights), labels, noise)


def minimised(loss: Callable[[Tensor], tuple[Tensor, Tensor]], start: Tensor, *, steps: int) -> Tensor:
    """Return the point of least loss near a start.

    Args:
        loss: Loss and its derivatives, of logarithms of weights and whatever else is found with them.
        start: Where the search sets out, (P,).
        steps: Of L-BFGS, at most.
    """
    point = start.detach().clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([point], max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        within = point.detach().clamp(-FARTHEST, FARTHEST)
        value, slopes = loss(within)
        point.grad = torch.where(within == point, slopes, torch.zeros(()))
        return value

    optimizer.step(closure)
    return point.detach().clamp(-FARTHEST, FARTHEST)
