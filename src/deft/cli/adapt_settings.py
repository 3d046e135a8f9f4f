"""What `--set` and `--lr` of `deft adapt` say: of the method, the optimization and the preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deft.cli.options import pairs
from deft.declared import declared_types
from deft.errors import SettingsError
from deft.methods.registry import METHODS
from deft.runs.vocabulary import TrainingFix
from deft.settings import parse_typed

if TYPE_CHECKING:
    from deft.data.preprocessing import Preprocessing

HOMES = {
    "optimization": "deft.training.optimization:Optimization",
    "preprocessing": "deft.data.preprocessing:Preprocessing",
}
"""Whose settings a key of `--set` begins with, before a full stop; all other keys are the method's."""


def given_settings(method: str, fix: TrainingFix, settings: list[str] | None) -> dict[str, str]:
    """Return what `--set` was given; what doesn't go with the method is refused, and nothing is imported for it.

    Raises:
        SettingsError: There is no such setting, or a text is no value of its type.
    """
    if fix == "weigh" and method != "ce":
        raise SettingsError(f"--fix weigh goes with --method ce; {method} has its own way to doubt labels.")
    sets = pairs(settings)
    for home, texts in zip((METHODS[method], *HOMES.values()), _parted(sets), strict=True):
        parse_typed(declared_types(home), texts)
    return sets


def parsed_settings(
    method: str, sets: Mapping[str, str], lr: float | None
) -> tuple[dict[str, Any], dict[str, Any], Preprocessing | None]:
    """Return what `--set` and `--lr` say about method, optimization and preprocessing, as typed values.

    Raises:
        SettingsError: There is no such setting, or a value isn't allowed.
    """
    from deft.data.preprocessing import Preprocessing
    from deft.methods.registry import method_class
    from deft.settings import changed, parse_settings
    from deft.training.optimization import Optimization

    typed, of_rates, of_pixels = _parted(sets)
    own = method_class(method)()
    settings = parse_settings(own, typed)
    rates = {} if lr is None else {"learning_rate": lr}
    rates |= parse_settings(Optimization(), of_rates)
    changed(own, settings), changed(Optimization(), rates)  # which refuse what isn't allowed
    seen = changed(Preprocessing(), parse_settings(Preprocessing(), of_pixels)) if of_pixels else None
    return settings, rates, seen


def _parted(sets: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Return what `--set` says of the method, of the optimization and of the preprocessing."""
    parts: dict[str, dict[str, str]] = {"": {}, **{place: {} for place in HOMES}}
    for key, text in sets.items():
        place, _, name = key.partition(".")
        own = place in HOMES and name
        parts[place if own else ""][name if own else key] = text
    return tuple(parts.values())
