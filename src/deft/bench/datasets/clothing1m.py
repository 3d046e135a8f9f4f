"""Clothing1M (Xiao et al., CVPR 2015): a million photos of clothes with the labels of the shops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, files_below, labelled, read_lines, read_pairs
from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.wording import counted

WORDS = {"T-Shirt": "T-shirt", "Windbreaker": "windbreaker jacket"}


@dataclass(frozen=True)
class Clothing1M(BenchmarkSet):
    """Clothing1M: its photos with noisy labels, and the clean test photos.

    Training uses 32 000 of them at a time, the same number of each noisy label: `balanced_draw`.
    """

    counts: tuple[int, int] | None = (1_000_000, 10_526)
    name: ClassVar[str] = "Clothing1M"
    source: ClassVar[str] = "https://github.com/Cysu/noisy_label (its authors give access on request)"
    layout: ClassVar[tuple[str, ...]] = (
        "noisy_train_key_list.txt",
        "noisy_label_kv.txt",
        "clean_test_key_list.txt",
        "clean_label_kv.txt",
        "category_names_eng.txt",
        "images/",
    )
    citation: ClassVar[str] = (
        "T. Xiao, T. Xia, Y. Yang, C. Huang, X. Wang: Learning from Massive Noisy Labeled Data for Image "
        "Classification. CVPR 2015."
    )

    def recognises(self, folder: Path) -> bool:
        return all((folder / name).is_file() for name in self.layout[:5])

    def _read(self, folder: Path) -> Splits:
        names = Names(tuple(read_lines(folder / "category_names_eng.txt")), WORDS)
        return Splits(
            _part(folder, "noisy_train_key_list.txt", "noisy_label_kv.txt", names),
            _part(folder, "clean_test_key_list.txt", "clean_label_kv.txt", names),
        )


def balanced_draw(labels: np.ndarray, count: int, *, seed: Sequence[int] | int) -> np.ndarray:
    """Return rows of which every given label has the same number (Li et al., DivideMix, ICLR 2020).

    Args:
        labels: Given labels, (N,).
        count: Rows in all; 32 000 on Clothing1M. What doesn't divide by the classes is left out.
        seed: Draws them; one per epoch draws anew, as DivideMix does, one for all is DeFT's fixed subset.

    Raises:
        DataError: A class has too few rows.
    """
    classes = np.unique(labels)
    quota = count // len(classes)
    rng = np.random.default_rng(seed)
    drawn = []
    for number in classes.tolist():
        own = np.flatnonzero(labels == number)
        if len(own) < quota:
            raise DataError(f"Class {number} has {len(own)} images, fewer than the {quota} that a draw takes of each.")
        drawn.append(rng.choice(own, quota, replace=False))
    return np.sort(np.concatenate(drawn))


def _part(folder: Path, keys: str, table: str, names: Names) -> LabeledImages:
    files, labels = read_lines(folder / keys), dict(read_pairs(folder / table))
    missing = [name for name in files if name not in labels]
    if missing:
        raise DataError(f"{table} has no label for {counted(len(missing), 'image')} of {keys}, such as {missing[0]}.")
    return labelled(files_below(folder, files), names, [int(labels[name]) for name in files], files)
