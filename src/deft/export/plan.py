"""What every format writes from: the images, the verdicts about them, and what becomes of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deft.arguments import checked
from deft.data.images import NO_LABEL, LabeledImages
from deft.errors import DataError
from deft.runs.decisions import first_labels, latest, read_log
from deft.runs.detection import Detection
from deft.runs.folder import open_run
from deft.runs.outcomes import Outcome, count_outcomes, decide, final_classes, given_names
from deft.runs.vocabulary import AS_GIVEN, CHANGE, NOBODY, SET_ASIDE, UNREADABLE, Fix, Use, left_out_in_words
from deft.wording import counted

LEFT_OUT = "left_out.csv"


@dataclass(frozen=True)
class Plan:
    """Images, verdicts and outcomes, row by row.

    Args:
        images: The images of the run, in its order.
        found: The verdicts.
        outcomes: What becomes of each image.
        before: Given labels from before all reviews, if the run was made with some; the run's own if not given.

    Raises:
        DataError: They are not about the same images.
    """

    images: LabeledImages
    found: Detection
    outcomes: tuple[Outcome, ...]
    before: tuple[str | None, ...] | None = None

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.found) == len(self.outcomes):
            raise DataError(
                f"There are {len(self.images)} images, {len(self.found)} verdicts and {len(self.outcomes)} outcomes."
            )
        if self.images.sample_id != self.found.sample_id:
            raise DataError("The images are not those of the verdicts, or not in their order.")

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {number}" for name, number in count_outcomes(self.outcomes).items())
        return f"Plan({counted(len(self.images), 'image')}: {counts})"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The run's classes, then those that only reviewers named."""
        return final_classes(self.found, self.outcomes)

    @cached_property
    def judged(self) -> np.ndarray:
        """Which images were judged, (N,)."""
        return self.found.judged

    @cached_property
    def flagged(self) -> np.ndarray:
        """Whether the given label is judged wrong, (N,)."""
        return self.found.is_label_issue

    @cached_property
    def unreadable(self) -> Mapping[int, str]:
        """Row to reason, of the images that are known not to be readable; for want of a label is no such reason."""
        seen = {row: why for row, why in self.found.read_errors.items() if self.found.given[row] >= 0}
        return {**seen, **{row: why for row, why in self.images.read_errors.items() if why != NO_LABEL}}

    def usable(self) -> list[int]:
        """Return the rows that have a label in the end and can be read.

        Raises:
            DataError: There is none.
        """
        lost = self.unreadable
        rows = [row for row, one in enumerate(self.outcomes) if one.label is not None and row not in lost]
        if not rows:
            raise DataError(f"Nothing is left to export: {self.why_left_out([])}.")
        return rows

    def part(self, rows: list[int]) -> tuple[LabeledImages, list[str]]:
        """Return some of the images with their final labels."""
        labels = [self.outcomes[row].label or "" for row in rows]
        return self.images.keep(np.array(rows, np.int64)), labels

    def reason(self, row: int, failures: Mapping[int, str]) -> str:
        """Return why a row is left out."""
        if row in failures:
            return f"{UNREADABLE}: {failures[row]}"
        if self.outcomes[row].action == "drop":
            return self.outcomes[row].reason
        if row in self.unreadable:
            return f"{UNREADABLE}: {self.unreadable[row]}"
        return NO_LABEL

    def why_left_out(self, rows: Iterable[int], failures: Mapping[int, str] | None = None) -> str:
        """Count the reasons why rows other than these are left out, for people."""
        words = Counter(left_out_in_words(self.reason(row, failures or {})) for row in self._others(rows))
        return ", ".join(f"{count} {name}" for name, count in words.most_common()) or "no images"

    def left_out(self, rows: Iterable[int], failures: Mapping[int, str]) -> pd.DataFrame:
        """Return one line for each row other than these, with its reason."""
        others = self._others(rows)
        return pd.DataFrame(
            {
                "sample_id": [self.found.sample_id[row] for row in others],
                "file_name": [self.found.file_name[row] for row in others],
                "given_label": [self.given(row) for row in others],
                "reason": [self.reason(row, failures) for row in others],
                "by": [self.outcomes[row].by for row in others],
            }
        )

    def given(self, row: int) -> str | None:
        """Return the label that a row came with."""
        if self.before is not None:
            return self.before[row]
        number = int(self.found.given[row])
        return self.found.classes[number] if number >= 0 else None

    def notes(self, rows: list[int]) -> dict[str, list[Any]]:
        """Return what a corrected table says of rows besides image and label.

        The given label is called `label_before`: a table with two columns of labels could not be read again without
        being told which one counts.
        """
        scores = self.found.p_clean
        columns: dict[str, list[Any]] = {
            "label_before": [self.given(row) for row in rows],
            "change": [CHANGE[self.outcomes[row].action] for row in rows],
            # Never blank: readers of CSV take a blank column for numbers, and refuse splits whose columns differ.
            "reason": [self.outcomes[row].reason or AS_GIVEN for row in rows],
            "by": [self.outcomes[row].by or NOBODY for row in rows],
            "label_score": [round(float(scores[row]), 6) if np.isfinite(scores[row]) else None for row in rows],
            "sample_id": [self.found.sample_id[row] for row in rows],
        }
        if self.found.split is not None:
            columns = {"split": [self.found.split[row] for row in rows], **columns}
        return columns

    def _others(self, rows: Iterable[int]) -> list[int]:
        kept = set(rows)
        return [row for row in range(len(self.found)) if row not in kept]


