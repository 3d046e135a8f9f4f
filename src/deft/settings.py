"""Frozen values and their settings: as plain JSON values and back, and as `key=value` from a command line.

A frozen value (a detector, a method, a recipe) is a frozen dataclass. Its settings are its fields; the settings of a
field that is itself a frozen value are reached with a dot, as in `recipe.warmup`.
"""

from __future__ import annotations

import difflib
import math
import operator
import types
from collections.abc import Callable, Container, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from deft.errors import SettingsError

MOST_SEED = 2**32 - 1
"""The largest seed that every generator takes; scikit-learn's take no larger one."""

MOST_NUMBER = 1e12
"""No setting is larger; what is, is a slip, and so are numbers of more digits than `MOST_DIGITS`."""

MOST_DIGITS = 40

T = TypeVar("T")
Readers = Mapping[type, Callable[[Any], Any]]
"""How settings of an abstract type become a value, by the type: which class they name is the type's own business."""


def check_noise_rate(rate: float | None) -> None:
    """Refuse what is no share of wrong labels.

    Args:
        rate: As it was told; None where it wasn't.

    Raises:
        SettingsError: It isn't in 0 ≤ r < 1.
    """
    if rate is not None and not 0 <= rate < 1:
        raise SettingsError(f"The noise rate must lie in 0 ≤ r < 1, not {rate}.")


def to_settings(value: Any, *, without: Container[str] = ()) -> dict[str, Any]:
    """Return the fields of a frozen value as plain JSON values.

    A field that has a `settings` method of its own is asked for them.

    Args:
        value: A frozen dataclass.
        without: Fields to leave out.

    Example:
        >>> to_settings(Recipe())["warmup"]  # doctest: +SKIP
        1
    """
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name not in without}


