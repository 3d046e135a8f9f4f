"""What every benchmark data set is: a folder in its authors' layout in, training and test images out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from deft.data.images import LabeledImages
from deft.data.readers import FileReader, ImageReader, file_problem
from deft.errors import DataError


@dataclass(frozen=True)
class Splits:
    """The two parts of a benchmark data set.

    Args:
        train: Training images; `clean_labels` holds the truth where the given labels have noise of their own.
        test: Test images, with the same classes in the same order.
    """

    train: LabeledImages
    test: LabeledImages


@dataclass(frozen=True)
class BenchmarkSet(ABC):
    """A data set of the paper's tables, as its authors published it; nothing is downloaded.

    Args:
        counts: Images that the two splits must have; None takes whatever is there.

    Attributes:
        name: What it is called in tables and experiment files.
        source: Where it comes from, for people.
        layout: How it must lie in its folder, one line per file.
        citation: The paper that describes it.
    """

    counts: tuple[int, int] | None = None
    name: ClassVar[str]
    source: ClassVar[str]
    layout: ClassVar[tuple[str, ...]]
    citation: ClassVar[str]

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Return whether a folder looks like this data set."""

    @abstractmethod
    def _read(self, folder: Path) -> Splits:
        """Return both splits of a folder that `recognises` accepted."""

    def read(self, folder: str | Path) -> Splits:
        """Return both splits of a folder; no image is decoded.

        Args:
            folder: Where the data set lies.

        Raises:
            DataError: It doesn't lie there as its authors published it, or images are missing; the sentence says
                where it comes from and how it must lie.

        Example:
            >>> CIFAR100().read("cifar-100-python").train.classes[:2]  # doctest: +SKIP
            ('apple', 'aquarium_fish')
        """
        place = Path(folder).expanduser()
        if not place.is_dir() or not self.recognises(place):
            raise DataError(self.how_to_get(place))
        found = self._read(place)
        have = (len(found.train), len(found.test))
        if self.counts is not None and have != self.counts:
            raise DataError(
                f"{self.name} has {self.counts[0]} training and {self.counts[1]} test images, but {place} has "
                f"{have[0]} and {have[1]}: some files are missing, or it is another release."
            )
        return found

    def how_to_get(self, place: Path) -> str:
        """Return the sentence for a folder that isn't this data set."""
        return f"{place} isn't {self.name}. Get it from {self.source}; it must lie as: {', '.join(self.layout)}."


@dataclass(frozen=True)
class Names:
    """The classes of a data set.

    Args:
        classes: As the data spells them, K of them.
        words: What a vision-language model reads for each, where that isn't what the name says.
    """

    classes: tuple[str, ...]
    words: Mapping[str, str]

    def as_words(self) -> tuple[str, ...]:
        """Return the words of every class, (K,)."""
        return tuple(self.words.get(name, name.replace("_", " ")) for name in self.classes)


def labelled(
    reader: ImageReader,
    names: Names,
    labels: Sequence[int] | np.ndarray,
    file_name: Sequence[str],
    clean: Sequence[int] | np.ndarray | None = None,
) -> LabeledImages:
    """Return images of a reader with the labels and the names of a data set.

    Args:
        reader: Gives the images, N of them.
        names: The classes.
        labels: Given labels, (N,).
        file_name: What each image is called, unique, (N,).
        clean: True labels, (N,), where they differ from the given ones.

    Raises:
        DataError: There are more or fewer labels than images.
    """
    if len(labels) != len(reader):
        raise DataError(f"There are {len(labels)} labels for {len(reader)} images.")
    errors: dict[int, str] = {}
    if isinstance(reader, FileReader):
        problems = ((row, file_problem(path)) for row, path in enumerate(reader.paths))
        errors = {row: problem for row, problem in problems if problem is not None}
    return LabeledImages(
        reader=reader,
        rows=np.arange(len(reader)),
        labels=np.asarray(labels, np.int64),
        classes=names.classes,
        words=names.as_words(),
        own_id=tuple(file_name),
        file_name=tuple(file_name),
        clean_labels=None if clean is None else np.asarray(clean, np.int64),
        read_errors=errors,
    )


def files_below(folder: Path, names: Sequence[str]) -> FileReader:
    """Return a reader of files by their names relative to a folder."""
    return FileReader(tuple(str(folder / name) for name in names))


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that hold anything.

    Raises:
        DataError: It isn't there, or no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {error}.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Return the two fields of every line of a file of `key value` lines; the value may hold blanks.

    Raises:
        DataError: A line has one field only.
    """
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(maxsplit=1)
        if len(fields) < 2:
            raise DataError(f"Line {number} of {path} has one field; expected two, divided by a blank.")
        pairs.append((fields[0], fields[1]))
    return pairs
