"""Weights that grow over the first epochs."""

from __future__ import annotations

import math


def linear_ramp(epoch: float, *, start: float = 0.0, length: float) -> float:
    """Return (epoch − start) / length, kept in 0..1.

    Args:
        epoch: Epochs done, with the share of the present one.
        start: Where the ramp begins.
        length: Epochs until it is up; with 0 it is a step.

    Example:
        >>> linear_ramp(3.0, start=1, length=4)
        0.5
    """
    if length <= 0:
        return float(epoch >= start)
    return min(max((epoch - start) / length, 0.0), 1.0)


def sigmoid_ramp(epoch: float, *, start: float = 0.0, length: float) -> float:
    """Return exp(−5·(1 − t)²), t being the linear ramp; it begins at 0.0067 (Laine & Aila, ICLR 2017).

    Args:
        epoch: Epochs done, with the share of the present one.
        start: Where the ramp begins.
        length: Epochs until it is up; with 0 it is a step.

    Example:
        >>> sigmoid_ramp(8.0, length=8)
        1.0
    """
    return math.exp(-5 * (1 - linear_ramp(epoch, start=start, length=length)) ** 2)
