"""The options that say which images are too large or take too long, the same for every command that reads images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from deft.cli.bounds import MOST, MOST_ROWS, number
from deft.cli.options import DATA, option

if TYPE_CHECKING:
    from deft.adaptation.training_set import TrainingSet
    from deft.data.images import LabeledImages

MaxPixels = Annotated[
    int | None,
    option(
        DATA,
        "--max-pixels",
        metavar="N",
        min=1,
        max=MOST_ROWS,
        help="A larger image isn't decoded; 178956970 if not given.",
    ),
]
MaxSeconds = Annotated[
    float | None,
    option(
        DATA,
        "--max-seconds",
        metavar="S",
        min=0.1,
        max=MOST,
        callback=number,
        help="An image that takes longer to read is given up; 30 if not given.",
    ),
]


def with_limits(images: LabeledImages, max_pixels: int | None, max_seconds: float | None) -> LabeledImages:
    """Return the images with limits on what may be decoded; None leaves a limit as it is."""
    given = {"max_pixels": max_pixels, "max_seconds": max_seconds}
    limits: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(images, pixels=replace(images.pixels, **limits)) if limits else images


def kept_with_limits(kept: TrainingSet, max_pixels: int | None, max_seconds: float | None) -> TrainingSet:
    """Return images to learn from with the same limits."""
    return replace(kept, images=with_limits(kept.images, max_pixels, max_seconds))
