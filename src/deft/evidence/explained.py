"""How well weights of experts and noise explain the given labels, and how sure that leaves the rate of the noise.

Shapes: E experts, N images, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.special import betainc
from torch import Tensor

from deft.evidence.experts import LEAST_WEIGHT, SPREAD, USUAL, log_prior, log_prior_odds, mixed
from deft.evidence.label_noise import PSEUDO_IMAGES, PSEUDO_WRONG, LabelNoise, log_likelihoods

MOST_SCORES, FEWEST = 1_000_000, 50  # class scores of an expert that the curvature is found from; images at least
WEIGHTS, RATES, REACH = 13, 20, 3.0  # points of the sums over weights and rates; deviations that the first reach to


@dataclass(frozen=True)
class Explained:
    """How well weights and noise explain the given labels.

    Args:
        evidence: Log of the labels' likelihood, integrated over weights and rates near by, up to a constant.
        rate_error: Standard error of the rates' common log-odds, the weights being unknown as well.
    """

    evidence: float
    rate_error: float


def best_explained(
    experts: Sequence[Tensor], labels: Tensor, found: Sequence[tuple[Tensor, LabelNoise]]
) -> tuple[Tensor, LabelNoise]:
    """Return the weights and the noise that explain the labels best.

    Experts that hardly count, by just so much, may make the labels of a small set more likely than experts that count
    by any large weight. Whoever goes by likelihood alone then takes every error for doubt, and flags nothing.

    Args:
        experts: Log-probabilities of each image, (N, K) each.
        labels: Given labels, (N,).
        found: Weights, (E,), and noise: where searches came to rest.
    """
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda one: explain(experts, labels, *one).evidence)


def explain(experts: Sequence[Tensor], labels: Tensor, weights: Tensor, noise: LabelNoise) -> Explained:
    """Return how well weights and noise explain the labels, by Laplace's approximation.

    Source: MacKay, "Bayesian Interpolation", Neural Computation 1992, for the evidence; Efron and Hinkley, "Assessing
    the accuracy of the maximum likelihood estimator", Biometrika 1978, for the error. Flat experts with few errors
    explain labels about as well as sharp ones with many do: the less the images say, the less sure is the rate. The
    curvature of as many images as hold a million class scores stands for that of all.

    Args:
        experts: Log-probabilities of each image, (N, K) each.
        labels: Given labels, (N,).
        weights: One for each expert, (E,).
        noise: How labels go wrong.
    """
    count, rows = len(labels), max(MOST_SCORES // experts[0].shape[1], FEWEST)
    experts, labels = [expert[:rows] for expert in experts], labels[:rows]
    odds = torch.logit(noise.rates)
    point = torch.cat([weights.clamp(min=LEAST_WEIGHT).log(), torch.zeros(1)])

    def log_joint(point: Tensor) -> Tensor:
        moved = LabelNoise((odds + point[-1]).sigmoid(), noise.places)
        likelihood = log_likelihoods(mixed(experts, point[:-1].exp()), labels, moved).mean()
        return count * likelihood + log_prior(point[:-1]) + log_prior_odds(odds.mean() + point[-1])

    with torch.enable_grad():
        curvature: Tensor = -torch.autograd.functional.hessian(log_joint, point)
    values, vectors = torch.linalg.eigh(curvature.double())
    values = values.clamp(min=SPREAD**-2)
    evidence = float(log_joint(point)) - 0.5 * float(values.log().sum())
    return Explained(evidence, float((vectors[-1].square() / values).sum().sqrt()))


def log_bayes_factor(expert: Tensor, labels: Tensor) -> float:
    """Return in nats how much better one expert explains the labels than the most likely shares of the classes do.

    Its weight and the rate of even noise are summed over as they are before labels are seen, so that nothing was chosen
    by these labels. Where they have nothing to do with the images, more than the logarithm of twenty comes in at most
    one of twenty cases, however few they are (Markov's inequality) — if the expert never saw a label.

    Args:
        expert: Log-probabilities of each image, (N, K).
        labels: Given labels, (N,).

    Example:
        >>> expert = torch.eye(3)[torch.tensor([0, 1, 2] * 10)] * 9
        >>> round(log_bayes_factor(expert.log_softmax(dim=1), torch.tensor([0, 1, 2] * 10)), 1)
        29.2
    """
    classes, own = expert.shape[1], labels[:, None]
    reach = torch.linspace(-REACH, REACH, WEIGHTS)
    edges = torch.linspace(0, 1, RATES + 1, dtype=torch.float64)
    within = torch.from_numpy(betainc(PSEUDO_WRONG, PSEUDO_IMAGES - PSEUDO_WRONG, edges.numpy())).diff()
    rates = ((edges[1:] + edges[:-1]) / 2)[:, None]
    prior = (-0.5 * reach.double().square()).log_softmax(dim=0)
    total = []
    for weight, chance in zip((USUAL * (SPREAD * reach).exp()).tolist(), prior, strict=True):
        right = (weight * expert).softmax(dim=1).gather(1, own).double().T
        likelihood = (right * (1 - rates) + (1 - right) * rates / max(classes - 1, 1)).log().sum(dim=1)
        total.append((likelihood + within.log()).logsumexp(dim=0) + chance)
    counts = torch.bincount(labels, minlength=classes).double()
    return float(torch.stack(total).logsumexp(dim=0) - torch.special.xlogy(counts, counts / len(labels)).sum())
