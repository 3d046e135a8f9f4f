"""Ramps against constants of tests/reference/semi_supervised.py and their ends."""

from __future__ import annotations

import pytest

from deft.methods.parts.ramps import linear_ramp, sigmoid_ramp

SIGMOID_RAMP = [0.0067379, 0.0600547, 1.0]


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0), (1, 0), (2, 0.25), (3.5, 0.625), (5, 1), (9, 1)])
def test_linear(epoch: float, expected: float) -> None:
    assert linear_ramp(epoch, start=1, length=4) == expected


def test_sigmoid() -> None:
    assert [sigmoid_ramp(epoch, length=8) for epoch in (0, 2, 8)] == pytest.approx(SIGMOID_RAMP, abs=1e-7)


@pytest.mark.parametrize(("epoch", "expected"), [(2.9, 0), (3, 1)])
def test_without_length_it_is_a_step(epoch: float, expected: float) -> None:
    assert linear_ramp(epoch, start=3, length=0) == expected
