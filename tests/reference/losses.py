"""Makes the constants of tests/test_losses.py from the formulas as published, in plain Python: run me.

python tests/reference/losses.py
"""

from __future__ import annotations

import math

LOGITS = [[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]]
LABELS = [0, 2]


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]


def cross_entropy(row: list[float], label: int) -> float:
    return -math.log(softmax(row)[label])


def reverse_cross_entropy(row: list[float], label: int) -> float:
    """Wang et al. 2019, Eq. 5, with the one-hot label's zeros clipped at 1e-4."""
    probs = softmax(row)
    return -sum(p * math.log(1.0 if k == label else 1e-4) for k, p in enumerate(probs))


def dual_prompt(positive: float, negative: float, other_positive: float, other_negative: float) -> float:
    """Wei et al. 2024, Eq. 6 and 7: two softmaxes over a pair of prompts, and their logarithms."""
    clean = math.exp(positive) / (math.exp(positive) + math.exp(negative))
    other = math.exp(other_positive) / (math.exp(other_positive) + math.exp(other_negative))
    return -math.log(clean) - math.log(1 - other)


if __name__ == "__main__":
    import sys

    lines = [
        f"CROSS_ENTROPY = {[round(cross_entropy(r, y), 9) for r, y in zip(LOGITS, LABELS, strict=True)]}",
        f"REVERSE = {[round(reverse_cross_entropy(r, y), 9) for r, y in zip(LOGITS, LABELS, strict=True)]}",
        f"DUAL = {[round(dual_prompt(1.2, 0.4, -0.3, 0.9), 9), round(dual_prompt(-2.0, 1.0, 3.0, 0.5), 9)]}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
