"""Stanford Cars (Krause et al., 2013): 196 models of cars, photos of full size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, files_below, labelled, read_lines
from deft.data.images import LabeledImages
from deft.errors import DataError

TRAIN_LABELS = ("devkit/cars_train_annos.mat", "cars_train_annos.mat", "train_perfect_preds.txt")
TEST_LABELS = ("cars_test_annos_withlabels.mat", "devkit/cars_test_annos_withlabels.mat", "test_perfect_preds.txt")
META = ("devkit/cars_meta.mat", "cars_meta.mat")


@dataclass(frozen=True)
class StanfordCars(BenchmarkSet):
    """Stanford Cars: 8 144 training and 8 041 test photos.

    The labels are those of the authors' MATLAB files, or the lists of class numbers that some public copies carry
    (`train_perfect_preds.txt`: the class of photo 00001.jpg, 00002.jpg, ..., counted from 1). A copy without test
    photos has an empty test part and is read with `counts=(8144, 0)`.
    """

    counts: tuple[int, int] | None = (8_144, 8_041)
    name: ClassVar[str] = "Stanford Cars"
    source: ClassVar[str] = "https://github.com/pytorch/vision/issues/7545 (the authors' page is gone)"
    layout: ClassVar[tuple[str, ...]] = (
        "cars_train/00001.jpg",
        "cars_test/00001.jpg",
        "devkit/cars_meta.mat",
        "devkit/cars_train_annos.mat (or train_perfect_preds.txt)",
        "cars_test_annos_withlabels.mat (or test_perfect_preds.txt)",
    )
    citation: ClassVar[str] = (
        "J. Krause, M. Stark, J. Deng, L. Fei-Fei: 3D Object Representations for Fine-Grained Categorization. 2013."
    )

    def recognises(self, folder: Path) -> bool:
        there = _first(folder, META) is not None and _first(folder, TRAIN_LABELS) is not None
        return there and (folder / "cars_train").is_dir()

    def _read(self, folder: Path) -> Splits:
        meta = _first(folder, META)
        assert meta is not None
        classes = tuple(str(name) for name in _matlab(meta, "class_names"))
        names = Names(classes, {name: car_words(name) for name in classes})
        return Splits(
            self._part(folder, "cars_train", _first(folder, TRAIN_LABELS), names),
            self._part(folder, "cars_test", _first(folder, TEST_LABELS), names),
        )

    def _part(self, folder: Path, part: str, labels: Path | None, names: Names) -> LabeledImages:
        files, numbers = ([], []) if labels is None else _labels(labels)
        if numbers and not (min(numbers) >= 1 and max(numbers) <= len(names.classes)):
            raise DataError(f"{labels} counts classes from 1 to {len(names.classes)}, but holds {max(numbers)}.")
        paths = [f"{part}/{name}" for name in files]
        return labelled(files_below(folder, paths), names, np.asarray(numbers, np.int64) - 1, paths)


def car_words(name: str) -> str:
    """Return what a model reads for a car: the year in front, as people write it.

    Example:
        >>> car_words("Bugatti Veyron 16.4 Coupe 2009")
        '2009 Bugatti Veyron 16.4 Coupe'
    """
    model, _, year = name.rpartition(" ")
    return f"{year} {model}" if model and year.isdigit() and len(year) == 4 else name


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _labels(path: Path) -> tuple[list[str], list[int]]:
    """Return the names of a part's photos, and their classes counted from 1."""
    if path.suffix == ".txt":
        lines = read_lines(path)
        if not all(line.isdigit() for line in lines):
            raise DataError(f"{path} must hold one class number on every line.")
        return [f"{row:05d}.jpg" for row in range(1, len(lines) + 1)], [int(line) for line in lines]
    rows = _matlab(path, "annotations")
    if not rows or not hasattr(rows[0], "fname") or not hasattr(rows[0], "class"):
        raise DataError(f"{path} holds no file names with classes; the test part needs the file 'withlabels'.")
    return [str(row.fname) for row in rows], [int(getattr(row, "class")) for row in rows]


def _matlab(path: Path, key: str) -> list[Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        table = loadmat(path, squeeze_me=True, struct_as_record=False)
        return list(np.atleast_1d(table[key]))
    except (OSError, ValueError, KeyError, MatReadError, NotImplementedError) as error:
        raise DataError(f"{path} is no MATLAB file with {key!r}.") from error
