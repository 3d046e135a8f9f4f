"""How a model wants its images: side, normalisation and the way to reach a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RGB = tuple[float, float, float]


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
    """

    size: int
    mean: RGB
    std: RGB
    fit: Literal["crop", "squash"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
