"""What the numbers and names of options may be: callbacks that refuse the rest with a sentence."""

from __future__ import annotations

import math
import re

import typer

from deft.errors import SettingsError
from deft.settings import MOST_SEED, check_noise_rate

MOST = 1_000_000
"""The largest value of options that count something; what is larger is a slip."""

MOST_ROWS = 10**12
"""The same for images and pixels."""

_DEVICE = re.compile(r"auto|(?:cpu|cuda|mps|xpu|xla|hpu|npu|mtia)(?::\d+)?")


def positive(value: float | None) -> float | None:
    """Return a number that is positive and not too large.

    Args:
        value: What was typed; None for nothing.
    """
    if value is not None and not 0 < value <= MOST:
        raise typer.BadParameter(f"it must be positive and at most {MOST}, not {value:g}.")
    return value


def number(value: float | None) -> float | None:
    """Return the value of an option that has bounds, which every comparison with nan passes.

    Args:
        value: What was typed; None for nothing.
    """
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is no number.")
    return value


def rate(value: float | None) -> float | None:
    """Return a share of wrong labels.

    Args:
        value: What was typed; None for nothing.
    """
    try:
        check_noise_rate(value)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    return value


def seed(value: int) -> int:
    """Return a seed that every generator takes.

    Args:
        value: What was typed.
    """
    if not 0 <= value <= MOST_SEED:
        raise typer.BadParameter(f"a seed lies in 0 to {MOST_SEED}; {value} doesn't.")
    return value


def device(value: str) -> str:
    """Return the name of a device that may be there.

    Args:
        value: What was typed.

    Raises:
        SettingsError: There is no device of that name.
    """
    if not _DEVICE.fullmatch(value):
        raise SettingsError(f"There is no device {value!r}. Known: auto, cpu, cuda, cuda:1, mps and the like.")
    return value
