"""Arguments of a wrong type are answered by one sentence, wherever a caller may give one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch

import deft
from deft.arguments import checked
from deft.errors import SettingsError
from deft.training.optimization import Optimization

if TYPE_CHECKING:
    import nowhere  # type: ignore[import-not-found]  # as an optional package is


@checked
@dataclass(frozen=True)
class Value:
    count: int = 1
    share: float = 0.5
    most: int | None = None
    often: bool = False
    name: str = ""
    shares: tuple[float, ...] = ()
    pair: tuple[int, int] = (1, 2)
    folder: Path | None = None
    how: Literal["fast", "slow"] = "fast"
    optimization: Optimization = Optimization()
    other: nowhere.Thing | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SettingsError("At least one.")


@checked
def taken(size: float | nowhere.Thing, place: str | Path, *more: int) -> tuple[Any, ...]:
    return size, place, more


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("count", "2", "count must be a whole number, not '2'."),
        ("count", 2.5, "count must be a whole number, not 2.5."),
        ("count", True, "count must be a whole number, not True."),
        ("count", None, "count must be a whole number, not None."),
        ("count", [2], r"count must be a whole number, not \[2\]."),
        ("count", int, "count must be a whole number, not the class int."),
        ("count", np.arange(99), "count must be a whole number, not something of the type ndarray."),
        ("share", "0.1", "share must be a number, not '0.1'."),
        ("share", 1j, "share must be a number, not 1j."),
        ("most", "7", "most must be a whole number or None, not '7'."),
        ("often", "yes", "often must be True or False, not 'yes'."),
        ("name", 3, "name must be text, not 3."),
        ("shares", 0.5, "shares must be several numbers, not 0.5."),
        ("shares", ["a"], r"shares must be several numbers, not \['a'\]."),
        ("shares", "0.5", "shares must be several numbers, not '0.5'."),
        ("pair", (1, 2, 3), r"pair must be 2 whole numbers, not \(1, 2, 3\)."),
        ("folder", 3, "folder must be a path or None, not 3."),
        ("optimization", "adam", "optimization must be an Optimization, not 'adam'."),
    ],
)
def test_a_wrong_type_is_answered_by_a_sentence(name: str, given: object, sentence: str) -> None:
    with pytest.raises(SettingsError, match=f"^{sentence}$"):
        Value(**{name: given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("count", np.int64(2), 2),
        ("count", torch.tensor(2), 2),
        ("count", np.array(2), 2),
        ("share", np.float32(0.5), 0.5),
        ("share", 1, 1),
        ("share", Fraction(1, 2), 0.5),
        ("most", None, None),
        ("often", np.bool_(True), True),
        ("shares", [np.float64(0.25), 1], (0.25, 1)),
        ("shares", np.array([0.25, 0.5]), (0.25, 0.5)),
        ("pair", [3, 4], (3, 4)),
        ("folder", "run", Path("run")),
        ("how", "anything", "anything"),
        ("other", object, object),
    ],
)
def test_the_same_in_another_type_is_taken(name: str, given: object, kept: object) -> None:
    found = getattr(Value(**{name: given}), name)  # type: ignore[arg-type]
    assert found == kept
    assert type(found) is type(kept)


def test_a_function_keeps_its_name_its_signature_and_its_own_errors() -> None:
    assert taken.__name__ == "taken"
    assert list(inspect.signature(taken).parameters) == ["size", "place", "more"]
    assert taken(np.float32(0.5), Path("x"), 1, 2) == (0.5, Path("x"), (1, 2))
    assert taken([], "x") == ([], "x", ())  # a type that isn't there may be anything
    with pytest.raises(SettingsError, match="place must be a path, not 3"):
        taken(1.0, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"taken\(\) missing 1 required positional argument: 'place'"):
        taken(1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        Value(epoch=2)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="At least one"):
        Value(count=0)


WRONG: dict[str, object] = {
    "int": "2", "float": "2", "int | None": "2", "float | None": "2", "bool": "yes", "str | Path": 3, "Path | None": 3,
    "Path": 3, "Optimization": "adam", "Optimization | None": "adam", "Workspace | None": "folder", "Recipe": "paper",
    "PromptSettings": 16, "Stopping": 2, "Stratified": 100, "tuple[float, ...]": 0.1,
}  # fmt: skip
"""What a guesser may give, by the type that is declared."""


def public() -> Iterator[tuple[str, Callable[..., Any], str, object]]:
    """What is called, by each public name, a parameter of it, and what is wrong there."""
    for name in deft.__all__:
        made = getattr(deft, name)
        places = {name: made}
        if isinstance(made, type):
            places |= {f"{name}.{key}": getattr(made, key) for key in vars(made) if not key.startswith("_")}
        for place, called in places.items():
            if callable(called) and not inspect.isabstract(called) and place not in INSIDE:
                yield from ((place, called, key, wrong) for key, wrong in _wrong(called))


def _wrong(called: Callable[..., Any]) -> list[tuple[str, object]]:
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):  # a constructor without parameters
        return []
    kinds = [(one.name, one.annotation) for one in parameters]
    named = [(name, kind.__name__ if isinstance(kind, type) else str(kind)) for name, kind in kinds]
    return [(name, WRONG[kind]) for name, kind in named if kind in WRONG]


INSIDE = frozenset({
    # What training calls with its own numbers, what a screen is told by, and lines of a log.
    "Optimization.rate", "Stratified.draw", "Stopping.held_out", "TrainedDeFT.judge", "Processes.own", "Recipe.groups",
    "TensorBoard.measure", "LoggedProgress.measure", "LoggedProgress.track", "ProgressBar.track", "TensorBoard.track",
    "Progress.track", "Progress.measure", "DualEncoder.enter", "DualEncoder.pool", "DualEncoder.tower",
    "Training.rate_scale", "Training.losses", "Training.stage", "Training.starts_afresh", "TrainingContext",
    "Decisions.history", "Decisions.record", "Decisions.undo", "Decisions.copy_to", "Detection.reason",
    "LabelMatch.detect_part", "Detection.push_to_hub",
    *(f"{tuning}.{method}" for tuning in ("VPT", "LoRA", "Adapter", "Bias", "Frozen", "Full", "Layers", "Tuning")
      for method in ("attach", "first_layer")),
})  # fmt: skip


def test_what_a_guesser_gives_is_answered_by_a_sentence_everywhere() -> None:
    raw, asked = [], 0
    for place, called, key, wrong in public():
        asked += 1
        try:
            _call(called, {key: wrong}, place)
            raw.append(f"{place}({key}={wrong!r}) passed")
        except SettingsError as error:
            if not str(error).startswith(f"{key} must be "):
                raw.append(f"{place}: {error}")
        except Exception as error:
            raw.append(f"{place}({key}={wrong!r}): {type(error).__name__}: {error}")
    assert not raw, "\n".join(raw)
    assert asked > 150


def _call(called: Callable[..., Any], given: dict[str, Any], place: str) -> None:
    """Call with one argument; where it was passed on before it was looked at, with None for the others."""
    kind = getattr(deft, place.partition(".")[0])
    method = "." in place and not inspect.ismethod(called)
    own = [object.__new__(kind)] if method and not inspect.isabstract(kind) else [None] * method
    try:
        called(*own, **given)
    except TypeError as error:
        if "missing" not in str(error):
            raise
        parameters = list(inspect.signature(called).parameters.values())[len(own) :]
        called(*own, **{one.name: None for one in parameters if one.default is one.empty}, **given)