def from_settings(kind: type[T], settings: Mapping[str, Any], readers: Readers | None = None, **given: Any) -> T:
    """Return the frozen value that `to_settings` described.

    A field that the settings lack takes its default, so a new field's default has to be what was done before it.

    Args:
        kind: A frozen dataclass.
        settings: Its fields by name, as plain JSON values.
        readers: Functions that read fields of abstract types, by type.
        given: Fields that settings don't hold, such as a model.

    Raises:
        SettingsError: The settings name a field that there isn't, or a value doesn't fit.

    Example:
        >>> from_settings(Recipe, {"warmup": 5})  # doctest: +SKIP
        Recipe(warmup=5, ...)
    """
    hints, known = get_type_hints(kind), [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise SettingsError(
            f"These are settings of another version of deft: {kind.__name__} has no setting {unknown[0]!r}."
        )
    try:
        return kind(**given, **{name: _read(hints[name], value, readers or {}) for name, value in settings.items()})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise SettingsError(f"These are settings of another version of deft: {error}.") from error


def setting_keys(value: Any) -> dict[str, Any]:
    """Return every setting of a frozen value by its dotted key, with its present value.

    Example:
        >>> setting_keys(GCE())
        {'q': 0.7, 'warmup': 0}
    """
    return {key: operator.attrgetter(key)(value) for key in setting_types(value)}


def changed(value: T, changes: Mapping[str, Any]) -> T:
    """Return a frozen value with other settings.

    Args:
        value: The frozen value.
        changes: New values by dotted key.

    Raises:
        SettingsError: There is no such setting, or its value isn't allowed.

    Example:
        >>> changed(DeFT(encoder), {"epochs": 5, "recipe.warmup": 2})  # doctest: +SKIP
    """
    known = [field.name for field in fields(value)]  # type: ignore[arg-type]
    here: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    for key, new in changes.items():
        name, _, rest = key.partition(".")
        if name not in known or (rest and not is_dataclass(getattr(value, name))):
            raise SettingsError(f"There is no setting {key!r}. Known: {', '.join(setting_keys(value)) or 'none'}.")
        if rest:
            inside.setdefault(name, {})[rest] = new
        else:
            here[name] = new
    # A field that is replaced as a whole comes first, its own settings after it.
    first = replace(value, **here) if here else value  # type: ignore[type-var]
    return replace(first, **{name: changed(getattr(first, name), new) for name, new in inside.items()})  # type: ignore[type-var]


def setting_types(value: Any) -> dict[str, Any]:
    """Return the type of every setting of a frozen value by its dotted key.

    Example:
        >>> setting_types(GCE())
        {'q': <class 'float'>, 'warmup': <class 'int'>}
    """
    found: dict[str, Any] = {}
    for name, hint in _hints(value).items():
        inner = getattr(value, name)
        if is_dataclass(inner):
            found |= {f"{name}.{key}": below for key, below in setting_types(inner).items()}
        elif _parser(hint) is not None:
            found[name] = hint
    return found


def parse_settings(value: Any, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return typed values for the settings of a frozen value.

    Args:
        value: The frozen value.
        texts: What was typed, by dotted key: a number, `true`, a name, `none`, or several with commas.

    Raises:
        SettingsError: There is no such setting, or the text is no value of its type.

    Example:
        >>> parse_settings(GCE(), {"q": "0.5"})
        {'q': 0.5}
    """
    return parse_typed(setting_types(value), texts)


def parse_typed(known: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return typed values for settings whose types are known.

    Args:
        known: Type of every setting by its dotted key, as `setting_types` or `declared_types` give them.
        texts: What was typed, as in `parse_settings`.

    Raises:
        SettingsError: There is no such setting, or the text is no value of its type.

    Example:
        >>> parse_typed({"q": float}, {"q": "0.5"})
        {'q': 0.5}
    """
    found = {}
    for key, text in texts.items():
        if key not in known:
            near = [name for name in known if name.rpartition(".")[2] == key] or difflib.get_close_matches(key, known)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise SettingsError(f"There is no setting {key!r}.{meant} Known: {', '.join(known) or 'none'}.")
        found[key] = _parse(key, known[key], text)
    return found


def _hints(value: Any) -> dict[str, Any]:
    hints = get_type_hints(type(value))
    return {field.name: hints[field.name] for field in fields(value)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        own = getattr(value, "settings", None)  # which may add to the fields, as a tuning adds its type
        return to_settings(value) if own is None else own()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _read(hint: Any, value: Any, readers: Readers) -> Any:
    if hint in readers:
        return readers[hint](value)
    if get_origin(hint) in (Union, types.UnionType):
        inner = [choice for choice in get_args(hint) if choice is not type(None)]
        return value if value is None or len(inner) != 1 else _read(inner[0], value, readers)
    if isinstance(hint, type) and is_dataclass(hint):
        return from_settings(hint, value, readers)
    return tuple(value) if get_origin(hint) is tuple else value


def _parse(key: str, hint: Any, text: str) -> Any:
    parser = _parser(hint)
    assert parser is not None  # only such settings have keys
    try:
        return parser(text.strip())
    except ValueError as error:
        raise SettingsError(f"{key} can't be {text!r}: {_wanted(hint)} is needed.") from error


def _parser(hint: Any) -> Callable[[str], Any] | None:
    """Return what reads a value of a type from text; None for types that can't be typed."""
    if hint is bool:
        return lambda text: _choice(text.lower(), {"true": True, "false": False})
    if hint is str:
        return str
    if hint in (int, float):
        return lambda text: _number(hint, text)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return lambda text: _choice(text, {str(choice): choice for choice in inner})
    if origin in (Union, types.UnionType):
        parsers = [parser for choice in inner if (parser := _parser(choice)) is not None]
        return None if len(parsers) != 1 else lambda text: None if text.lower() == "none" else parsers[0](text)
    if origin is tuple and (one := _parser(inner[0])) is not None:
        return lambda text: _several(text, one, None if inner[-1] is Ellipsis else len(inner))
    return None


def _number(kind: type[int] | type[float], text: str) -> float:
    value = kind(text) if len(text) <= MOST_DIGITS else math.inf
    if not abs(value) <= MOST_NUMBER:
        raise ValueError(text)
    return value


def _choice(text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        raise ValueError(text)
    return choices[text]


def _several(text: str, one: Callable[[str], Any], count: int | None) -> tuple[Any, ...]:
    values = tuple(one(part.strip()) for part in text.split(",")) if text else ()
    if count is not None and len(values) != count:
        raise ValueError(text)
    return values


def _wanted(hint: Any) -> str:
    """Return what a person has to type for a value of a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " or ".join("none" if choice is type(None) else _wanted(choice) for choice in inner)
    if origin is tuple:
        return ("several" if inner[-1] is Ellipsis else str(len(inner))) + " of them with commas between"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(hint, "text")
