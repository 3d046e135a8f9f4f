"""How a model wants its images: side, normalisation and the way to reach a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Margin:
    """A larger square from which what a model reads is cut out: at a random place in random views.

    Args:
        side: Side of the larger square, in pixels.
        plain: What the plain view is: "whole", the larger square reduced, or "centre", cut out of its middle.
    """

    side: int = 256
    plain: Literal["whole", "centre"] = "centre"


@dataclass(frozen=True)
class ImageSpec:
    """What an encoder expects of its pixels.

    Args:
        size: Side of the square image, in pixels.
        mean: Per-channel mean of the values in 0..1, subtracted.
        std: Per-channel standard deviation of the values in 0..1, divided by.
        fit: How a photo becomes a square: "crop" resizes the shorter side and takes the centre (CLIP),
            "squash" resizes both sides (SigLIP).
        interpolation: Filter of the resize.
        margin: What photos are kept larger by; None keeps just what the model reads, and shifts it in random views.
    """

    size: int
    mean: RGB
    std: RGB
    fit: Literal["crop", "squash"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    margin: Margin | None = None

    @property
    def kept(self) -> int:
        """Side of the square that is kept of each photo, in pixels."""
        return self.size if self.margin is None else self.margin.side
