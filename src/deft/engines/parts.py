"""Much data in parts: the files of a data set, and how many of their rows are scored at a time."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deft.data.endings import TABLE_ENDINGS
from deft.data.images import LabeledImages
from deft.data.names import class_order
from deft.data.remote import scheme_of
from deft.data.words import Words, give_words, words_for
from deft.errors import DataError
from deft.progress import Progress, Silent
from deft.runs.source import Source

PART_SIZE = 4096
"""Images that are decoded, encoded and judged at a time; at 224 pixels they take 0.6 GB of disk meanwhile."""

_APART = (".parquet", ".tar")  # files that are read one by one, where a folder holds nothing else


@dataclass(frozen=True)
class Unit:
    """What is listed at a time: one Parquet file or shard of many, or a whole data set of another form.

    Args:
        source: What to load.
        alone: Whether it is one file of several.
    """

    source: Source
    alone: bool

    @property
    def name(self) -> str:
        """Path or id."""
        return self.source.data

    def stamp(self) -> tuple[int, int]:
        """Return size and time of the file; zeros for what is no file."""
        path = Path(self.name)
        if not path.is_file():
            return 0, 0
        found = path.stat()
        return found.st_size, found.st_mtime_ns

    def open(self, progress: Progress | None = None) -> LabeledImages:
        """List its images; nothing is decoded.

        Args:
            progress: Told of guesses and oddities.
        """
        return self.source.open(progress, least_classes=0, alone=self.alone)


@dataclass(frozen=True, order=True)
class Part:
    """Some rows of one unit.

    Args:
        unit: Number of the unit.
        start: First row.
        stop: Row after the last.
    """

    unit: int
    start: int
    stop: int

    @property
    def file(self) -> str:
        """Name of the file with its verdicts; in the order of names they are in the order of the data."""
        return f"part-{self.unit:06d}-{self.start:010d}.parquet"

    def __len__(self) -> int:
        return self.stop - self.start


class PartReader:
    """Reads the images of parts; the list of the unit that was read last is kept.

    Args:
        units: All of them.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units
        self._open: tuple[int, LabeledImages] | None = None

    def listed(self, unit: int) -> LabeledImages:
        """Return the images of a unit, still as they lie on the disk.

        Args:
            unit: Its number.
        """
        if self._open is None or self._open[0] != unit:
            self._open = None  # at most one list is in memory
            self._open = unit, self._units[unit].open(Silent())
        return self._open[1]

    def read(self, part: Part) -> LabeledImages:
        """Return the images of a part, still as they lie on the disk.

        Args:
            part: Which.

        Raises:
            DataError: The data has fewer images than when the parts were made.
        """
        images = self.listed(part.unit)
        if part.stop > len(images):
            raise DataError(f"{self._units[part.unit].name} has changed while it was scored: it has fewer images now.")
        return images.keep(np.arange(part.start, part.stop))


@dataclass(frozen=True)
class Listing:
    """What is known of all units once each was listed.

    Args:
        rows: Images of each.
        names: Classes of each.
        present: Those of them that an image has.
        words: What a model reads for the classes of the first.
    """

    rows: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    present: frozenset[str]
    words: tuple[str, ...]

    @classmethod
    def of(cls, reader: PartReader, units: Iterable[int]) -> Listing:
        """List all units.

        Args:
            reader: Reads them.
            units: Their numbers, in order.
        """
        rows: list[int] = []
        names: list[tuple[str, ...]] = []
        present: set[str] = set()
        words: tuple[str, ...] = ()
        for unit in units:
            images = reader.listed(unit)
            words = words if names else images.words
            rows.append(len(images))
            names.append(images.classes if not names or images.classes != names[0] else names[0])
            present |= {images.classes[label] for label in np.unique(images.labels[images.labels >= 0]).tolist()}
        return cls(tuple(rows), tuple(names), frozenset(present), words)

    def classes(self, given: Words | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the classes of all units together, in the order that reading them as one gives; and their words.

        Args:
            given: Words, or a file of them, as in `load_images`.
        """
        if len(set(self.names)) == 1:
            return self.names[0], self.words
        names = class_order(self.present)
        return names, words_for(names) if given is None else give_words(names, given)[0]


def find_units(source: Source) -> list[Unit]:
    """Return what of a data set is listed at a time, in order.

    A folder that holds nothing but Parquet files or WebDataset shards, and a pattern of such files, is read file by
    file; all else as a whole.

    Args:
        source: The data set.

    Raises:
        DataError: A pattern matches nothing.
    """
    files = _files(source.data) if source.labels is None else []
    if not files:
        return [Unit(source, alone=False)]
    return [Unit(replace(source, data=path), alone=True) for path in files]


def make_parts(units: Sequence[Unit], rows: Sequence[int], size: int) -> Iterator[Part]:
    """Yield the parts of all units, in order.

    Args:
        units: What is listed at a time.
        rows: Images of each.
        size: Most images of a part.
    """
    for number, (_, count) in enumerate(zip(units, rows, strict=True)):
        for start in range(0, count, size):
            yield Part(number, start, min(start + size, count))


def _files(data: str) -> list[str]:
    """Return the files that are read one by one; none where the data is read as a whole."""
    path = Path(data).expanduser()
    if scheme_of(data):  # a store lists all it has at once
        return []
    if path.is_dir():
        found = sorted(os.path.join(path, one.name) for one in os.scandir(path) if not one.name.startswith("."))
    elif glob.has_magic(data) and not path.exists():
        found = sorted(glob.glob(os.path.expanduser(data), recursive=True))
        if not found:
            raise DataError(f"No file matches {data}.")
    else:
        return []
    endings = {os.path.splitext(name)[1].lower() for name in found if os.path.isfile(name)}
    whole = len(endings) != 1 or not endings <= {*_APART, *TABLE_ENDINGS} or not all(map(os.path.isfile, found))
    return [] if whole or not endings <= set(_APART) else found
