"""How true classes turn into given labels: estimated from a model's class scores, then used to judge the labels.

Shapes: N images, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from deft.errors import DataError

START_RATE = 0.2
SHARPNESS = (0.05, 5.0)  # where it is looked for
MOST_ROUNDS, GAIN = 100, 1e-6
STRENGTHS = (1.0, 10.0, 100.0)  # of the pull to a common rate, in images per class and class
CANDIDATES = 20  # classes that may be an image's true one while the matrix is sought; the rest hardly ever are


@dataclass(frozen=True)
class NoiseTransition:
    """Which label an image of each class is given, and how sharp the model's class scores have to be read.

    Args:
        matrix: Probability of each given label (column) for each true class (row), float64, (K, K).
        sharpness: By which scores are multiplied before the softmax: an inverse temperature.

    Example:
        >>> scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> transition = NoiseTransition(torch.tensor([[0.9, 0.1], [0.1, 0.9]]), 1.0)
        >>> transition.posterior(scores, torch.tensor([0, 0]))[:, 0]
        tensor([0.9852, 0.5491], dtype=torch.float64)
    """

    matrix: Tensor
    sharpness: float

    def log_joint(self, scores: Tensor, labels: Tensor) -> Tensor:
        """log P(class | image) + log P(given label | class), float64, (N, K).

        Args:
            scores: Class scores, (N, K).
            labels: Given labels, (N,).
        """
        chances = (self.sharpness * scores.double()).log_softmax(dim=1)
        return chances + self.matrix.log().T[labels]

    def posterior(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Probability of each class once image and given label are known, float64, (N, K).

        Args:
            scores: Class scores, (N, K).
            labels: Given labels, (N,).
        """
        return self.log_joint(scores, labels).softmax(dim=1)


def estimate_transition(scores: Tensor, labels: Tensor) -> NoiseTransition:
    """The transition that makes the given labels most likely, by expectation maximisation.

    Source: Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", Applied
    Statistics 1979, with a model's class probabilities as each image's prior, as in the noise adaptation of Bekker and
    Goldberger, ICASSP 2016. Beyond them: the sharpness of the scores (temperature scaling, Guo et al., ICML 2017) is
    chosen by the same likelihood, and every row is drawn to one common noise rate with evenly spread errors, as by so
    many images more; how many is chosen by the likelihood of the other half of the labels. So a class with few images
    has a row as well, and K² free numbers don't follow chance.

    Args:
        scores: Class scores of N images, unnormalised log-probabilities, (N, K).
        labels: Their given labels, (N,).

    Raises:
        DataError: The scores aren't of as many images as the labels, or of fewer than two classes.

    Example:
        >>> scores = torch.eye(3).repeat(50, 1) * 4
        >>> labels = torch.arange(3).repeat(50)
        >>> labels[:30] = (labels[:30] + 1) % 3
        >>> float(estimate_transition(scores, labels).matrix.diagonal().mean().round(decimals=1))
        0.8
    """
    if scores.ndim != 2 or scores.shape[1] < 2 or len(scores) != len(labels):
        raise DataError(
            f"Scores of the shape {tuple(scores.shape)} don't fit {len(labels)} labels of at least 2 classes."
        )
    problem = _Labels.of(scores, labels)
    halves = problem.part(0, 2), problem.part(1, 2)
    fits = [_Fit.of(problem, strength) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: fit.foreseen(*halves) + fit.foreseen(*reversed(halves)))
    return NoiseTransition(best.matrix.cpu(), best.sharpness)


