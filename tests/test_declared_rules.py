"""Rules of settings, read from their source: what they refuse is what the classes refuse, in the same words."""

from __future__ import annotations

from typing import Any

import pytest

from deft.cli.adapt import RATES
from deft.cli.detector_options import UNLOADED
from deft.declared import check_declared, declared_types
from deft.detectors.registry import DETECTORS, detector_class
from deft.errors import SettingsError
from deft.methods.registry import METHODS, method_class
from deft.settings import changed, setting_types
from deft.training.optimization import Optimization

VALUES: dict[Any, list[Any]] = {int: [-1, 0, 1, 2, 3, 10**6, 2**40], float: [-1.0, 0.0, 0.3, 1.0, 2.0, float("inf")]}


def _made(name: str) -> tuple[str, Any]:
    """Where a frozen value is declared, and the value."""
    if name in DETECTORS:
        kind: Any = detector_class(name)
        return DETECTORS[name], kind(UNLOADED)
    return (METHODS[name], method_class(name)()) if name in METHODS else (RATES, Optimization())


def _refusal(act: Any, *given: Any) -> str | None:
    try:
        act(*given)
    except SettingsError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", [*DETECTORS, *METHODS, "optimization"])
def test_the_same_values_are_refused_in_the_same_words(name: str) -> None:
    if name == "confident-learning":
        pytest.importorskip("cleanlab", exc_type=ImportError)
    home, value = _made(name)
    for key, hint in setting_types(value).items():
        for kind, tried in VALUES.items():
            if hint in (kind, kind | None):
                for one in tried:
                    refused = _refusal(changed, value, {key: one})
                    assert _refusal(check_declared, home, {key: one}) == refused, (key, one)


def test_a_rule_of_the_tuning_that_is_chosen_counts() -> None:
    chosen = {"tuning": "deft.tuning:VPT"}
    assert "tuning.length" in declared_types(DETECTORS["deft"], chosen)
    check_declared(DETECTORS["deft"], {"tuning.length": 1}, chosen)
    with pytest.raises(SettingsError, match="at least one prompt token, not 0"):
        check_declared(DETECTORS["deft"], {"tuning.length": 0}, chosen)


def test_two_values_that_do_not_go_together_are_refused() -> None:
    check_declared(METHODS["sce"], {"alpha": 0.0})
    with pytest.raises(SettingsError, match="nor both be zero"):
        check_declared(METHODS["sce"], {"alpha": 0.0, "beta": 0.0})
