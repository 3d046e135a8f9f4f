"""How the image tower adapts: choose by type, `VPT(length=20)`, `LoRA(rank=8)`, `Frozen()`, ..."""

from __future__ import annotations

from collections.abc import Mapping

from deft.errors import SettingsError
from deft.tuning.adapter import Adapter
from deft.tuning.base import Attachment, Tuning
from deft.tuning.fine_tuning import Bias, Frozen, Full, Layers
from deft.tuning.lora import LoRA
from deft.tuning.vpt import VPT

TUNINGS: dict[str, type[Tuning]] = {
    "Adapter": Adapter,
    "Bias": Bias,
    "Frozen": Frozen,
    "Full": Full,
    "Layers": Layers,
    "LoRA": LoRA,
    "VPT": VPT,
}


def tuning_from_settings(settings: Mapping[str, object]) -> Tuning:
    """Return the tuning that `Tuning.settings` described.

    Raises:
        SettingsError: There is no tuning of that name.
    """
    values = dict(settings)
    kind = str(values.pop("type", None))
    if kind not in TUNINGS:
        raise SettingsError(f"Unknown tuning {kind!r}. Known: {', '.join(sorted(TUNINGS))}.")
    return TUNINGS[kind](**values)


def tuning_of(given: Tuning | str) -> Tuning:
    """Return a tuning as it is, or the one that a name stands for, with its own settings.

    Args:
        given: A tuning, or the name of its type in any case.

    Raises:
        SettingsError: It is neither.

    Example:
        >>> tuning_of("vpt")
        VPT()
    """
    if isinstance(given, Tuning):
        return given
    names = {name.lower(): kind for name, kind in TUNINGS.items()}
    if isinstance(given, str) and given.lower() in names:
        return names[given.lower()]()
    known = ", ".join(f"{name}()" for name in sorted(TUNINGS))
    raise SettingsError(f"A tuning is one of {known}, or its name; {given!r} is none.")


__all__ = [
    "TUNINGS",
    "VPT",
    "Adapter",
    "Attachment",
    "Bias",
    "Frozen",
    "Full",
    "Layers",
    "LoRA",
    "Tuning",
    "tuning_from_settings",
    "tuning_of",
]