@checked
def plan_run(run: str | Path, *, data: str | None = None, use: Use = "both", fix: Fix = "drop") -> Plan:
    """Decide what becomes of the images of a run.

    A run made with reviews holds the labels that people decided. If reviews count, outcomes start from the labels
    before the reviews, so that every correction shows as one; with `use="verdicts"` they start from the judged labels.

    Args:
        run: Its folder.
        data: Where the images are now, if they were moved.
        use: Which decisions count, as in `decide`.
        fix: What becomes of labels that were judged wrong, as in `decide`.

    Returns:
        Images, verdicts and outcomes, row by row; `write_export` takes it.

    Raises:
        DataError: It isn't a run, its images are gone, or only reviews were asked for and there are none.

    Example:
        >>> plan_run("run/", use="both", fix="relabel").outcomes[0].label  # doctest: +SKIP
        'dog'
    """
    found, images = open_run(run, data=data)
    log = [] if use == "verdicts" else read_log(run)
    if not log:
        return Plan(images, found, decide(found, {}, use=use, fix=fix))
    decisions, first = latest(log), first_labels(log)
    before = tuple(
        (first[sample] or None) if sample in first else label
        for sample, label in zip(found.sample_id, given_names(found), strict=True)
    )
    # What reviews set aside can be read; whether it is dropped is for the decisions that stand now.
    errors = {row: why for row, why in found.read_errors.items() if not why.endswith(tuple(SET_ASIDE.values()))}
    outcomes = decide(found, decisions, use=use, fix=fix, before=before)
    return Plan(images, replace(found, read_errors=errors), outcomes, before)


@dataclass(frozen=True)
class Written:
    """What an export left.

    Args:
        files: Names of what to look at, within the folder.
        images: Number of images in it.
        notes: What a person should know, a sentence each.
        already: Whether it was there before, whole, so that nothing was written.
    """

    files: tuple[str, ...]
    images: int
    notes: tuple[str, ...] = field(default=())
    already: bool = False


def write_left_out(plan: Plan, folder: Path, rows: Iterable[int], failures: Mapping[int, str]) -> tuple[str, ...]:
    """List the rows that an export leaves out, and return sentences about them; none where all rows are in."""
    rows = list(rows)
    table = plan.left_out(rows, failures)
    if not len(table):
        return ()
    table.to_csv(folder / LEFT_OUT, index=False)
    told = f"{counted(len(table), 'image')} left out ({plan.why_left_out(rows, failures)}), listed in {LEFT_OUT}."
    still_there = {plan.outcomes[row].label for row in rows}
    gone = sorted(set(table["given_label"].dropna()) - still_there)
    return (told, f"No image is left of: {', '.join(gone)}.") if gone else (told,)
