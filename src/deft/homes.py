"""The tables of the house name what they hold as `module:attribute`; it is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from deft.errors import SettingsError


def at_home(home: str) -> Any:
    """Return what lies at `module:attribute`.

    Example:
        >>> at_home("deft.methods.gce:GCE").__name__
        'GCE'
    """
    module, _, attribute = home.partition(":")
    return getattr(import_module(module), attribute)


def look_up(table: Mapping[str, str], what: str, name: str) -> Any:
    """Return what a table has under a name.

    Args:
        table: Names with their `module:attribute`.
        what: What the table holds, for the error.
        name: A key of it.

    Raises:
        SettingsError: The table has no such name.

    Example:
        >>> look_up({"gce": "deft.methods.gce:GCE"}, "method", "gce").__name__
        'GCE'
    """
    if name not in table:
        raise SettingsError(f"There is no {what} {name!r}. Known: {', '.join(table)}.")
    return at_home(table[name])
