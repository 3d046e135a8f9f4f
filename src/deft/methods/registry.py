"""The methods by the names that the command line and saved settings use; each is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from deft.errors import SettingsError
from deft.homes import look_up

if TYPE_CHECKING:
    from deft.methods.base import Method

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "ce": "deft.methods.cross_entropy:CE",
        "gce": "deft.methods.gce:GCE",
        "truncated-gce": "deft.methods.gce:TruncatedGCE",
        "sce": "deft.methods.sce:SCE",
        "elr": "deft.methods.elr:ELR",
        "gmm": "deft.methods.gmm:GMM",
        "co-teaching": "deft.methods.co_teaching:CoTeaching",
        "rolt": "deft.methods.rolt:RoLT",
        "unicon": "deft.methods.unicon:UNICON",
        "longremix": "deft.methods.longremix:LongReMix",
        "promix": "deft.methods.promix:ProMix",
        "turn": "deft.methods.turn:TURN",
    }
)
"""Name to `module:class`, in the order of `methods.md`."""


def method_class(name: str) -> type[Method]:
    """Return the settings class of a method.

    Args:
        name: A key of `METHODS`.

    Raises:
        SettingsError: There is no method of that name.

    Example:
        >>> method_class("gce")(q=0.5)
        GCE(q=0.5)
    """
    found: type[Method] = look_up(METHODS, "method", name)
    return found


def method_of(given: Method | str) -> Method:
    """Return a method as it is, or the one that a name stands for, with its own settings.

    Args:
        given: A method, or a key of `METHODS`.

    Raises:
        SettingsError: It is neither.

    Example:
        >>> method_of("gce")
        GCE()
    """
    if isinstance(given, str):
        return method_class(given)()
    if isinstance(given, type) or not hasattr(given, "settings"):
        raise SettingsError(f"A method is a value such as deft.GCE(), or its name; {given!r} is none.")
    return given