@dataclass(frozen=True)
class _Labels:
    """Labels to be explained.

    Args:
        scores: Class scores, float64, (N, K).
        labels: Given labels, (N,).
        classes: The classes that may be each image's true one: the most probable, and its label, (N, C).
    """

    scores: Tensor
    labels: Tensor
    classes: Tensor

    @classmethod
    def of(cls, scores: Tensor, labels: Tensor) -> _Labels:
        scores, labels = scores.double(), labels.to(scores.device)
        classes = scores.topk(min(CANDIDATES, scores.shape[1]), dim=1).indices
        absent = (classes != labels.unsqueeze(1)).all(dim=1)
        classes[absent, -1] = labels[absent]
        return cls(scores, labels, classes)

    def part(self, number: int, parts: int) -> _Labels:
        """Every so-manieth image."""
        return _Labels(*(each[number::parts] for each in (self.scores, self.labels, self.classes)))

    def chances(self, sharpness: float) -> Tensor:
        """P(class | image) of each candidate, (N, C)."""
        return (sharpness * self.scores).log_softmax(dim=1).gather(1, self.classes).exp()

    def maximise(self, chances: Tensor, strength: float) -> Tensor:
        """The most likely matrix, (K, K)."""
        matrix = _even(self.scores.shape[1], torch.tensor(START_RATE, dtype=torch.float64, device=chances.device))
        likelihood = -math.inf
        for _ in range(MOST_ROUNDS):
            counts, reached = self.expect(chances, matrix)
            if reached - likelihood < GAIN:
                break
            likelihood, matrix = reached, _matrix(counts, strength)
        return matrix

    def expect(self, chances: Tensor, matrix: Tensor) -> tuple[Tensor, float]:
        """Expected counts of (class, label), (K, K), and the mean log-likelihood of the labels."""
        count = len(matrix)
        cells = (self.classes * count + self.labels.unsqueeze(1)).flatten()
        joint = chances * matrix.flatten()[cells].view_as(chances)
        # All other classes share one column of T without its diagonal: their labels are wrong ones.
        rest = (1 - chances.sum(dim=1)).clamp(min=0)
        other = rest * ((matrix.sum(dim=0) - matrix.diagonal()) / (count - 1))[self.labels]
        evidence = joint.sum(dim=1) + other
        counts = chances.new_zeros(count * count).index_add_(0, cells, (joint / evidence.unsqueeze(1)).flatten())
        spread = chances.new_zeros(count).index_add_(0, self.labels, other / evidence) / (count - 1)
        reached = float(evidence.log().mean()) if len(self.labels) else 0.0
        return counts.view(count, count) + spread - torch.diag(spread), reached


@dataclass(frozen=True)
class _Fit:
    """What is most likely when every row is drawn to the common rate with one strength.

    Args:
        strength: Images added to each row, in units of K.
        sharpness: Of the scores.
        matrix: T, (K, K).
    """

    strength: float
    sharpness: float
    matrix: Tensor

    @classmethod
    def of(cls, problem: _Labels, strength: float) -> _Fit:
        def cost(log_sharpness: float) -> float:
            chances = problem.chances(math.exp(log_sharpness))
            return -problem.expect(chances, problem.maximise(chances, strength))[1]

        bounds = tuple(math.log(bound) for bound in SHARPNESS)
        sharpness = math.exp(minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 0.02}).x)
        return cls(strength, sharpness, problem.maximise(problem.chances(sharpness), strength))

    def foreseen(self, seen: _Labels, unseen: _Labels) -> float:
        """Mean log-likelihood of the labels of images that the matrix was not estimated from."""
        matrix = seen.maximise(seen.chances(self.sharpness), self.strength)
        return unseen.expect(unseen.chances(self.sharpness), matrix)[1]


def _matrix(counts: Tensor, strength: float) -> Tensor:
    """The matrix of expected counts of (class, label), each row with images of the common rate added."""
    # One image of either kind added: a rate of zero could never be left again, nor blame a new label.
    rate = (counts.sum() - counts.trace() + 1) / (counts.sum() + 2)
    added = strength * len(counts)
    return (counts + added * _even(len(counts), rate)) / (counts.sum(dim=1, keepdim=True) + added)


def _even(classes: int, rate: Tensor) -> Tensor:
    """The matrix of symmetric noise."""
    matrix = (rate / (classes - 1)).repeat(classes, classes)
    return matrix.fill_diagonal_(float(1 - rate))
