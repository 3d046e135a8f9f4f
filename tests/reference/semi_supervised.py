"""Makes the constants for mixing, guesses, ramps and losses of two networks from the formulas, in numpy: run me.

python tests/reference/semi_supervised.py
"""

from __future__ import annotations

import math
import sys

import numpy as np

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
TARGETS = np.array([[0.7, 0.1, 0.2], [0.0, 0.5, 0.5]])
OTHER = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
FIRST = np.array([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]])
SECOND = np.array([[0.5, 2.5], [-2.0, 0.1], [1.0, -1.0]])
PRIOR = np.array([0.5, 0.3, 0.2])
AGREEMENTS = [0.0, 0.1, 0.5, 0.9, 1.0]


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def divergence(probs: list[float], label: int) -> float:
    """Jensen-Shannon divergence between a one-hot label and a prediction in nats, from its definition."""
    one_hot = [float(k == label) for k in range(len(probs))]
    mean = [(a + b) / 2 for a, b in zip(one_hot, probs, strict=True)]

    def kullback_leibler(first: list[float], second: list[float]) -> float:
        return sum(a * math.log(a / b) for a, b in zip(first, second, strict=True) if a > 0)

    return (kullback_leibler(one_hot, mean) + kullback_leibler(probs, mean)) / 2


def contrast(temperature: float) -> list[float]:
    """SimCLR's Eq. 1, loops as it is written; the mean of both directions for each sample."""
    vectors = [vector / np.linalg.norm(vector) for vector in (*FIRST, *SECOND)]
    count, losses = len(FIRST), []
    for i, vector in enumerate(vectors):
        partner = vectors[(i + count) % (2 * count)]
        others = [math.exp(vector @ vectors[k] / temperature) for k in range(2 * count) if k != i]
        losses.append(-math.log(math.exp(vector @ partner / temperature) / sum(others)))
    return [(losses[i] + losses[i + count]) / 2 for i in range(count)]


def rounded(values: object) -> object:
    return np.round(np.asarray(values), 7).tolist()


def main() -> None:
    probs = softmax(LOGITS)
    mean = probs.mean(axis=0)
    mixed = 0.8 * TARGETS + 0.2 * (probs + OTHER) / 2
    mixed[1] = 0.3 * TARGETS[1] + 0.7 * (probs[1] + OTHER[1]) / 2
    squared, guessed = mixed**2, ((probs + OTHER) / 2) ** 2
    debiased = softmax(LOGITS - 0.5 * np.log(PRIOR))
    spread = [[q, (1 - q) * 0.25, (1 - q) * 0.75] for q in AGREEMENTS]
    for name, value in (
        ("BRIER", ((probs - TARGETS) ** 2).sum(axis=1) / 3),
        ("PRIOR_PENALTY", sum(1 / 3 * math.log(1 / 3 / p) for p in mean)),
        ("NEGATIVE_ENTROPY", (probs * np.log(probs)).sum(axis=1)),
        ("DIVERGENCE_NATS", [divergence(row, 0) for row in spread]),
        ("DIVERGENCE_BITS", [divergence(row, 0) / math.log(2) for row in spread]),
        ("NT_XENT", contrast(0.5)),
        ("SHARPENED", probs**3 / (probs**3).sum(axis=1, keepdims=True)),
        ("CO_REFINED", squared / squared.sum(axis=1, keepdims=True)),
        ("CO_GUESSED", guessed / guessed.sum(axis=1, keepdims=True)),
        ("DEBIASED", debiased),
        ("SIGMOID_RAMP", [math.exp(-5 * (1 - t / 8) ** 2) for t in (0, 2, 8)]),
    ):
        sys.stdout.write(f"{name} = {rounded(value)}\n")


if __name__ == "__main__":
    main()
