"""Where an experiment's images come from: the paper's data sets, copies of them in tables, or generated squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deft.bench.datasets.base import Splits
from deft.bench.datasets.clothing1m import balanced_draw
from deft.bench.datasets.registry import DATASETS, benchmark_set
from deft.bench.experiment import REAL, Column, Library
from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.errors import DataError
from deft.noise import instance_dependent, pair_flip, symmetric
from deft.progress import Progress
from deft.training.pixel_store import PixelStore

SQUARES = "squares"
COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (40, 60, 220)}
SIDE = 32  # pixels to which images are shrunk as features of instance-dependent noise
DRAW = 71  # sets the draw of images apart from all others


@dataclass(frozen=True)
class Sources:
    """Finds data sets.

    Args:
        folder: Holds data sets, or is one; None where none is there.
        progress: Told of what is done to find them.
    """

    folder: Path | None
    progress: Progress

    def missing(self, data: str) -> str | None:
        """Return why a data set can't be read, in one sentence; None if it is there."""
        if data == SQUARES or self._place(data) is not None or self._copies(data) is not None:
            return None
        if data not in DATASETS:
            return f"There is no data set {data!r}. Known: {', '.join(sorted(DATASETS))}."
        if self.folder is None:
            return f"{data} needs data=, a folder that holds it: {benchmark_set(data).source}."
        return benchmark_set(data).how_to_get(self.folder)

    def read(self, column: Column, settings: Mapping[str, Any], seed: int) -> Splits:
        """Return the images of an experiment, with its noise in the training labels.

        Args:
            column: Which data set, and what noise.
            settings: Of the experiment; `images` and `test_images` say how many are drawn, the same for every seed.
            seed: Draws the noise.

        Raises:
            DataError: The data set isn't there, or isn't whole.
        """
        splits = self._splits(column.data, counted="images" not in settings)
        train, test = splits.train, splits.test
        if "balanced" in settings:
            train = train.keep(balanced_draw(train.labels, settings["balanced"], seed=0))
        train, test = _drawn(train, settings.get("images")), _drawn(test, settings.get("test_images"))
        return Splits(self._noisy(train, column, seed), test)

    def _splits(self, data: str, *, counted: bool) -> Splits:
        if data == SQUARES:
            return squares()
        reason = self.missing(data)
        if reason is not None:
            raise DataError(reason)
        place = self._place(data)
        if place is not None:
            kind = benchmark_set(data)
            return (kind if counted else replace(kind, counts=None)).read(place)
        return self._from_tables(data)

    def _place(self, data: str) -> Path | None:
        """Return the folder in which a data set lies as its authors published it."""
        if self.folder is None or data not in DATASETS:
            return None
        kind = benchmark_set(data)
        inside = sorted(place for place in self.folder.iterdir() if place.is_dir())
        return next((place for place in (self.folder, *inside) if kind.recognises(place)), None)

    def _copies(self, data: str) -> tuple[list[Path], list[Path]] | None:
        """Return the tables that hold a copy of a data set: training parts, test parts."""
        known = Library().data.get(data, {}).get("copy", {})
        if self.folder is None or "train" not in known:
            return None
        train, test = (sorted(self.folder.glob(known[part])) for part in ("train", "test"))
        return (train, test) if train and test else None

    def _from_tables(self, data: str) -> Splits:
        known, copies = Library().data[data]["copy"], self._copies(data)
        assert copies is not None
        train, test = (self._tables(paths) for paths in copies)
        images = load_images(
            train, label_column=known["label_column"], clean_column=known.get("clean_column"), progress=self.progress
        )
        unseen = load_images(test, label_column=known["test_label_column"], progress=self.progress)
        return Splits(images.keep(np.arange(known.get("first_row", 0), len(images))), unseen.in_classes(images.classes))

    def _tables(self, paths: list[Path]) -> Any:
        return paths[0] if len(paths) == 1 else [str(path) for path in paths]

    def _noisy(self, images: LabeledImages, column: Column, seed: int) -> LabeledImages:
        if column.noise == REAL:
            return images
        truth = images.labels if images.clean_labels is None else images.clean_labels
        classes = len(images.classes)
        if column.noise == "sym":
            labels = symmetric(truth, column.rate, num_classes=classes, seed=seed)
        elif column.noise == "pair":
            labels = pair_flip(truth, column.rate, num_classes=classes, seed=seed)
        else:  # by pixels as they are, as the paper's code does
            labels = instance_dependent(
                self._pixels(images), truth, column.rate, num_classes=classes, seed=seed, scale="raw"
            )
        return replace(images.relabel(labels), clean_labels=truth)

    def _pixels(self, images: LabeledImages) -> np.ndarray:
        """Return pixels of 0..255 at a small size, (N, D)."""
        spec = ImageSpec(SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), fit="squash")
        with PixelStore.build(images, spec, None, progress=self.progress) as store:
            return store.read(np.arange(len(images))).reshape(len(images), -1).astype(np.float32)


def squares(count: int = 60, side: int = 16) -> Splits:
    """Return generated images: squares of a colour with noise in it, in as many classes as there are `COLOURS`.

    Args:
        count: Images of each split.
        side: Of an image, in pixels.

    Example:
        >>> squares().train.classes
        ('red', 'green', 'blue')
    """
    parts = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        labels = np.arange(count) % len(COLOURS)
        colours = np.array(list(COLOURS.values()))[labels][:, None, None, :]
        pixels = (colours + rng.integers(-40, 40, (count, side, side, 3))).clip(0, 255).astype(np.uint8)
        images = load_images(pixels, labels=labels, classes=list(COLOURS))
        parts.append(replace(images, clean_labels=images.labels))
    return Splits(*parts)


def _drawn(images: LabeledImages, count: int | None) -> LabeledImages:
    """Return some of the images, drawn at random, the same ones always."""
    if count is None or count >= len(images):
        return images
    return images.keep(np.sort(np.random.default_rng(DRAW).permutation(len(images))[:count]))
