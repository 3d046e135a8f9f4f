"""The images of a run found again: by name where the content is the same, else by content, else not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from deft.data.contents import UNREAD
from deft.data.images import LabeledImages
from deft.data.readers import IntArray
from deft.data.rows import unique
from deft.errors import DataError
from deft.runs.detection import Detection

ADVICE = "Put them back, say with data= where the run's own images are, or run deft detect again."


def judged_images(
    found: Detection, images: LabeledImages, where: str, first: Mapping[str, str] | None = None
) -> LabeledImages:
    """Return the images that were judged, in the order of the verdicts, with the labels that were judged.

    Args:
        found: The verdicts; where they have no contents (runs of older versions), names decide alone.
        images: All that is there now, with their contents known (`identify`).
        where: Where that is.
        first: Labels from before all reviews by sample_id, of the images that people decided about.

    Raises:
        DataError: An image is gone, another one has its name now, or its label is another one now.
    """
    rows = _by_name(found, images) if found.content is None else _by_content(found, images, where)
    missing = [name for name, row in zip(found.file_name, rows.tolist(), strict=True) if row < 0]
    if missing:
        raise DataError(
            f"{where} no longer has {len(missing)} of the {len(found)} images of this run, such as {missing[0]}. "
            "Say where they are now, or run deft detect again."
        )
    kept = replace(images.keep(rows), own_id=found.sample_id)
    if found.content is not None:
        _check_labels(found, kept, where, first or {})
    kept = kept.relabel(found.given, found.classes, words=found.words)
    return kept if found.clean_labels is None else replace(kept, clean_labels=found.clean_labels)


def _by_name(found: Detection, images: LabeledImages) -> IntArray:
    """Return the row of each image that has its own id or, where ids come from contents, its name; −1 for none."""
    if images.own_id is not None:
        now, then = images.own_id, found.sample_id
    else:
        now, then = unique(images.file_name), unique(found.file_name)
    place = {name: row for row, name in enumerate(now)}
    return np.array([place.get(name, -1) for name in then], np.int64)


def _by_content(found: Detection, images: LabeledImages, where: str) -> IntArray:
    """Return the row of each image, −1 for those that are gone; copies of a file are as good as each other."""
    then, now = found.content or (), images.content_id
    rows = _by_name(found, images)
    # An image that couldn't be judged then, or can't be read now, can't be mixed up: nothing is made of it.
    unjudged = [not judged or old.startswith(UNREAD) for old, judged in zip(then, found.judged.tolist(), strict=True)]
    same = [
        row >= 0 and (skip or old == now[row] or now[row].startswith(UNREAD))
        for old, row, skip in zip(then, rows.tolist(), unjudged, strict=True)
    ]
    left: dict[str, list[int]] = {}
    taken = {row for row, kept in zip(rows.tolist(), same, strict=True) if kept}
    for row in sorted(set(range(len(images))) - taken, reverse=True):
        left.setdefault(now[row], []).append(row)
    replaced = []
    for number, kept in enumerate(same):
        if kept:
            continue
        others = left.get(then[number])
        if others:
            rows[number] = others.pop()
        elif rows[number] >= 0:
            replaced.append(found.file_name[number])
    if replaced:
        raise DataError(
            f"{where} has other images now under {len(replaced)} of the {len(found)} names of this run, such as "
            f"{replaced[0]}: they are not those that were judged. {ADVICE}"
        )
    return rows


def _check_labels(found: Detection, images: LabeledImages, where: str, first: Mapping[str, str]) -> None:
    given = _names(found.given, found.classes)
    now_given = _names(images.labels, images.classes)
    changed = [
        (name, before, now)
        for sample, name, label, now in zip(found.sample_id, found.file_name, given, now_given, strict=True)
        if (before := first.get(sample, label)) != now
    ]
    if changed:
        name, before, now = changed[0]
        raise DataError(
            f"{len(changed)} of the {len(found)} labels in {where} are others than this run judged, such as that of "
            f"{name}: {before or 'none'!r} is {now or 'none'!r} now. Put them back, or run deft detect again."
        )


def _names(labels: IntArray, classes: Sequence[str]) -> list[str]:
    names = (*classes, "")
    return [names[label] for label in labels.tolist()]
