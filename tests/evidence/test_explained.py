"""Which explanation of the labels counts: errors seen by experts that count, or doubt by experts that hardly do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.evidence.experts import evenly, log_prior, log_prior_odds, mixed
from deft.evidence.explained import best_explained, explain
from deft.evidence.label_noise import LabelNoise, log_likelihoods
from deft.evidence.weighing import fit_noise
from deft.noise import symmetric


def seen(truth: np.ndarray, classes: int, seed: int, sharp: float = 6.0) -> Tensor:
    """What an expert says that sees the class of each image, up to a constant, (N, K)."""
    noise = np.random.default_rng([seed, 7]).normal(size=(len(truth), classes))
    return torch.from_numpy(2 * (noise + sharp * np.eye(classes)[truth])).float()


@pytest.mark.parametrize("seed", range(8))
def test_few_photos_of_few_classes_that_every_expert_sees_have_errors_and_no_doubt(seed: int) -> None:
    """Five experts, weighed just so that they hardly count, make these labels likelier than what is true."""
    truth = np.arange(180) % 3
    labels = torch.from_numpy(symmetric(truth, 0.1, num_classes=3, seed=seed))
    experts = [seen(truth, 3, 10 * seed + number) for number in range(5)]
    part = torch.from_numpy(np.random.default_rng(seed).integers(5, size=180))
    fitted = fit_noise([expert.log_softmax(dim=1) for expert in experts], labels, part)
    assert float(fitted.noise.rates.mean()) == pytest.approx(0.1, abs=0.02)
    log_probs = mixed([expert.log_softmax(dim=1) for expert in experts], fitted.weights)
    wrong = labels != torch.from_numpy(truth)
    assert torch.equal((log_probs + fitted.noise.log_chances(labels)).argmax(dim=1) != labels, wrong)


def test_the_evidence_is_the_integral_over_weights_and_rate() -> None:
    """Laplace's approximation beside a sum over a grid of both logarithms."""
    truth = np.random.default_rng(0).integers(4, size=400)
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=4, seed=0))
    expert = seen(truth, 4, 0, sharp=2.0).log_softmax(dim=1)
    weights, noise = evenly([expert], labels)
    step, total = 0.02, []
    for log_weight in torch.arange(-2.0, 1.0, step):
        for odds in torch.arange(-3.0, 0.0, step):
            even = LabelNoise.even(4, float(odds.sigmoid()))
            likelihood = log_likelihoods(mixed([expert], log_weight.exp()[None]), labels, even).sum()
            total.append(likelihood + log_prior(log_weight[None]) + log_prior_odds(odds))
    integral = float(torch.stack(total).double().logsumexp(dim=0)) + 2 * math.log(step)
    found = explain([expert], labels, weights, noise)
    assert found.evidence + math.log(2 * math.pi) == pytest.approx(integral, abs=0.1)


def test_what_explains_the_labels_better_counts() -> None:
    truth = np.arange(300) % 3
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=3, seed=0))
    experts = [seen(truth, 3, 0).log_softmax(dim=1)]
    right = (torch.tensor([0.3]), LabelNoise.even(3, 0.2))
    doubt = (torch.tensor([0.05]), LabelNoise.even(3, 0.001))
    for found in ([right, doubt], [doubt, right]):
        assert best_explained(experts, labels, found) is right
