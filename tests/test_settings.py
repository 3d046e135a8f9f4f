"""Frozen values as settings, and settings from what a user types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import pytest

from deft.errors import SettingsError
from deft.settings import changed, from_settings, parse_settings, setting_keys, to_settings


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    often: int | None = 1

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise SettingsError("The rate can't be negative.")


@dataclass(frozen=True)
class Outer:
    how: Literal["fast", "slow"] = "fast"
    twice: bool = False
    shares: tuple[float, ...] = (0.5, 0.5)
    pair: tuple[int, int] = (1, 2)
    inner: Inner = Inner()
    anything: object = None


def test_there_and_back() -> None:
    made = Outer("slow", True, (0.1,), (3, 4), Inner(0.25, None))
    assert from_settings(Outer, json.loads(json.dumps(to_settings(made)))) == made


def test_what_older_settings_lack_takes_its_default() -> None:
    assert from_settings(Outer, {"inner": {"rate": 1.0}}) == Outer(inner=Inner(rate=1.0))


@pytest.mark.parametrize("settings", [{"speed": 1}, {"inner": {"pace": 1}}, {"inner": {"rate": "fast"}}, {"inner": 3}])
def test_settings_of_another_version_are_refused_with_a_sentence(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="another version of deft"):
        from_settings(Outer, settings)


def test_every_setting_that_can_be_typed_has_a_key() -> None:
    keys = ["how", "twice", "shares", "pair", "inner.rate", "inner.often"]
    assert list(setting_keys(Outer())) == keys


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("how", "slow", "slow"),
        ("twice", "true", True),
        ("twice", "False", False),
        ("shares", "0.2, 0.3,0.5", (0.2, 0.3, 0.5)),
        ("pair", "5,6", (5, 6)),
        ("inner.rate", "1e-3", 0.001),
        ("inner.often", "none", None),
        ("inner.often", "7", 7),
    ],
)
def test_what_is_typed_becomes_a_value(key: str, text: str, value: object) -> None:
    found = parse_settings(Outer(), {key: text})
    assert found == {key: value}
    assert setting_keys(changed(Outer(), found))[key] == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("how", "quick", "one of fast, slow"),
        ("twice", "yes", "true or false"),
        ("shares", "a,b", "with commas between"),
        ("pair", "1,2,3", "2 of them"),
        ("inner.rate", "much", "a number"),
        ("inner.often", "1.5", "a whole number or none"),
        ("rate", "1", "Did you mean inner.rate?"),
        ("hwo", "fast", "Did you mean how?"),
        ("anything", "1", "Known: how, twice, shares, pair, inner.rate, inner.often."),
        ("inner", "1", "no setting 'inner'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(key: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_settings(Outer(), {key: text})


@pytest.mark.parametrize("changes", [{"speed": 1}, {"how.fast": 1}, {"inner.pace": 1}, {"inner.rate": -1.0}])
def test_a_change_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        changed(Outer(), changes)


def test_a_field_and_what_is_inside_it_can_change_at_once() -> None:
    assert changed(Outer(), {"inner.often": 3, "inner": Inner(0.1)}).inner == Inner(0.1, 3)
