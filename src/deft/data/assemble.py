"""The last step of every way of loading: what was found in a source becomes `LabeledImages`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deft.data.images import LabeledImages
from deft.data.names import ClassNames, encode, tidy, wordless
from deft.data.readers import ImageReader, IntArray
from deft.errors import DataError
from deft.progress import Progress


@dataclass
class SourceRows:
    """What a source holds, row by row, before its labels are understood.

    Args:
        source: What the source is called.
        reader: Gives the images, one per row.
        file_name: What each row is called; a name that comes twice is the same image twice.
        labels: The labels as they stand there.
        clean: The true labels as they stand there, if asked for.
        split: The split of each row, if there are splits.
        errors: Rows that are known to be unreadable, and why.
        names: Class names that the source itself settles.
        sample_id: Unique names of the rows, where `file_name` doesn't serve.
    """

    source: str
    reader: ImageReader
    file_name: Sequence[str]
    labels: Sequence[Any]
    clean: Sequence[Any] | None = None
    split: Sequence[str] | None = None
    errors: dict[int, str] = field(default_factory=dict)
    names: ClassNames | None = None
    sample_id: Sequence[str] | None = None


def assemble(found: SourceRows, classes: ClassNames | None, split: str | None, progress: Progress) -> LabeledImages:
    """Number the labels, name the rows, and say aloud what a person may want to know.

    Raises:
        DataError: There are no rows, fewer than two classes, or not the split that was asked for.
    """
    if not len(found.file_name):
        raise DataError(f"{found.source} has no images.")
    labels, names, clean = _numbers(found, classes)
    images = LabeledImages(
        reader=found.reader,
        rows=np.arange(len(found.file_name)),
        labels=labels,
        classes=names,
        file_name=tuple(found.file_name),
        own_id=unique(found.file_name if found.sample_id is None else found.sample_id),
        split=None if found.split is None else tuple(found.split),
        clean_labels=clean,
        read_errors=found.errors,
    )
    if split is not None:
        images = _only(images, split, found.source)
    if len(names) < 2:
        only = f"one class ('{names[0]}')" if names else "no labels"
        raise DataError(f"{found.source} has {only}; finding wrong labels takes at least two classes.")
    _notes(images, found, progress)
    return images


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with "#2", "#3", ... behind those that come again."""
    taken = set(names)
    seen: set[str] = set()
    times: dict[str, int] = {}
    result = []
    for name in names:
        new = name
        while name in seen and new in taken:
            times[name] = times.get(name, 1) + 1
            new = f"{name}#{times[name]}"
        seen.add(name)
        taken.add(new)
        result.append(new)
    return tuple(result)


def _numbers(found: SourceRows, classes: ClassNames | None) -> tuple[IntArray, tuple[str, ...], IntArray | None]:
    count = len(found.labels)
    labels = tidy([*found.labels, *(found.clean or [])])
    if found.names is not None:
        labels = _in_words(labels, found.names, by_name=classes is not None)
    numbers, names = encode(labels, found.names if classes is None else classes)
    return numbers[:count], names, None if found.clean is None else numbers[count:]


def _in_words(labels: list[str | int | None], names: ClassNames, *, by_name: bool) -> list[str | int | None]:
    """Drop the -1 that Hugging Face writes for no label; spell numbers out where the user has other names."""
    known = [None if isinstance(label, int) and label < 0 else label for label in labels]
    if not by_name:
        return known
    count = len(names.names)
    return tidy([names.names[label] if isinstance(label, int) and label < count else label for label in known])


def _only(images: LabeledImages, split: str, source: str) -> LabeledImages:
    if images.split is None:
        raise DataError(f"{source} has no splits, so there is no split '{split}' to choose.")
    mask = np.array([name == split for name in images.split], dtype=bool)
    if not mask.any():
        there = ", ".join(sorted(set(images.split)))
        raise DataError(f"{source} has no split '{split}'; its splits are: {there}.")
    return images.keep(mask)


def _notes(images: LabeledImages, found: SourceRows, progress: Progress) -> None:
    warning = wordless(images.classes)
    if warning is not None:
        progress.note(warning)
    counts = images.class_counts()
    single = [name for name, count in zip(images.classes, counts.tolist(), strict=True) if count == 1]
    if single:
        progress.note(f"Classes with one image only: {_some(single)}.")
    absent = [name for name, count in zip(images.classes, counts.tolist(), strict=True) if count == 0]
    if absent:
        progress.note(f"Classes without an image: {_some(absent)}.")
    _note_repeats(images, found, progress)
    if images.read_errors:
        reasons: dict[str, int] = {}
        for reason in images.read_errors.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        listed = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        progress.note(f"{len(images.read_errors)} of {len(images)} rows can't be used: {listed}.")


def _note_repeats(images: LabeledImages, found: SourceRows, progress: Progress) -> None:
    if found.sample_id is not None:
        return
    seen: dict[str, set[int]] = {}
    for name, label in zip(images.file_name, images.labels.tolist(), strict=True):
        seen.setdefault(name, set()).add(label)
    again = len(images) - len(seen)
    if again:
        torn = sorted(name for name, labels in seen.items() if len(labels - {-1}) > 1)
        said = f"; with different labels: {_some(torn)}" if torn else ""
        progress.note(f"{again} rows name a file that an earlier row names too; all are kept{said}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
