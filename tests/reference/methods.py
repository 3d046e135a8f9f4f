"""Makes the constants of tests/methods from the formulas as published, with numpy alone: run me.

python tests/reference/methods.py
"""

from __future__ import annotations

import sys
from decimal import Decimal, getcontext

import numpy as np

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
LABELS = np.array([0, 2])
FEATURES = np.array([[1.0, 0.0], [2.0, 4.0], [3.0, 1.0], [-1.0, -2.0]])
FEATURE_LABELS = np.array([0, 0, 2, 2])  # class 1 is absent


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    probs: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probs


def generalised(q: float) -> np.ndarray:
    """Zhang & Sabuncu 2018, Eq. 6: (1 − p_y^q)/q."""
    own = softmax(LOGITS)[np.arange(2), LABELS]
    values: np.ndarray = (1 - own**q) / q
    return values


def generalised_slope(p: str, q: str) -> tuple[float, float]:
    """The log-odds at which the label has the probability p, and −p^q·(1 − p), the slope by its logit; 50 digits."""
    getcontext().prec = 50
    probability = Decimal(p)
    return float((1 / probability - 1).ln()), float(f"{-(probability ** Decimal(q)) * (1 - probability):.9e}")


def symmetric(alpha: float, beta: float) -> np.ndarray:
    """Wang et al. 2019, Eq. 6 and 7, by the one-hot matrix with its zeros clipped at 1e-4."""
    probs = softmax(LOGITS)
    one_hot = np.eye(3)[LABELS]
    forward = -(one_hot * np.log(probs)).sum(axis=1)
    reverse = -(probs * np.log(np.clip(one_hot, 1e-4, 1.0))).sum(axis=1)
    values: np.ndarray = alpha * forward + beta * reverse
    return values


def early_learning(beta: float, weight: float, corrected: bool, passes: int) -> tuple[np.ndarray, float, float]:
    """Liu et al. 2020, Eq. 6 and 9, when the same predictions come in `passes` times: losses and mass of a target."""
    probs = np.clip(softmax(LOGITS), 1e-4, 1 - 1e-4)
    seen = probs / probs.sum(axis=1, keepdims=True)
    targets = np.zeros_like(probs)
    for _ in range(passes):
        targets = beta * targets + (1 - beta) * seen
    read = targets / (1 - beta**passes) if corrected else targets
    penalty = np.log(1 - (read * probs).sum(axis=1))
    losses = -np.log(softmax(LOGITS)[np.arange(2), LABELS]) + weight * penalty
    return losses, float(losses.mean()), float(read[0].sum())


def running_mean(decay: float, values: list[float]) -> tuple[list[float], list[float]]:
    """An exponential mean from zero, raw and divided by the share of its mass that has arrived."""
    mean, raw, corrected = 0.0, [], []
    for number, value in enumerate(values, start=1):
        mean = decay * mean + (1 - decay) * value
        raw.append(mean)
        corrected.append(mean / (1 - decay**number))
    return raw, corrected


def prototypes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RoLT: centred unit features, class means of them, and −‖f − c‖² by plain subtraction."""
    moved = FEATURES - FEATURES.mean(axis=0)
    unit = moved / np.sqrt((moved**2).sum(axis=1, keepdims=True))
    means = np.stack([unit[k == FEATURE_LABELS].mean(axis=0) for k in (0, 2)])
    near = -((unit[:, None] - means[None]) ** 2).sum(axis=2)
    return unit, means, near


def four_parts(erm: int, ncm: int, given: int) -> np.ndarray:
    """RoLT's target of a noisy label over 5 classes."""
    target = np.full(5, 0.2 / 5)
    for place, share in ((erm, 0.4), (ncm, 0.2), (given, 0.2)):
        target[place] += share
    return target


def schedule(rate: float, warmup: int, epochs: int) -> np.ndarray:
    """Co-teaching's code: np.linspace over the warm-up, then the rate."""
    left_out = np.full(epochs, rate)
    left_out[:warmup] = np.linspace(0, rate, warmup)
    return left_out


def rounded(values: object) -> object:
    return np.round(np.asarray(values), 9).tolist()


if __name__ == "__main__":
    unit, means, near = prototypes()
    raw, corrected = running_mean(0.6, [1.0, 3.0, -2.0])
    lines = {
        "GENERALISED_07": rounded(generalised(0.7)),
        "GENERALISED_1": rounded(generalised(1.0)),
        "SLOPES": dict(generalised_slope(p, "0.7") for p in ("1e-4", "1e-6", "1e-12")),
        "SYMMETRIC": {pair: rounded(symmetric(*pair)) for pair in ((1.0, 1.0), (0.1, 1.0), (6.0, 0.1))},
        "ELR_RAW": [rounded(part) for part in early_learning(0.7, 3.0, False, 2)],
        "ELR_CORRECTED": [rounded(part) for part in early_learning(0.7, 3.0, True, 2)],
        "MASS_TEN": round(1 - 0.9**10, 9),
        "RAW": rounded(raw),
        "CORRECTED": rounded(corrected),
        "UNIT": rounded(unit),
        "MEANS": rounded(means),
        "NEAR": rounded(near),
        "TARGET": rounded(four_parts(3, 1, 3)),
        "LEFT_OUT": {pair: rounded(schedule(*pair)) for pair in ((0.4, 1, 4), (0.4, 3, 5), (0.6, 2, 3))},
    }
    sys.stdout.writelines(f"{name} = {value}\n" for name, value in lines.items())
