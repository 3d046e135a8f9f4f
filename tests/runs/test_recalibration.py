"""The quantiles of how many labels are wrong, beside SciPy's Poisson distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit as scipy_expit
from scipy.stats import poisson

from deft.runs.recalibration import DIGITS, Recalibration, expit

SHARES = (0.05, 0.5, 0.95)


@pytest.mark.parametrize(("count", "centre"), [(3, -6.0), (40, -4.0), (500, -2.0), (20_000, -1.0), (20_000, 3.0)])
def test_quantiles_are_those_of_the_mixture_of_moved_poisson_distributions(count: int, centre: float) -> None:
    log_odds = np.random.default_rng(count).normal(centre, 2.0, size=count)
    was_wrong = log_odds[:30] > -1
    known = Recalibration.learn(log_odds[:30], was_wrong, np.zeros(len(was_wrong), int), spread=1.0)
    values = np.round(log_odds, DIGITS)
    chance = scipy_expit(known.shift[:, None] + known.slope[:, None] * values)
    mean, variance = chance.sum(axis=1), (chance * (1 - chance)).sum(axis=1)
    moved = np.floor(mean - variance)
    for share, found in zip(SHARES, known.quantiles(log_odds, SHARES), strict=True):
        reached = [float(known.weights @ poisson.cdf(near - moved, mean - moved)) for near in (found - 1, found)]
        assert reached[0] < share + 1e-9
        assert reached[1] > share - 1e-9


def test_probabilities_are_scipys_where_log_odds_are_large() -> None:
    log_odds = np.array([-800.0, -30.0, 0.0, 1.0, 40.0, 800.0])
    np.testing.assert_allclose(expit(log_odds), scipy_expit(log_odds), rtol=1e-12)
