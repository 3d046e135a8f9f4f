"""The last step of every way of loading: what was found in a source becomes `LabeledImages`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from deft.data.images import LabeledImages
from deft.data.labels import Label, LabelColumn, read_labels, read_names
from deft.data.names import ClassNames, Encoded, encode
from deft.data.readers import ImageReader
from deft.data.words import Words, give_words, read_alike, wordless
from deft.errors import DataError
from deft.progress import Progress
from deft.wording import counted, noun


@dataclass
class SourceRows:
    """What a source holds, row by row, before its labels are understood.

    Args:
        source: What the source is called.
        reader: Gives the images, one per row.
        file_name: What a person calls each row.
        labels: The labels as they stand there.
        clean: The true labels as they stand there, if asked for.
        split: The split of each row, if there are splits.
        errors: Rows that are known to be unreadable, and why.
        names: Class names that the source itself settles.
        labels_are: "cells" of a table; "folders", whose names are names whatever they look like; or "values", which
            nobody reads but through their names (`ClassLabel`, labels in memory).
        notes: What a person should know, a sentence each.
        skipped: Number of files that were passed over, by kind.
    """

    source: str
    reader: ImageReader
    file_name: Sequence[str]
    labels: Sequence[Any]
    clean: Sequence[Any] | None = None
    split: Sequence[str] | None = None
    errors: dict[int, str] = field(default_factory=dict)
    names: ClassNames | None = None
    labels_are: Literal["cells", "folders", "values"] = "values"
    notes: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


def assemble(
    found: SourceRows,
    classes: ClassNames | None,
    split: str | None,
    progress: Progress,
    words: Words | None = None,
    least_classes: int = 2,
) -> LabeledImages:
    """Number the labels, name the rows, and say aloud what a person may want to know.

    Raises:
        DataError: There are no rows, too few classes, or not the split that was asked for.
    """
    if not len(found.file_name):
        raise DataError(f"{found.source} has no images.")
    count = len(found.labels)
    column, encoded = _numbers(found, classes)
    names = encoded.names
    read, lacking = (encoded.words or (), None) if words is None else give_words(names, words)
    images = LabeledImages(
        reader=found.reader,
        rows=np.arange(len(found.file_name)),
        labels=encoded.numbers[:count],
        classes=names,
        file_name=tuple(found.file_name),
        split=None if found.split is None else tuple(found.split),
        clean_labels=None if found.clean is None else encoded.numbers[count:],
        read_errors={**{row: why for row, why in column.problems.items() if row < count}, **found.errors},
        words=read,
        skipped=found.skipped,
    )
    images = replace(images, label_cells=_cells(images, found))
    if split is not None:
        images = _only(images, split, found.source)
    if len(names) < least_classes:
        only = f"one class ('{names[0]}')" if names else "no labels"
        raise DataError(f"{found.source} has {only}; finding wrong labels takes at least two classes.")
    notes = [*found.notes, *column.notes, *encoded.notes, *([lacking] if lacking else []), *_notes(images, found)]
    for note in notes:
        progress.note(note)
    return replace(images, notes=tuple(notes))


def _numbers(found: SourceRows, classes: ClassNames | None) -> tuple[LabelColumn, Encoded]:
    """Return the labels given and then the true ones, as cells and as numbers."""
    cells = [*found.labels, *(found.clean or [])]
    if found.labels_are == "folders":
        column = read_names(cells)
    else:
        known = {*(classes.names if classes else ()), *(found.names.names if found.names else ())}
        column = read_labels(cells, known)
    if found.names is not None and classes is not None:
        column = replace(column, values=_by_name(column.values, found.names.names))
    return column, encode(column.values, found.names if classes is None else classes)


def _by_name(labels: Sequence[Label], names: Sequence[str]) -> list[Label]:
    """Return labels with numbers spelt out in the source's own names, where the user has others; -1 is no label."""
    return [
        (None if label < 0 else names[label] if label < len(names) else label) if isinstance(label, int) else label
        for label in labels
    ]


def _cells(images: LabeledImages, found: SourceRows) -> tuple[Any, ...] | None:
    """Return the data's own value for each label, if any differs from the class's name."""
    if found.labels_are == "values" or found.names is not None:
        return None
    rows = zip(found.labels, images.given_names(), strict=True)
    return None if all(isinstance(cell, str) and cell == name for cell, name in rows) else tuple(found.labels)


def _only(images: LabeledImages, split: str, source: str) -> LabeledImages:
    if images.split is None:
        raise DataError(f"{source} has no splits, so there is no split '{split}' to choose.")
    mask = np.array([name == split for name in images.split], dtype=bool)
    if not mask.any():
        there = ", ".join(sorted(set(images.split)))
        raise DataError(f"{source} has no split '{split}'; its splits are: {there}.")
    return images.keep(mask)


def _notes(images: LabeledImages, found: SourceRows) -> Iterator[str]:
    for warning in (wordless(images.words), read_alike(images.classes, images.words)):
        if warning is not None:
            yield warning
    counts = images.class_counts()
    single = [name for name, count in zip(images.classes, counts.tolist(), strict=True) if count == 1]
    if single:
        yield f"Classes with one image only: {_some(single)}."
    absent = [name for name, count in zip(images.classes, counts.tolist(), strict=True) if count == 0]
    if absent:
        yield f"Classes without an image: {_some(absent)}."
    yield from _repeats(images, found)
    if images.read_errors:
        reasons = Counter(images.read_errors.values())
        listed = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(8))
        more = ", ..." if len(reasons) > 8 else ""
        yield f"{len(images.read_errors)} of {counted(len(images), 'row')} can't be used: {listed}{more}."


def _repeats(images: LabeledImages, found: SourceRows) -> Iterator[str]:
    there = [row for row in range(len(images)) if row not in found.errors]
    places = [images.reader.describe(row) for row in images.rows[there].tolist()]
    seen: dict[str, set[int]] = {}
    for place, label in zip(places, images.labels[there].tolist(), strict=True):
        seen.setdefault(place, set()).add(label)
    again = len(places) - len(seen)
    if again:
        names = dict(zip(places, (images.file_name[row] for row in there), strict=True))
        torn = sorted(names[place] for place, labels in seen.items() if len(labels - {-1}) > 1)
        said = f"; with different labels: {_some(torn)}" if torn else ""
        named = f"{counted(again, 'row')} {noun(again, 'names', 'name')}"
        yield f"{named} a file that an earlier row names too; all are kept{said}."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
