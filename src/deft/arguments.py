"""What callers give to public functions and values, checked against what is declared, before anything begins.

A number typed as text would else end in an error from the inside, some minutes later: `epochs="2"` can't be compared
with 1. What has the right meaning in another type is taken: a NumPy number, a path as text, a list for a tuple.
"""

from __future__ import annotations

import builtins
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, wraps
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from deft.errors import SettingsError

C = TypeVar("C", bound=Callable[..., Any])

_LONGEST = 60  # letters of a value that a sentence repeats


_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class _Unfit(Exception):
    """A value isn't of a type."""


def checked(made: C) -> C:
    """Return a function, or a frozen dataclass, that answers an argument of a wrong type with one sentence.

    Checked are numbers, truth values, texts, paths, tuples of these, and settings such as `Optimization`; all other
    types are left to whoever takes them.

    Args:
        made: What is called; of a class, its constructor is.

    Raises:
        SettingsError: On a call, where an argument isn't what is declared.

    Example:
        >>> @checked
        ... def train(epochs: int = 10) -> int:
        ...     return epochs
        >>> train("2")
        Traceback (most recent call last):
        deft.errors.SettingsError: epochs must be a whole number, not '2'.
    """
    if isinstance(made, type):
        made.__init__ = _checking(made.__init__, made)  # type: ignore[misc]
        return made
    return cast(C, _checking(made, made))


def _checking(function: Any, declared: Any) -> Any:
    @wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        signature, hints = _declaration(function, declared)
        try:
            bound = signature.bind_partial(*args, **given)
        except TypeError:  # which the function itself says, of its own name
            return function(*args, **given)
        for name, value in bound.arguments.items():
            if name in hints and value is not signature.parameters[name].default:
                bound.arguments[name] = _fit(name, value, hints[name])
        return function(*bound.args, **bound.kwargs)

    return call


@cache
def _declaration(function: Any, declared: Any) -> tuple[inspect.Signature, Mapping[str, Any]]:
    """Return the signature of what is called, and those types of its parameters that can be checked."""
    signature = inspect.signature(function)
    kinds = reversed(declared.__mro__) if isinstance(declared, type) else [declared]
    single = {one.name for one in signature.parameters.values() if one.kind not in _MANY}
    hints = {name: hint for kind in kinds for name, hint in _hints(kind) if name in single}
    return signature, {name: hint for name, hint in hints.items() if any(map(_is_known, _choices(hint)))}


def _hints(declared: Any) -> Iterable[tuple[str, Any]]:
    """Yield the names that a class or function declares, with their types; what only a type checker knows is any."""
    around = vars(sys.modules[declared.__module__])
    for name, hint in inspect.get_annotations(declared).items():
        alone = types.SimpleNamespace(__annotations__={name: hint})
        try:
            yield name, get_type_hints(alone, globalns=around, localns=_Names(around))[name]
        except (AttributeError, TypeError):  # a type of a module that only a type checker imports
            yield name, Any


class _Names(dict[str, Any]):
    """The names of a module; one that it doesn't have is any type."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, Any)


def _fit(name: str, value: Any, hint: Any) -> Any:
    """Return a value as its type wants it.

    Raises:
        SettingsError: It can't be that.
    """
    choices = _choices(hint)
    if value is None and type(None) in choices:
        return None
    plain = _plain(value)
    for choice in choices:
        if choice is type(None):
            continue
        try:
            return _as(choice, plain if _is_known(choice) else value)
        except _Unfit:
            continue
    wanted = dict.fromkeys("None" if choice is type(None) else _wanted(choice) for choice in choices)
    if "a path" in wanted:  # which may be a text
        wanted.pop("text", None)
    raise SettingsError(f"{name} must be {' or '.join(wanted)}, not {said(value)}.")


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the types of which a value must have one."""
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return tuple(os.PathLike if get_origin(one) is os.PathLike else one for one in choices)


def _plain(value: Any) -> Any:
    """Return a number of NumPy's or torch's, also in an array without axes, as Python's own."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _as(kind: Any, value: Any) -> Any:
    """Return a value as one of a type.

    Raises:
        _Unfit: It is none.
    """
    if get_origin(kind) is tuple:
        return _as_tuple(get_args(kind), value)
    if isinstance(kind, type) and not _fits(kind, value):
        raise _Unfit
    if kind is Path:
        return Path(value)
    return float(value) if kind is float and not isinstance(value, (int, float)) else value


def _as_tuple(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise _Unfit
    items = tuple(map(_plain, value))
    kinds = inner[:1] * len(items) if inner[-1] is Ellipsis else inner
    if len(kinds) != len(items):
        raise _Unfit
    return tuple(_as(kind, item) for kind, item in zip(kinds, items, strict=True))


def _fits(kind: type, value: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind in (int, float):
        return isinstance(value, int if kind is int else Real) and not isinstance(value, bool)
    if issubclass(kind, os.PathLike):
        return isinstance(value, (str, os.PathLike))
    return isinstance(value, kind) if _is_known(kind) else True


def _is_known(kind: Any) -> bool:
    """Return whether a type is one that is checked."""
    if get_origin(kind) is tuple:
        inner = [one for one in get_args(kind) if one is not Ellipsis]
        return all(one in (int, float, str) for one in inner)
    if not isinstance(kind, type):
        return False
    return kind in (bool, int, float, str) or issubclass(kind, os.PathLike) or _is_settings(kind)


def _is_settings(kind: type) -> bool:
    """Return whether a type holds settings, each with a default, and so can be made without arguments."""
    if not (is_dataclass(kind) and kind.__module__.startswith("deft.")):
        return False
    return all(not (one.default is MISSING and one.default_factory is MISSING) for one in fields(kind))


def _wanted(kind: Any) -> str:
    """Return what a person has to give for a value of a type."""
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        what = {int: "whole numbers", float: "numbers"}.get(inner[0], "texts")
        return f"several {what}" if inner[-1] is Ellipsis else f"{len(inner)} {what}"
    if not isinstance(kind, type):
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if issubclass(kind, os.PathLike):
        return "a path"
    words = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
    return words.get(kind) or f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def said(value: Any) -> str:
    """Return a value as a sentence repeats it: as it was typed, or by its type where that would be long.

    Args:
        value: Anything.

    Example:
        >>> said("2"), said([0] * 99)
        ("'2'", 'something of the type list')
    """
    shown = repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if len(shown) <= _LONGEST and "\n" not in shown and " at 0x" not in shown:
        return shown
    return f"something of the type {type(value).__name__}"
