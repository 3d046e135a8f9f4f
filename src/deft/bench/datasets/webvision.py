"""WebVision 1.0 (Li et al., 2017): photos from the web for ImageNet's classes; the first 50, from Google."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, files_below, labelled, read_lines
from deft.bench.datasets.imagenet import first_words, photos_of_classes
from deft.data.images import LabeledImages
from deft.errors import DataError

CLASSES = 50


@dataclass(frozen=True)
class WebVision50(BenchmarkSet):
    """Mini-WebVision (Jiang et al., MentorNet, ICML 2018): the first 50 classes of the part from Google."""

    counts: tuple[int, int] | None = (65_944, 2_500)
    name: ClassVar[str] = "WebVision-50"
    source: ClassVar[str] = "https://data.vision.ee.ethz.ch/cvl/webvision/dataset2017.html (Google, 256 px)"
    layout: ClassVar[tuple[str, ...]] = (
        "info/synsets.txt",
        "info/train_filelist_google.txt",
        "info/val_filelist.txt",
        "google/q0001/*.jpg",
        "val_images_256/*.jpg",
    )
    citation: ClassVar[str] = (
        "W. Li, L. Wang, W. Li, E. Agustsson, L. Van Gool: WebVision Database: Visual Learning and Understanding from "
        "Web Data. 2017."
    )

    def recognises(self, folder: Path) -> bool:
        return all((folder / name).is_file() for name in self.layout[:3])

    def _read(self, folder: Path) -> Splits:
        names = _names(folder)
        return Splits(
            _part(folder, "info/train_filelist_google.txt", "", names),
            _part(folder, "info/val_filelist.txt", "val_images_256/", names),
        )


def imagenet_test(folder: Path, webvision: LabeledImages) -> LabeledImages:
    """Return ImageNet's validation photos of the same 50 classes, the second test of others' tables.

    DeFT's Table 3 has one number for WebVision, and the authors' second phase tests on WebVision's own photos alone.

    Args:
        folder: ImageNet, with the folders `val/n01440764/`, ...
        webvision: Images of WebVision-50.

    Raises:
        DataError: A class has no folder.
    """
    files, labels = photos_of_classes(folder, "val", webvision.classes)
    names = Names(webvision.classes, dict(zip(webvision.classes, webvision.words, strict=True)))
    return labelled(files_below(folder, files), names, labels, files)


def _names(folder: Path) -> Names:
    lines = [line.split(maxsplit=1) for line in read_lines(folder / "info" / "synsets.txt")[:CLASSES]]
    return Names(tuple(line[0] for line in lines), {line[0]: first_words(line[0], line[-1]) for line in lines})


def _part(folder: Path, table: str, prefix: str, names: Names) -> LabeledImages:
    files, labels = [], []
    for number, line in enumerate(read_lines(folder / table), start=1):
        name, _, label = line.rpartition(" ")
        if not name or not label.isdigit():
            raise DataError(f"Line {number} of {folder / table} isn't a file and the number of its class.")
        if int(label) < len(names.classes):
            files.append(f"{prefix}{name}")
            labels.append(int(label))
    return labelled(files_below(folder, files), names, labels, files)
