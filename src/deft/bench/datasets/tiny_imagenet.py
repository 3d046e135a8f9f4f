"""Tiny-ImageNet (Stanford CS231n, 2015): 200 classes of ImageNet at 64 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deft.bench.datasets.base import BenchmarkSet, Names, Splits, files_below, labelled, read_lines
from deft.bench.datasets.imagenet import first_words, photos_of_classes
from deft.errors import DataError


@dataclass(frozen=True)
class TinyImageNet(BenchmarkSet):
    """Tiny-ImageNet: 100 000 training photos and the 10 000 of its validation part, which serve as test photos."""

    counts: tuple[int, int] | None = (100_000, 10_000)
    name: ClassVar[str] = "Tiny-ImageNet"
    source: ClassVar[str] = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
    layout: ClassVar[tuple[str, ...]] = (
        "wnids.txt",
        "words.txt",
        "train/n01443537/images/*.JPEG",
        "val/images/*.JPEG",
        "val/val_annotations.txt",
    )
    citation: ClassVar[str] = "Y. Le, X. Yang: Tiny ImageNet Visual Recognition Challenge. Stanford CS 231N, 2015."

    def recognises(self, folder: Path) -> bool:
        texts = all((folder / name).is_file() for name in ("wnids.txt", "words.txt", "val/val_annotations.txt"))
        return texts and (folder / "train").is_dir()

    def _read(self, folder: Path) -> Splits:
        classes = tuple(read_lines(folder / "wnids.txt"))
        words = dict(line.split("\t", 1) for line in read_lines(folder / "words.txt") if "\t" in line)
        names = Names(classes, {name: first_words(name, words.get(name, name)) for name in classes})
        files, labels = photos_of_classes(folder, "train", classes, below="images")
        train = labelled(files_below(folder, files), names, labels, files)
        place = {name: number for number, name in enumerate(classes)}
        test_files, test_labels = [], []
        annotations = folder / "val" / "val_annotations.txt"
        for number, line in enumerate(read_lines(annotations), start=1):
            fields = line.split("\t")
            if len(fields) < 2 or fields[1] not in place:
                raise DataError(f"Line {number} of {annotations} doesn't name a photo and one of the classes.")
            test_files.append(f"val/images/{fields[0]}")
            test_labels.append(place[fields[1]])
        return Splits(train, labelled(files_below(folder, test_files), names, test_labels, test_files))
