"""From labelled images to batches: pixels, or what a frozen part of a model gives, computed once per image."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from deft.data.duplicates import exact_copies, find_groups, kinds_of, pixel_names, small_grey
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.similar import with_similar
from deft.errors import DataError, SettingsError, UnreadableError
from deft.progress import Progress
from deft.runs.earlier import kept_features
from deft.settings import MOST_SEED
from deft.training.batches import Batches
from deft.training.feature_bank import BankLoader, keep_outputs
from deft.training.finite import NotFinite
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore
from deft.training.precision import Precision, resolve_precision
from deft.training.workspace import Workspace

PIECE = 256
"""Images whose pixels are compared at once."""


@dataclass(frozen=True)
class FrozenPart:
    """The first part of an image model, up to where its trained weights begin.

    Args:
        spec: The pixels that the model wants.
        device: Where the model is.
        compute: Gives tokens (B, L, W) or features (B, D) of pixels (B, 3, S, S); it runs once per image and view.
            None where training begins at the pixels.
        augmented: Whether random views are kept too, besides the plain one.
        identity: Names what `compute` gives, weights included, where other runs may go on with it.
    """

    spec: ImageSpec
    device: torch.device
    compute: Callable[[Tensor], Tensor] | None = None
    augmented: bool = True
    identity: Callable[[], str] | None = None


@dataclass(frozen=True)
class Reading:
    """How images are read.

    Args:
        batch_size: Samples per batch.
        seed: Draws order and augmentation.
        precision: Number format in which the frozen part is computed.
        views: Views kept of each image where a frozen part is computed once: the plain one, and crops.
        strong_views: Strongly augmented views kept beside them, for methods that draw such.

    Raises:
        SettingsError: One of them is out of its bounds.
    """

    batch_size: int = 64
    seed: int = 0
    precision: Precision = "auto"
    views: int = 2
    strong_views: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise SettingsError(f"The batch size must be at least 1, not {self.batch_size}.")
        if self.views < 1:
            raise SettingsError(f"At least one view is kept of each image, not {self.views}.")
        if not 0 <= self.seed <= MOST_SEED:
            raise SettingsError(f"The seed must lie in 0 to {MOST_SEED}, not {self.seed}.")
        if self.precision not in get_args(Precision):
            raise SettingsError(f"Unknown precision {self.precision!r}. Known: {', '.join(get_args(Precision))}.")


@dataclass(frozen=True)
class Inputs:
    """What training and scoring read.

    Args:
        batches: The images that can be used, in batches.
        read_errors: Row to reason, of the images that can't be used.
        trusted: Whether a person has confirmed the label, bool (N,).
        groups: Number of the group of duplicates of each image, int64 (N,), −1 for none; all −1 if none were sought.
        images: The images, with the rule by which their pixels were read.
        image_notes: Row to what is odd about a picture that can be used.
        name: What names the features that batches hold, for a later run; empty where they hold none.
        kinds: By what each image is known for a duplicate, places in `deft.data.duplicates.KINDS`, (N,), −1 for none.
    """

    batches: Batches
    read_errors: Mapping[int, str]
    trusted: np.ndarray
    groups: np.ndarray
    images: LabeledImages
    image_notes: Mapping[int, str] = field(default_factory=dict)
    name: str = ""
    kinds: np.ndarray | None = None


@contextlib.contextmanager
def open_inputs(
    part: FrozenPart,
    images: LabeledImages,
    workspace: Workspace,
    reading: Reading,
    *,
    least_classes: int = 2,
    duplicates: bool = True,
) -> Iterator[Inputs]:
    """Decode the images, and compute once whatever does not change in training.

    Everything that is opened is closed at the end, whether or not it ends with an error.

    Args:
        part: Says what a batch holds.
        images: What to read, N of them.
        workspace: Where and how to work.
        reading: Batch size, seed, number format and views.
        least_classes: How many classes must have images that can be used.
        duplicates: Whether to look for them; the members of a group then count as one image in an epoch.

    Raises:
        DataError: No image can be read, too few classes have images, or all show the same picture.
        ModelError: A number that is computed of the inputs, here or by the caller, isn't finite.
    """
    with workspace.open() as folder, contextlib.ExitStack() as opened:
        store = opened.enter_context(_decoded(images, part.spec, workspace, folder))
        rows = np.array([row for row in range(len(images)) if row not in store.errors], np.int64)
        _check_classes(images, rows, least_classes, store.errors)
        pixels = PixelLoader(store, part.spec, part.device)
        by_pixels, copies = _groups(store, rows if duplicates else rows[:0], images.labels, workspace.progress)
        groups = by_pixels
        if least_classes > 1:
            _refuse_alike(store, rows, groups)
        batches = Batches(
            pixels,
            images.labels,
            rows,
            batch_size=reading.batch_size,
            seed=reading.seed,
            device=part.device,
            processes=workspace.processes,
            groups=groups,
        )
        read = replace(images, pixels=store.rule)
        try:
            if part.compute is not None:
                kept = opened.enter_context(_kept(part, part.compute, batches, images, workspace, reading, folder))
                batches.loader = kept
                if duplicates and kept.has_features:
                    groups = with_similar(groups, kept.views[0], rows, store.read, images.labels)
                    batches.group(groups)
            known = kinds_of(groups, by_pixels, copies)
            yield Inputs(batches, store.errors, images.trusted, groups, read, store.notes, _plain(part), known)
        except NotFinite as error:
            raise error.named(images.file_name) from error


def _decoded(images: LabeledImages, spec: ImageSpec, workspace: Workspace, folder: Path) -> PixelStore:
    """Return the decoded images; one process decodes them, and the others open what it has decoded."""
    with workspace.processes.first():
        return PixelStore.build(images, spec, folder, workers=workspace.workers, progress=workspace.progress)


def _refuse_alike(store: PixelStore, rows: np.ndarray, groups: np.ndarray) -> None:
    """Refuse images that all show the same picture: whatever is said of their labels would mean nothing."""
    if not _one_group(groups[rows]) and not _all_equal(store, rows):
        return
    raise DataError(f"All {len(rows)} images that can be used show the same picture, so nothing tells labels apart.")


def _one_group(groups: np.ndarray) -> bool:
    return bool(groups[0] >= 0 and (groups == groups[0]).all())


def _all_equal(store: PixelStore, rows: np.ndarray) -> bool:
    first = store.read(rows[:1])
    return all((store.read(rows[start : start + PIECE]) == first).all() for start in range(0, len(rows), PIECE))


def _kept(
    part: FrozenPart,
    compute: Callable[[Tensor], Tensor],
    batches: Batches,
    images: LabeledImages,
    workspace: Workspace,
    reading: Reading,
    folder: Path,
) -> BankLoader:
    """Return a loader of what the frozen part gives."""
    return keep_outputs(
        compute,
        batches,
        folder,
        views=reading.views if part.augmented else 1,
        strong=reading.strong_views if part.augmented else 0,
        precision=resolve_precision(reading.precision, part.device),
        progress=workspace.progress,
        most=workspace.kept_bytes,
        name=_name(part, images, workspace, reading),
        known=None if workspace.earlier is None else kept_features(workspace.earlier, _plain(part), images.content_id),
    )


def _plain(part: FrozenPart) -> str:
    """Return what names the features of the plain view, where that is all that is kept; empty elsewhere."""
    return "" if part.augmented or part.identity is None else part.identity()


def _name(part: FrozenPart, images: LabeledImages, workspace: Workspace, reading: Reading) -> str | None:
    """Return what kept outputs are called by all that determines them; None where they go with the run."""
    if workspace.folder is None or not workspace.keep_features or part.identity is None:
        return None
    views = (reading.views, reading.strong_views, reading.seed) if part.augmented else ()
    belongs = (part.identity(), images.fingerprint, images.pixels.settings(), str(part.spec), reading.precision, views)
    return blake2b(repr(belongs).encode(), digest_size=12).hexdigest()


def _groups(
    store: PixelStore, rows: np.ndarray, labels: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the group of duplicates of each image, (N,), −1 for none, and which have equal pixels.

    Args:
        store: The images.
        rows: Those that are looked at, (n,).
        labels: Given labels, (N,).
        progress: Told of it.
    """
    groups, copies = np.full(len(labels), -1, np.int64), np.zeros(len(labels), np.bool_)
    names: list[bytes] = []
    small: list[np.ndarray] = []
    starts = range(0, len(rows), PIECE)
    for start in progress.track(starts, "Looking for duplicates", total=len(starts)) if len(rows) else ():
        squares = store.read(rows[start : start + PIECE])
        names += pixel_names(squares)
        small.append(small_grey(squares))
    if names:
        groups[rows], copies[rows] = find_groups(names, np.concatenate(small), labels[rows]), exact_copies(names)
    return groups, copies


def _check_classes(images: LabeledImages, rows: np.ndarray, least: int, errors: Mapping[int, str]) -> None:
    present = np.unique(images.labels[rows])
    if len(present) >= least:
        return
    if not len(present):
        raise UnreadableError(
            f"None of the {len(images)} images has both a label and pixels that can be read.",
            {images.file_name[row]: reason for row, reason in errors.items()},
        )
    raise DataError(
        f"All {len(rows)} images that can be used have the same label ({images.classes[present[0]]}); "
        f"at least {least} classes are needed."
    )
