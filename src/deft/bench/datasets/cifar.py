"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), and the labels that people gave them (Wei et al., ICLR 2022)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, labelled
from deft.bench.datasets.safe_pickle import read_arrays
from deft.data.readers import ArrayReader
from deft.errors import DataError

CITATION = "A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images. 2009."
HUMAN_CITATION = (
    "J. Wei, Z. Zhu, H. Cheng, T. Liu, G. Niu, Y. Liu: Learning with Noisy Labels Revisited: A Study Using Real-World "
    "Human Annotations. ICLR 2022."
)
SITE = "https://www.cs.toronto.edu/~kriz/cifar.html (the python version)"
HUMAN_SITE = "https://github.com/UCSC-REAL/cifar-10-100n"

WORDS_100 = {
    "aquarium_fish": "aquarium fish",
    "can": "tin can",
    "keyboard": "computer keyboard",
    "plain": "grassy plain",
    "plate": "dinner plate",
    "ray": "stingray",
    "table": "dining table",
    "tank": "military tank",
}
"""Words where the name alone means several things."""


@dataclass(frozen=True)
class _Cifar(BenchmarkSet):
    """Python batches: pixels as rows of 3 · 32 · 32 bytes, labels beside them."""

    @property
    @abstractmethod
    def _files(self) -> tuple[tuple[str, ...], str, str]:
        """Names of the training batches, of the test batch and of the file of names."""

    @property
    @abstractmethod
    def _keys(self) -> tuple[str, str]:
        """Under which key a batch holds its labels, and the file of names its names."""

    @abstractmethod
    def _words(self) -> dict[str, str]:
        """Return the words for names that mean several things."""

    def recognises(self, folder: Path) -> bool:
        train, test, meta = self._files
        return all((folder / name).is_file() for name in (*train, test, meta))

    def _read(self, folder: Path) -> Splits:
        train, test, meta = self._files
        classes = tuple(str(name) for name in _entry(read_arrays(folder / meta), self._keys[1], folder / meta))
        names = Names(classes, self._words())
        return Splits(self._part(folder, train, names, "train"), self._part(folder, (test,), names, "test"))

    def _part(self, folder: Path, files: Sequence[str], names: Names, part: str) -> Any:
        pixels, labels = [], []
        for name in files:
            batch = read_arrays(folder / name)
            rows = np.asarray(_entry(batch, "data", folder / name), np.uint8)
            pixels.append(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            labels.append(np.asarray(_entry(batch, self._keys[0], folder / name), np.int64))
        given = np.concatenate(labels)
        return labelled(
            ArrayReader(np.ascontiguousarray(np.concatenate(pixels))),
            names,
            self._given(folder, part, given),
            [f"{part}#{row}" for row in range(len(given))],
            None if self._given(folder, part, given) is given else given,
        )

    def _given(self, folder: Path, part: str, true: np.ndarray) -> np.ndarray:
        """Return the labels that are given; the true ones unless people gave others."""
        return true


@dataclass(frozen=True)
class CIFAR10(_Cifar):
    """CIFAR-10: 50 000 and 10 000 photos of 32 pixels in 10 classes."""

    counts: tuple[int, int] | None = (50_000, 10_000)
    name: ClassVar[str] = "CIFAR-10"
    source: ClassVar[str] = SITE
    layout: ClassVar[tuple[str, ...]] = ("data_batch_1 ... data_batch_5", "test_batch", "batches.meta")
    citation: ClassVar[str] = CITATION

    @property
    def _files(self) -> tuple[tuple[str, ...], str, str]:
        return tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"

    @property
    def _keys(self) -> tuple[str, str]:
        return "labels", "label_names"

    def _words(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class CIFAR100(_Cifar):
    """CIFAR-100: 50 000 and 10 000 photos of 32 pixels in 100 classes."""

    counts: tuple[int, int] | None = (50_000, 10_000)
    name: ClassVar[str] = "CIFAR-100"
    source: ClassVar[str] = SITE
    layout: ClassVar[tuple[str, ...]] = ("train", "test", "meta")
    citation: ClassVar[str] = CITATION

    @property
    def _files(self) -> tuple[tuple[str, ...], str, str]:
        return ("train",), "test", "meta"

    @property
    def _keys(self) -> tuple[str, str]:
        return "fine_labels", "fine_label_names"

    def _words(self) -> dict[str, str]:
        return WORDS_100


@dataclass(frozen=True)
class CIFAR10N(CIFAR10):
    """CIFAR-10 with the labels of people: one of three annotators, their majority, or the worst of them.

    Args:
        labels: Which label of the file of labels is given.
    """

    labels: Literal["aggre_label", "worse_label", "random_label1", "random_label2", "random_label3"] = "worse_label"
    name: ClassVar[str] = "CIFAR-10N"
    source: ClassVar[str] = f"{SITE}, and {HUMAN_SITE}"
    layout: ClassVar[tuple[str, ...]] = (*CIFAR10.layout, "CIFAR-10_human.pt or CIFAR-10_human_ordered.npy")
    citation: ClassVar[str] = HUMAN_CITATION

    def recognises(self, folder: Path) -> bool:
        return super().recognises(folder) and _human_file(folder, "CIFAR-10") is not None

    def _given(self, folder: Path, part: str, true: np.ndarray) -> np.ndarray:
        return true if part == "test" else _human(folder, "CIFAR-10", self.labels, "clean_label", true)


@dataclass(frozen=True)
class CIFAR100N(CIFAR100):
    """CIFAR-100 with the label of one person for each photo."""

    name: ClassVar[str] = "CIFAR-100N"
    source: ClassVar[str] = f"{SITE}, and {HUMAN_SITE}"
    layout: ClassVar[tuple[str, ...]] = (*CIFAR100.layout, "CIFAR-100_human.pt or CIFAR-100_human_ordered.npy")
    citation: ClassVar[str] = HUMAN_CITATION

    def recognises(self, folder: Path) -> bool:
        return super().recognises(folder) and _human_file(folder, "CIFAR-100") is not None

    def _given(self, folder: Path, part: str, true: np.ndarray) -> np.ndarray:
        return true if part == "test" else _human(folder, "CIFAR-100", "noisy_label", "clean_label", true)


def _human_file(folder: Path, name: str) -> Path | None:
    for ending in ("_human.pt", "_human_ordered.npy"):
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    return None


def _human(folder: Path, name: str, wanted: str, clean: str, true: np.ndarray) -> np.ndarray:
    """Return the labels that people gave, in the order of the batches."""
    path = _human_file(folder, name)
    assert path is not None
    table = read_arrays(path)
    # The ordered file follows TensorFlow's order of the images, and says so by its own true labels.
    if not np.array_equal(np.asarray(_entry(table, clean, path)), true):
        raise DataError(
            f"The true labels in {path} aren't those of the batches in {folder}, so its labels belong to another "
            f"order of the images. Take {name}_human.pt, which follows the batches."
        )
    return np.asarray(_entry(table, wanted, path), np.int64)


def _entry(table: Any, key: str, path: Path) -> Any:
    if not isinstance(table, dict) or key not in table:
        there = ", ".join(map(str, table)) if isinstance(table, dict) else type(table).__name__
        raise DataError(f"{path} has no {key!r}; it holds: {there}.")
    return table[key]
