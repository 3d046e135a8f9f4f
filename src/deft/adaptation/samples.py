"""From kept images to what a method reads: pixels, kept tokens or kept features, and what is held back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deft.adaptation.backbones import Backbone
from deft.adaptation.validation import Validation, split_off
from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.methods.base import Method
from deft.training.batches import Batches, Loader, PixelLoader
from deft.training.feature_bank import keep_outputs
from deft.training.pixel_store import PixelStore
from deft.training.precision import resolve_precision
from deft.training.workspace import Workspace

WEAK_VIEWS, STRONG_VIEWS = 2, 2
"""Views that are kept of each image where a frozen part is computed once: a plain one and crops; strong ones."""


@dataclass(frozen=True)
class Samples:
    """What a run reads.

    Args:
        train: Samples to learn from.
        validation: Samples to watch with.
        description: The validation as JSON, for the identity of a run.
    """

    train: Batches
    validation: Batches | None
    description: object


@contextlib.contextmanager
def open_samples(
    backbone: Backbone,
    images: LabeledImages,
    method: Method,
    watching: Validation | None,
    space: Workspace,
    *,
    batch_size: int,
    seed: int,
) -> Iterator[Samples]:
    """Decode the images and compute once whatever doesn't change.

    Args:
        backbone: Says what a batch holds.
        images: What to learn from.
        method: Says which views are needed.
        watching: What is held back, or given beside.
        space: Where and how to run.
        batch_size: Images per step.
        seed: Draws order, views and the split.

    Raises:
        DataError: Nothing is left to learn from, or fewer than two classes.
    """
    if not len(images):
        raise DataError("No image is left to learn from: every label was found wrong, or no image was given.")
    with space.open() as folder, contextlib.ExitStack() as stack:
        views = (WEAK_VIEWS, STRONG_VIEWS if "strong" in method.views else 0)
        every = stack.enter_context(_read(backbone, images, folder, space, batch_size, seed, views))
        train: np.ndarray = every.rows
        held: Batches | None = None
        description: list[object] = []
        of = None if watching is None else watching.of
        if watching is not None:
            description.append(watching.keep)
        if isinstance(of, LabeledImages):
            others = _same_classes(of, images.classes)
            description += [others.fingerprint, others.label_fingerprint]
            held = stack.enter_context(_read(backbone, others, folder / "validation", space, batch_size, seed, (1, 0)))
        elif of is not None:
            train, kept_back = split_off(images.labels, every.rows, of, seed=seed)
            description.append(of)
            held = _part(every, kept_back)
        _check_classes(images, train, space)
        yield Samples(_part(every, train), held, description)


@contextlib.contextmanager
def _read(
    backbone: Backbone,
    images: LabeledImages,
    folder: Path,
    space: Workspace,
    batch_size: int,
    seed: int,
    views: tuple[int, int],
) -> Iterator[Batches]:
    """All readable images with labels, as the backbone's entry wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    store = PixelStore.build(images, backbone.spec, folder, workers=space.workers, progress=space.progress)
    with store:
        rows = np.array([row for row in range(len(images)) if row not in store.errors], np.int64)
        loader: Loader = PixelLoader(store, backbone.spec, backbone.device)
        batches = Batches(loader, images.labels, rows, batch_size=batch_size, seed=seed, device=backbone.device)
        if backbone.entry != "pixels":
            batches.loader = keep_outputs(
                backbone.encode(),
                batches,
                folder,
                views=views[0],
                strong=views[1],
                precision=resolve_precision("auto", backbone.device),
                progress=space.progress,
            )
        yield batches


def _part(every: Batches, rows: np.ndarray) -> Batches:
    """Some of the rows, with the order and views that a data set of only these would have."""
    return Batches(every.loader, every.labels, rows, batch_size=every.batch_size, seed=every.seed, device=every.device)


def _check_classes(images: LabeledImages, rows: np.ndarray, space: Workspace) -> None:
    counts = np.bincount(images.labels[rows], minlength=len(images.classes))
    if (counts > 0).sum() < 2:
        left = ", ".join(images.classes[k] for k in np.flatnonzero(counts)) or "none"
        raise DataError(
            f"Only images of one class are left to learn from ({left}, {len(rows)} images); a classifier needs two."
        )
    missing = [images.classes[k] for k in np.flatnonzero(counts == 0)]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        space.progress.note(
            f"No image is left of {', '.join(missing[:5])}{more}; the classifier will hardly ever say so."
        )


def _same_classes(images: LabeledImages, classes: tuple[str, ...]) -> LabeledImages:
    """Validation images with labels counted in the classes of the training images."""
    unknown = [name for name in images.classes if name not in classes]
    if unknown:
        raise DataError(
            f"The validation images have the class {unknown[0]!r}, which the training images don't. "
            f"Theirs are: {', '.join(classes[:20])}."
        )
    index = np.array([*(classes.index(name) for name in images.classes), -1], np.int64)
    return replace(images.relabel(index[images.labels], classes), clean_labels=None)
