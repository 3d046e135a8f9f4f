"""How true classes turn into given labels: estimated from a model's class scores, then used to judge the labels.

Shapes: N images, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from deft.arguments import checked
from deft.errors import DataError
from deft.noise_matrix import START_RATE, Cells, SparseMatrix
from deft.shown import short_repr

SHARPNESS = (0.005, 5.0)  # where it is looked for
LEAST_BORDER = 1 / 3
MOST_ROUNDS, STILL = 100, 1e-4
STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # of the pull to a common rate: images added to a class, in units of K
CANDIDATES = 20  # classes that may be an image's true one while the matrix is sought; the rest are lumped together


@checked
@dataclass(frozen=True)
class NoiseTransition:
    """Which label an image of each class is given, and how far the model's class scores have to be sharpened.

    Args:
        matrix: Probability of each given label (column) for each true class (row), float64, (K, K).
        inverse_temperature: What scores are multiplied by before the softmax.
        threshold: Probability of being wrong above which a label is flagged.

    Example:
        >>> scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> transition = NoiseTransition(torch.tensor([[0.9, 0.1], [0.1, 0.9]]), 1.0)
        >>> transition.posterior(scores, torch.tensor([0, 0]))[:, 0]
        tensor([0.9852, 0.5491], dtype=torch.float64)
    """

    matrix: Tensor
    inverse_temperature: float
    threshold: float = 0.5

    __repr__ = short_repr

    def log_joint(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return log P(class | image) + log P(given label | class), float64 on the CPU, (N, K).

        Args:
            scores: Class scores, (N, K).
            labels: Given labels, (N,).
        """
        scores, labels = scores.detach().cpu().double(), labels.cpu()
        return (self.inverse_temperature * scores).log_softmax(dim=1) + self.matrix.T[labels].log()

    def log_odds(self, joint: Tensor, labels: Tensor) -> Tensor:
        """Return the log-odds that each given label is right, less those of the threshold, (N,); negative is flagged.

        Args:
            joint: What `log_joint` gives, (N, K).
            labels: Given labels, (N,).
        """
        own = labels.cpu().unsqueeze(1)
        others = joint.scatter(1, own, -math.inf).logsumexp(dim=1)
        return joint.gather(1, own).squeeze(1) - others - math.log(1 / self.threshold - 1)

    def posterior(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the probability of each class once image and given label are known, float64 on the CPU, (N, K).

        Args:
            scores: Class scores, (N, K).
            labels: Given labels, (N,).
        """
        return self.log_joint(scores, labels).softmax(dim=1)


def estimate_transition(scores: Tensor, labels: Tensor) -> NoiseTransition:
    """Return the transition that makes the given labels most likely, by expectation maximisation.

    Source: Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", Applied
    Statistics 1979, with a model's class probabilities as each image's prior, as in the noise adaptation of Bekker and
    Goldberger, ICASSP 2016. In addition, scores are sharpened (temperature scaling, Guo et al., ICML 2017), and every
    row is drawn towards one common noise rate with evenly spread errors, as if some more images had been seen, so that
    a class with few images gets a sensible row too and K² free numbers don't fit chance. The sharpness and the number
    of such images are those that predict held-out labels best.

    Args:
        scores: Class scores of N images, unnormalised log-probabilities, (N, K).
        labels: Their given labels, (N,).

    Raises:
        DataError: Scores and labels differ in number, there are fewer than two classes, a score isn't finite, or a
            label is none of the classes.

    Example:
        >>> scores = torch.eye(3).repeat(50, 1) * 4
        >>> labels = torch.arange(3).repeat(50)
        >>> labels[:30] = (labels[:30] + 1) % 3
        >>> float(estimate_transition(scores, labels).matrix.diagonal().mean().round(decimals=1))
        0.8
    """
    scores, labels = torch.as_tensor(scores).detach().cpu().double(), torch.as_tensor(labels).cpu().long()
    _check(scores, labels)
    count = scores.shape[1]
    if len(labels) < 2:
        return NoiseTransition(SparseMatrix.even(Cells(labels[:0], count), START_RATE).whole(), 1.0)
    problem = _Labels.of(scores, labels)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    halves = problem.part(order[::2]), problem.part(order[1::2])

    def surprise(log_inverse_temperature: float, strength: float) -> float:
        chances = [half.chances(math.exp(log_inverse_temperature)) for half in halves]
        found = [half.maximise(own, strength) for half, own in zip(halves, chances, strict=True)]
        held = zip(halves, chances, reversed(found), strict=True)
        return -sum(half.likelihood(own, matrix) for half, own, matrix in held)

    bounds = tuple(math.log(bound) for bound in SHARPNESS)
    found = [
        (
            minimize_scalar(surprise, args=(strength,), bounds=bounds, method="bounded", options={"xatol": 0.02}),
            strength,
        )
        for strength in STRENGTHS
    ]
    best, strength = min(found, key=lambda pair: pair[0].fun)
    inverse_temperature = math.exp(best.x)
    matrix = problem.maximise(problem.chances(inverse_temperature), strength)
    transition = NoiseTransition(matrix.whole(), inverse_temperature)
    right = transition.posterior(scores, labels).gather(1, labels.unsqueeze(1)).squeeze(1)
    return replace(transition, threshold=best_threshold(1 - right))


def best_threshold(wrong: Tensor) -> float:
    """Return the probability of being wrong from which flagging a label raises the expected F1.

    Source: Lipton, Elkan and Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize F1 Measure", ECML PKDD
    2014: half of the best F1 that can be expected. Beyond them: at least a third, for where hardly any label is wrong
    the best F1 that can be expected is tiny, and flagging everything reaches it.

    Args:
        wrong: Probability of being wrong of each label, (N,).

    Example:
        >>> round(best_threshold(torch.tensor([0.99, 0.95, 0.45, 0.02, 0.01])), 2)
        0.44
    """
    found = wrong.sort(descending=True).values.cumsum(0)
    expected = 2 * found / (torch.arange(1, len(wrong) + 1) + found[-1])
    return min(max(float(expected.max()) / 2, LEAST_BORDER), 0.5)


def _check(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or scores.shape[1] < 2 or len(scores) != len(labels):
        raise DataError(
            f"Scores of the shape {tuple(scores.shape)} don't fit {len(labels)} labels of at least 2 classes."
        )
    if not torch.isfinite(scores).all():
        raise DataError("Some class scores are not finite.")
    if bool(((labels < 0) | (labels >= scores.shape[1])).any()):
        raise DataError(f"Labels must lie between 0 and {scores.shape[1] - 1}.")


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
        classes = scores.topk(min(CANDIDATES, scores.shape[1]), dim=1).indices
        absent = (classes != labels.unsqueeze(1)).all(dim=1)
        classes[absent, -1] = labels[absent]
        return cls(scores, labels, classes)

    def part(self, rows: Tensor) -> _Labels:
        """Return some of the images."""
        return _Labels(self.scores[rows], self.labels[rows], self.classes[rows])

    @cached_property
    def asked(self) -> tuple[Cells, Tensor]:
        """The cells of the matrix that candidates ask for, and which of these each candidate's is, (N, C)."""
        flat = self.classes * self.scores.shape[1] + self.labels.unsqueeze(1)
        cells, places = flat.unique(return_inverse=True)
        return Cells(cells, self.scores.shape[1]), places

    def chances(self, inverse_temperature: float) -> Tensor:
        """Return P(class | image) of each candidate, (N, C)."""
        scores = inverse_temperature * self.scores
        return (scores.gather(1, self.classes) - scores.logsumexp(dim=1, keepdim=True)).exp()

    def maximise(self, chances: Tensor, strength: float) -> SparseMatrix:
        """Return the most likely matrix for given chances (N, C) and a given pull to the common rate."""
        matrix = SparseMatrix.even(self.asked[0], START_RATE)
        for _ in range(MOST_ROUNDS):
            before, matrix = matrix, self._learned(chances, matrix, strength)
            if matrix.change(before) < STILL:
                break
        return matrix

    def likelihood(self, chances: Tensor, matrix: SparseMatrix) -> float:
        """Return the mean log-likelihood of the labels."""
        joint, other = self._joint(chances, matrix)
        return float((joint.sum(dim=1) + other).log().mean())

    def _joint(self, chances: Tensor, matrix: SparseMatrix) -> tuple[Tensor, Tensor]:
        """Return P(class, label) of each candidate, (N, C), and of all other classes together, (N,)."""
        cells, places = self.asked
        # What is left for classes that are no candidates is taken as one class with the mean of their rows.
        rest = (1 - chances.sum(dim=1)).clamp(min=0)
        return chances * matrix.at(cells)[places], rest * matrix.mean_of_others()[self.labels]

    def _learned(self, chances: Tensor, matrix: SparseMatrix, strength: float) -> SparseMatrix:
        """Return the matrix of the counts of (class, label) that are expected under another one."""
        cells, places = self.asked
        joint, other = self._joint(chances, matrix)
        evidence = joint.sum(dim=1) + other
        counts = chances.new_zeros(len(cells.flat))
        counts.index_add_(0, places.flatten(), (joint / evidence.unsqueeze(1)).flatten())
        spread = chances.new_zeros(cells.classes).index_add_(0, self.labels, other / evidence) / (cells.classes - 1)
        return SparseMatrix.learned(cells, counts, spread, strength)
