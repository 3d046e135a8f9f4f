"""From kept images to what a method reads: samples to learn from, and those that are held back for validation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from deft.adaptation.backbones import Backbone
from deft.adaptation.validation import Validation, split_off
from deft.data.images import LabeledImages
from deft.data.pixel_rule import PixelRule
from deft.errors import DataError
from deft.methods.base import Method
from deft.training.batches import Batches
from deft.training.inputs import Reading, open_inputs
from deft.training.workspace import Workspace

STRONG_VIEWS = 2
"""Strongly augmented views that are kept of each image for methods that draw such."""


@dataclass(frozen=True)
class Samples:
    """What a run reads.

    Args:
        train: Samples to learn from.
        validation: Samples to watch with.
        description: The validation as JSON, for the identity of a run.
        pixels: The rule by which the pictures that it learns from were read.
    """

    train: Batches
    validation: Batches | None
    description: object
    pixels: PixelRule


@contextlib.contextmanager
def open_samples(
    backbone: Backbone,
    images: LabeledImages,
    method: Method,
    watching: Validation | None,
    space: Workspace,
    reading: Reading,
) -> Iterator[Samples]:
    """Decode the images and compute once whatever doesn't change.

    Args:
        backbone: Says what a batch holds.
        images: What to learn from.
        method: Says which views are needed.
        watching: What is held back, or given beside.
        space: Where and how to run.
        reading: Batch size, number format, and the seed of order, views and split.

    Raises:
        DataError: Nothing is left to learn from, fewer than two classes, or a validation image of another class.
    """
    if not len(images):
        raise DataError("No image is left to learn from: every label was found wrong, or no image was given.")
    of = None if watching is None else watching.of
    others = of.in_classes(images.classes) if isinstance(of, LabeledImages) else None
    learning = replace(reading, strong_views=STRONG_VIEWS if "strong" in method.views else 0)
    shares = of is not None and others is None  # what is held back must not be a copy of what is learned
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_inputs(backbone.frozen, images, space, learning, duplicates=shares))
        every = opened.batches
        rule = opened.images.pixels
        train: np.ndarray = every.rows
        held: Batches | None = None
        description: list[object] = [] if watching is None else [watching.keep]
        if others is not None:
            others = replace(others, pixels=others.pixels.with_ranges(rule.ranges))
            description += [others.fingerprint, others.label_fingerprint]
            plain = replace(reading, views=1)
            beside = space if space.folder is None else replace(space, folder=space.folder / "validation")
            held = stack.enter_context(
                open_inputs(backbone.frozen, others, beside, plain, least_classes=1, duplicates=False)
            ).batches
        elif of is not None and not isinstance(of, LabeledImages):
            train, kept_back = split_off(images.labels, every.rows, of, seed=reading.seed, groups=opened.groups)
            description.append(of)
            held = _part(every, kept_back)
        _name_missing(images, train, space)
        yield Samples(_part(every, train), held, description, rule)


def _part(every: Batches, rows: np.ndarray) -> Batches:
    """Return some of the rows, in the order and views that a data set of only these would have."""
    return Batches(
        every.loader,
        every.labels,
        rows,
        batch_size=every.batch_size,
        seed=every.seed,
        device=every.device,
        processes=every.processes,
    )


def _name_missing(images: LabeledImages, rows: np.ndarray, space: Workspace) -> None:
    counts = np.bincount(images.labels[rows], minlength=len(images.classes))
    missing = [images.classes[k] for k in np.flatnonzero(counts == 0)]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        space.progress.note(
            f"No image is left of {', '.join(missing[:5])}{more}; the classifier will hardly ever say so."
        )
