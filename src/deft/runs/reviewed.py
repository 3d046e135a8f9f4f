"""From one run to the next: decisions become labels that the next run takes as true."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.manifest import check, replace_sealed
from deft.runs.decisions import FILE, Entry, copy_log, first_labels, read_log, standing
from deft.runs.detection import Detection
from deft.runs.folder import open_run
from deft.runs.source import Source
from deft.runs.storage import TABLE
from deft.runs.vocabulary import SET_ASIDE, Status
from deft.shown import in_short

BEFORE = "before"
"""Folder in a run that holds the verdicts of the run it was made from."""


@dataclass(frozen=True)
class Reviewed:
    """Images with what people decided about them.

    Args:
        images: With the decided labels, which are trusted; those that were set aside carry the reason as a read error.
        kept: How many labels were confirmed.
        corrected: How many were replaced.
        set_aside: How many images were taken out.
    """

    images: LabeledImages
    kept: int
    corrected: int
    set_aside: int


def apply_decisions(images: LabeledImages, log: Sequence[Entry]) -> Reviewed:
    """Put decisions on the images of the run that they were made in, or of one made from it.

    An image whose decision was taken back gets the label again that it had before anybody decided.

    Args:
        images: Images of the run.
        log: All of its decisions, in their order.

    Raises:
        DataError: A decision names a class that the run doesn't have.
    """
    place = {name: row for row, name in enumerate(images.sample_id)}
    labels, trusted, errors = images.labels.copy(), np.zeros(len(images), bool), dict(images.read_errors)
    first = images.labels.copy()
    counts = dict.fromkeys(get_args(Status), 0)
    latest, class_of = standing(log), {name: number for number, name in enumerate(images.classes)} | {"": -1}
    for sample, start in first_labels(log).items():
        if sample not in place:
            continue
        row, last = place[sample], latest[sample][-1] if latest[sample] else None
        wanted = start if last is None or last.to_label is None else last.to_label
        if wanted not in class_of:
            raise DataError(f"A decision about {sample} names the class {wanted!r}, which this run doesn't have.")
        labels[row], first[row] = class_of[wanted], class_of.get(start, -1)
        if last is not None:
            counts[last.status] += 1
            trusted[row] = last.to_label is not None
            if last.status in SET_ASIDE:
                errors[row] = SET_ASIDE[last.status]
    changed = replace(images, read_errors=errors).relabel(labels, trusted=trusted)
    changed = replace(changed, first_labels=first)
    return Reviewed(changed, counts["kept"], counts["corrected"], sum(counts[status] for status in SET_ASIDE))


def read_reviewed(run: str | Path, images: LabeledImages) -> Reviewed | None:
    """Return the images of a run with what people decided in its folder; None if nobody decided anything.

    Args:
        run: Folder of the run.
        images: Its images, from `open_run`.

    Raises:
        DataError: A decision names a class that the run doesn't have.
    """
    log = read_log(run)
    return apply_decisions(images, log) if log else None


@dataclass(frozen=True)
class ReviewedRun:
    """A run that people have reviewed, to be judged again with what they decided as true.

    Args:
        folder: Where it lies.
        source: Where its images come from.
        found: Its verdicts; `found.settings` is what judged them.
        reviewed: Its images with the decided labels.

    Example:
        >>> run = ReviewedRun.open("run/")  # doctest: +SKIP
        >>> detector = detector_from_settings(run.found.settings, encoder)  # doctest: +SKIP
        >>> run.finish(detector.detect(run.reviewed.images), "run2/").save("run2/")  # doctest: +SKIP
    """

    folder: Path
    source: Source
    found: Detection
    reviewed: Reviewed

    def __repr__(self) -> str:
        said = f"{self.reviewed.kept} kept, {self.reviewed.corrected} corrected, {self.reviewed.set_aside} set aside"
        return f"ReviewedRun({in_short(self.folder)}, {said})"

    @classmethod
    def open(cls, folder: str | Path, *, data: str | None = None) -> ReviewedRun:
        """Open a run with its decisions.

        Args:
            folder: The run.
            data: Where its images are now, if they were moved.

        Raises:
            DataError: It isn't a run, its images are gone, or nothing was decided in it.
        """
        found, images = open_run(folder, data=data)
        reviewed = read_reviewed(folder, images)
        if reviewed is None:
            raise DataError(f"{folder} holds no decisions ({FILE}). Make some first: deft review {folder}")
        source = Source.load(folder)
        return cls(Path(folder), source if data is None else replace(source, data=data), found, reviewed)

    def finish(self, found: Detection, new: str | Path) -> Detection:
        """Hand the decisions on to the new run, and return its verdicts with a note of where they come from.

        Args:
            found: The new verdicts.
            new: Folder of the new run.
        """
        hand_on(self.folder, Path(new))
        return replace(found, info={**found.info, "reviews": info(self.folder, self.reviewed)})


def hand_on(run: Path, new: Path) -> None:
    """Give a new run what its page needs of the one it was made from: its verdicts and all decisions.

    Args:
        run: Folder of the reviewed run.
        new: Folder of the run that was made from it; decisions that were made there already stay.
    """
    check(run / TABLE)
    with replace_sealed(new / BEFORE / TABLE) as temporary:
        shutil.copyfile(run / TABLE, temporary)
    if not (new / FILE).exists():
        copy_log(run, new)


def load_before(run: Path) -> Detection | None:
    """Return the verdicts of the run that this one was made from; None if it was made from none."""
    return Detection.load(run / BEFORE) if (run / BEFORE).is_dir() else None


def info(run: Path, reviewed: Reviewed) -> Mapping[str, object]:
    """Return what a summary says of the reviews that a run was made with."""
    return {
        "run": str(run),
        "kept": reviewed.kept,
        "corrected": reviewed.corrected,
        "set_aside": reviewed.set_aside,
    }
