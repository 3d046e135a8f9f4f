"""How well labels are explained: errors seen by experts that count, or doubt by experts that hardly do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.special import softmax
from scipy.stats import beta, norm
from torch import Tensor

from deft.evidence.experts import evenly, log_prior, log_prior_odds, mixed
from deft.evidence.explained import best_explained, explain, log_bayes_factor
from deft.evidence.label_noise import LabelNoise, log_likelihoods
from deft.evidence.weighing import STRONG, fit_noise, weigh
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
    assert fitted.explanations.rate == pytest.approx(0.1, abs=0.02)
    joint = fitted.explanations.believe([expert.log_softmax(dim=1) for expert in experts], labels).joint
    assert torch.equal(joint.argmax(dim=1) != labels, labels != torch.from_numpy(truth))


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


def test_the_bayes_factor_is_an_integral_over_weight_and_rate() -> None:
    """Beside SciPy's quadrature, with the priors written out: a log-normal weight, a Beta rate."""
    truth = np.random.default_rng(0).integers(3, size=60)
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=3, seed=0))
    expert = seen(truth, 3, 0, sharp=1.0).log_softmax(dim=1)
    own = labels.numpy()[:, None]

    def joint(rate: float, log_weight: float) -> float:
        logits = math.exp(log_weight) * expert.double().numpy()
        probs = softmax(logits, axis=1)
        right = np.take_along_axis(probs, own, axis=1)
        likelihood = np.log(right * (1 - rate) + (1 - right) * rate / 2).sum()
        return float(np.exp(likelihood + norm.logpdf(log_weight, math.log(0.3), 1.5) + beta.logpdf(rate, 0.4, 1.6)))

    integral, _ = dblquad(joint, -5.7, 3.3, 0, 1, epsrel=1e-2)
    shares = np.bincount(labels.numpy()) / 60
    null = float(np.log(shares[labels.numpy()]).sum())
    assert log_bayes_factor(expert, labels) == pytest.approx(math.log(integral) - null, abs=0.3)


def test_labels_that_have_nothing_to_do_with_the_images_hardly_ever_give_a_strong_one() -> None:
    """At most one of twenty by Markov's inequality; far fewer, for the shares were found from these labels."""
    expert = seen(np.arange(60) % 3, 3, 0).log_softmax(dim=1)
    rng = np.random.default_rng(1)
    factors = [log_bayes_factor(expert, torch.from_numpy(rng.integers(3, size=60))) for _ in range(200)]
    assert sum(factor > STRONG for factor in factors) <= 4


@pytest.mark.parametrize("seed", range(4))
def test_two_of_five_labels_of_a_few_photos_may_be_wrong_where_what_saw_none_knows_the_classes(seed: int) -> None:
    """Ninety labels that are hardly foretold better than by chance, though the expert makes no mistake."""
    truth = np.arange(90) % 3
    labels = torch.from_numpy(symmetric(truth, 0.4, num_classes=3, seed=seed))
    expert = seen(truth, 3, seed)
    found = weigh([expert], labels, torch.arange(90) % 5)
    untaught = log_bayes_factor(expert.log_softmax(dim=1), labels)
    assert replace(found, untaught=untaught).judges
