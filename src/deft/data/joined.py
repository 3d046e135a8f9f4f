"""Several sources as one: the splits of a data set, or the shards of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deft.data.assemble import SourceRows
from deft.data.readers import FileReader, ImageReader, IntArray, Pixels


@dataclass(frozen=True, eq=False)
class JoinedReader(ImageReader):
    """Images of several readers.

    Args:
        parts: The readers.
        part_of: Which of them each image is in, (N,).
        row_of: Its row there, (N,).
    """

    parts: tuple[ImageReader, ...]
    part_of: IntArray
    row_of: IntArray

    def __len__(self) -> int:
        return len(self.part_of)

    def read(self, row: int) -> bytes | Pixels:
        return self.parts[int(self.part_of[row])].read(int(self.row_of[row]))

    def describe(self, row: int) -> str:
        return self.parts[int(self.part_of[row])].describe(int(self.row_of[row]))

    def part(self, rows: IntArray) -> ImageReader:
        parts: list[ImageReader] = []
        owner, place = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        for number in np.unique(self.part_of[rows]).tolist():
            mine = np.flatnonzero(self.part_of[rows] == number)
            owner[mine], place[mine] = len(parts), np.arange(len(mine))
            parts.append(self.parts[number].part(self.row_of[rows[mine]]))
        return JoinedReader(tuple(parts), owner, place)

    def stamps(self, rows: IntArray) -> list[bytes] | None:
        found = [b""] * len(rows)
        for number in np.unique(self.part_of[rows]).tolist():
            mine = np.flatnonzero(self.part_of[rows] == number)
            stamps = self.parts[number].stamps(self.row_of[rows[mine]])
            if stamps is None:
                return None
            for place, stamp in zip(mine.tolist(), stamps, strict=True):
                found[place] = stamp
        return found


def join(parts: Sequence[SourceRows], source: str) -> SourceRows:
    """Return the rows of all parts, one after the other.

    Args:
        parts: At least one. Where their class names differ, labels are spelt out in them.
        source: What they are together.
    """
    if len(parts) == 1:
        return parts[0]
    same = all(part.names == parts[0].names for part in parts)
    starts = np.cumsum([0, *(len(part.labels) for part in parts)]).tolist()
    skipped: dict[str, int] = {}
    for part in parts:
        for kind, number in part.skipped.items():
            skipped[kind] = skipped.get(kind, 0) + number
    return SourceRows(
        source=source,
        reader=_reader([part.reader for part in parts]),
        file_name=[name for part in parts for name in part.file_name],
        labels=[label for part in parts for label in (part.labels if same else _in_words(part, part.labels))],
        clean=_clean(parts, same),
        split=None if all(part.split is None for part in parts) else _splits(parts),
        errors={
            start + row: why for start, part in zip(starts, parts, strict=False) for row, why in part.errors.items()
        },
        names=parts[0].names if same else None,
        labels_are="cells" if any(part.labels_are == "cells" for part in parts) else parts[0].labels_are,
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
        skipped=skipped,
    )


def _reader(readers: Sequence[ImageReader]) -> ImageReader:
    files = [reader for reader in readers if isinstance(reader, FileReader)]
    if len(files) == len(readers):
        return FileReader(tuple(path for reader in files for path in reader.paths))
    part = np.repeat(np.arange(len(readers)), [len(reader) for reader in readers])
    row = np.concatenate([np.arange(len(reader)) for reader in readers])
    return JoinedReader(tuple(readers), part.astype(np.int64), row.astype(np.int64))


def _clean(parts: Sequence[SourceRows], same: bool) -> list[object] | None:
    if any(part.clean is None for part in parts):
        return None
    return [label for part in parts for label in ((part.clean or ()) if same else _in_words(part, part.clean or ()))]


def _splits(parts: Sequence[SourceRows]) -> list[str]:
    return [name for part in parts for name in (part.split or [""] * len(part.labels))]


def _in_words(part: SourceRows, labels: Sequence[object]) -> list[object]:
    """Return labels as names, where the part has class names of its own."""
    names = part.names.names if part.names is not None else ()
    return [
        (names[label] if 0 <= label < len(names) else None) if names and isinstance(label, int) else label
        for label in labels
    ]
