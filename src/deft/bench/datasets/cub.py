"""Caltech-UCSD Birds 200-2011 (Wah et al., 2011): 200 species, photos of full size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, files_below, labelled, read_pairs
from deft.errors import DataError


@dataclass(frozen=True)
class CUB200(BenchmarkSet):
    """CUB-200-2011: 5 994 training and 5 794 test photos, divided by its own list."""

    counts: tuple[int, int] | None = (5_994, 5_794)
    name: ClassVar[str] = "CUB-200-2011"
    source: ClassVar[str] = "https://www.vision.caltech.edu/datasets/cub_200_2011/"
    layout: ClassVar[tuple[str, ...]] = (
        "images.txt",
        "image_class_labels.txt",
        "train_test_split.txt",
        "classes.txt",
        "images/001.Black_footed_Albatross/*.jpg",
    )
    citation: ClassVar[str] = (
        "C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie: The Caltech-UCSD Birds-200-2011 Dataset. 2011."
    )

    def recognises(self, folder: Path) -> bool:
        return all((folder / name).is_file() for name in self.layout[:4]) and (folder / "images").is_dir()

    def _read(self, folder: Path) -> Splits:
        files, classes, training, names = (
            dict(read_pairs(folder / name))
            for name in ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt")
        )
        if not files.keys() == classes.keys() == training.keys():
            raise DataError(f"The three lists of images in {folder} don't name the same images.")
        order = tuple(names.values())
        place = {number: index for index, number in enumerate(names)}
        birds = Names(order, {name: bird_words(name) for name in order})
        parts = []
        for wanted in ("1", "0"):
            chosen = [key for key in files if training[key] == wanted]
            paths = [f"images/{files[key]}" for key in chosen]
            parts.append(labelled(files_below(folder, paths), birds, [place[classes[key]] for key in chosen], paths))
        return Splits(*parts)


def bird_words(name: str) -> str:
    """Return what a model reads for a bird.

    Example:
        >>> bird_words("001.Black_footed_Albatross")
        'Black footed Albatross'
    """
    return name.partition(".")[2].replace("_", " ") if name.partition(".")[0].isdigit() else name.replace("_", " ")
