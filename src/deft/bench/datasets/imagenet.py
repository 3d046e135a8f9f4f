"""ImageNet (ILSVRC 2012) in folders of WordNet ids, with the names that its own list gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, files_below, labelled, read_pairs
from deft.errors import DataError

PHOTOS = (".jpeg", ".jpg", ".png")

BETTER = {
    "n01608432": "kite, a bird of prey",
    "n02012849": "crane, a bird",
    "n02113186": "Cardigan Welsh corgi",
    "n02963159": "cardigan, a garment",
    "n03085013": "computer keyboard",
    "n03126707": "construction crane",
    "n03710637": "maillot, a leotard",
    "n03710721": "one-piece bathing suit",
    "n03793489": "computer mouse",
    "n04355933": "sunglass, a lens",
    "n04356056": "sunglasses",
    "n04389033": "military tank",
}
"""Words of ids whose first name is also another class's, or mostly means something else."""


@dataclass(frozen=True)
class ImageNet(BenchmarkSet):
    """ImageNet: its training photos, and its validation photos as test photos, both in folders by WordNet id."""

    counts: tuple[int, int] | None = (1_281_167, 50_000)
    name: ClassVar[str] = "ImageNet"
    source: ClassVar[str] = "https://www.image-net.org (ILSVRC 2012; sort the validation photos into folders)"
    layout: ClassVar[tuple[str, ...]] = ("LOC_synset_mapping.txt", "train/n01440764/*.JPEG", "val/n01440764/*.JPEG")
    citation: ClassVar[str] = "O. Russakovsky et al.: ImageNet Large Scale Visual Recognition Challenge. IJCV 2015."

    def recognises(self, folder: Path) -> bool:
        folders = all((folder / name).is_dir() for name in ("train", "val"))
        return folders and (folder / "LOC_synset_mapping.txt").is_file()

    def _read(self, folder: Path) -> Splits:
        names = synset_names(folder / "LOC_synset_mapping.txt")
        parts = []
        for part in ("train", "val"):
            files, labels = photos_of_classes(folder, part, names.classes)
            parts.append(labelled(files_below(folder, files), names, labels, files))
        return Splits(*parts)


def synset_names(path: Path) -> Names:
    """Return the classes of a file of lines `n01440764 tench, Tinca tinca`, by id.

    Args:
        path: The file.

    Raises:
        DataError: It can't be read.
    """
    pairs = read_pairs(path)
    return Names(tuple(name for name, _ in pairs), {name: first_words(name, text) for name, text in pairs})


def first_words(synset: str, text: str) -> str:
    """Return what a model reads for a WordNet id: the first of its synonyms, or better words where those mislead.

    Args:
        synset: The id.
        text: Its synonyms, divided by commas.

    Example:
        >>> first_words("n01440764", "tench, Tinca tinca"), first_words("n03126707", "crane")
        ('tench', 'construction crane')
    """
    return BETTER.get(synset, text.split(",")[0].strip())


def photos_of_classes(
    folder: Path, part: str, classes: Sequence[str], *, below: str = ""
) -> tuple[list[str], list[int]]:
    """Return the names of all photos in folders by class, relative to a folder, and their classes.

    Args:
        folder: The data set.
        part: The folder in it that holds the classes' folders.
        classes: Names of these, K of them.
        below: The folder of the photos in each class's folder, if they lie deeper.

    Raises:
        DataError: A class has no folder.
    """
    files, labels = [], []
    for number, name in enumerate(classes):
        place = folder / part / name / below
        if not place.is_dir():
            raise DataError(f"The class {name} has no folder {place}.")
        photos = sorted(file.name for file in place.iterdir() if file.suffix.lower() in PHOTOS)
        files += ["/".join(filter(None, (part, name, below, photo))) for photo in photos]
        labels += [number] * len(photos)
    return files, labels
