"""How pictures become red, green and blue, alike for all images of a data set: black, white, and what is too large.

A picture of 8 bits a channel says by itself what its numbers mean. One of more bits, or of floats, does so only where
its file states a depth; elsewhere black and white are those of the data set, so that the same scene is equally bright
in every file, and a rule found on one data set (of a run, of a model) goes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from deft.arguments import checked

MAX_PIXELS = 178_956_970
"""A larger picture is taken for a decompression bomb and never decoded (Pillow's own limit), if not told otherwise."""

MAX_SECONDS = 30.0
"""An image that takes longer to read and decode is given up, if not told otherwise."""

FULL_SCALES = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)
"""White of pictures of 8, 10, 12, 14 and 16 bits."""

FLOAT = "float"
SIGNIFICANT = "16 bits, {} significant"
"""Kind of a 16-bit PNG whose sBIT chunk names fewer bits."""

PEDESTAL = 0.75  # a darkest value above so much of the brightest means that nothing is near black


@checked
@dataclass(frozen=True)
class ValueRange:
    """The numbers that mean black and white in a picture.

    Args:
        low: The number that is black.
        high: The number that is white.

    Example:
        >>> ValueRange(0, 4095).high
        4095
    """

    low: float
    high: float


@checked
@dataclass(frozen=True)
class PixelRule:
    """How the pictures of a data set are converted to RGB.

    Args:
        max_pixels: A picture with more pixels isn't decoded.
        max_seconds: An image that takes longer to read and decode is given up.
        ranges: Values of black and white by kind of picture with more than 8 bits ("16 bits", "float", ...).
        unknown: What to do with a kind that has no range: "measure" takes the range of the files at hand; "clip" reads
            its numbers as if they had 8 bits, as Pillow and transformers' pipelines do.

    Example:
        >>> PixelRule(max_pixels=10**9).max_pixels
        1000000000
    """

    max_pixels: int = MAX_PIXELS
    max_seconds: float = MAX_SECONDS
    ranges: Mapping[str, ValueRange] = field(default_factory=dict)
    unknown: Literal["measure", "clip"] = "measure"

    def range_of(self, kind: str, stated: ValueRange | None) -> ValueRange | None:
        """Return the values of black and white for a kind of picture; None where they have to be measured.

        Args:
            kind: Kind of picture, as in `ranges`.
            stated: The range that its file states, if any.
        """
        if kind in self.ranges:
            return self.ranges[kind]
        if self.unknown == "clip":
            return ValueRange(0.0, 255.0)
        return stated

    def with_ranges(self, ranges: Mapping[str, ValueRange]) -> PixelRule:
        """Return the same rule with more ranges.

        Args:
            ranges: Black and white by kind of picture; they win over those of the rule.
        """
        return replace(self, ranges={**self.ranges, **ranges})

    def settings(self) -> dict[str, Any]:
        """Return the rule as plain JSON values."""
        return {
            "max_pixels": self.max_pixels,
            "max_seconds": self.max_seconds,
            "ranges": {kind: [found.low, found.high] for kind, found in sorted(self.ranges.items())},
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any] | None) -> PixelRule:
        """Return the rule that `settings` described.

        Args:
            settings: As `settings` gives them; None stands for the usual rule.
        """
        if not settings:
            return cls()
        ranges = {str(kind): ValueRange(float(low), float(high)) for kind, (low, high) in settings["ranges"].items()}
        return cls(int(settings["max_pixels"]), float(settings["max_seconds"]), ranges)


def range_of_values(kind: str, measured: Iterable[ValueRange]) -> ValueRange:
    """Return black and white of a data set's pictures of one kind, from the values in its files.

    White is the largest value. Where that reaches half of a usual full scale (1 for floats, 255, 1023, 4095, 16383,
    65535) without exceeding it, white is that full scale: a data set of dim photos stays dim. Black is 0, or the
    smallest value where that is negative or nowhere near 0. All of this is continuous where a value exceeds a full
    scale: a brightest value of 1.0001 or 4096 changes next to nothing.

    Args:
        kind: Kind of the pictures.
        measured: The smallest and the largest value of every file, outliers aside.

    Example:
        >>> range_of_values("16 bits", [ValueRange(0, 1200), ValueRange(3, 4011)])
        ValueRange(low=0.0, high=4095.0)
    """
    every = list(measured)
    low, high = min(one.low for one in every), max(one.high for one in every)
    if told := re.fullmatch(SIGNIFICANT.format(r"(\d+)"), kind):
        # A PNG's values are to be scaled up to 16 bits; many writers don't.
        unscaled = 2.0 ** int(told[1]) - 1
        return ValueRange(0.0, unscaled if high <= unscaled else FULL_SCALES[-1])
    scales = (1.0, *FULL_SCALES) if kind == FLOAT else FULL_SCALES
    if kind != FLOAT:
        high = max(high, scales[0])
    white = next((scale for scale in scales if scale / 2 <= high <= scale), high)
    black = low if low < 0 or PEDESTAL * high < low < high else 0.0
    return ValueRange(black, white if white > black else black + 1.0)
