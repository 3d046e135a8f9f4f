"""What the log of a run says, taken in entry by entry, so that no answer to the page goes through all of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import get_args

import numpy as np

from deft.runs.decisions import Decision, Decisions, Entry, latest, standing
from deft.runs.detection import Detection
from deft.runs.left import NOTHING, verdict_of_people
from deft.runs.onward import label_of, labels_now
from deft.runs.vocabulary import Status

UNDECIDED = -1
CODES = {status: code for code, status in enumerate(get_args(Status))}


class Heard:
    """What people decided so far, by image and by row.

    Args:
        found: The verdicts.
        log: Where decisions are read; nothing is, until `read_on`.
        row_of: Row of each image by sample_id.

    Attributes:
        number: Of the last entry that was taken in, 0 for none.
        latest: The decision that stands about each image, by sample_id; of images without one, nothing.
        entries: The last entry about each image, by sample_id.
        status: Code of the decision that stands about each image, int8 (N,).
        said: What people said of each label, as `verdicts_of_people` has it, int8 (N,).
        labels: The labels with the decisions on them, as `labels_now` has them, int64 (N,).
    """

    def __init__(self, found: Detection, log: Decisions, row_of: Mapping[str, int]) -> None:
        self.number = 0
        self.latest: dict[str, Decision] = {}
        self.entries: dict[str, Entry] = {}
        self.status = np.full(len(found), UNDECIDED, np.int8)
        self.said = np.full(len(found), NOTHING, np.int8)
        self.labels = found.given.astype(np.int64)
        self._found = found
        self._log = log
        self._row_of = row_of
        self._class_of = {name: number for number, name in enumerate(found.classes)}
        self._all: list[Entry] = []
        self._standing: dict[str, list[Decision]] = {}

    def read_on(self) -> None:
        """Take in what was decided since, here or in another process."""
        entries = self._log.history(after=self.number)
        if not entries:
            return
        standing(entries, self._standing)
        self._all += entries
        self.number = entries[-1].number
        self.entries |= {entry.decision.sample_id: entry for entry in entries}
        stands = {sample: self._standing[sample][-1:] for sample in {entry.decision.sample_id for entry in entries}}
        for sample, stack in stands.items():
            if stack:
                self.latest[sample] = stack[0]
            else:
                self.latest.pop(sample, None)
        self._mark({self._row_of[sample]: stack for sample, stack in stands.items() if sample in self._row_of})

    @property
    def still(self) -> np.ndarray:
        """Which judged images nobody has decided about, bool (N,); a skipped one counts as undecided."""
        still: np.ndarray = self._found.judged & np.isin(self.status, [UNDECIDED, CODES["skipped"]])
        return still

    def labels_at(self, number: int) -> np.ndarray:
        """Return the labels with the decisions up to an entry on them, int64 (N,).

        Args:
            number: Of the last entry that is heard.
        """
        if number >= self.number:
            return self.labels
        upto = bisect_right(self._all, number, key=lambda entry: entry.number)
        return labels_now(self._found, latest(self._all[:upto]))

    def _mark(self, changed: Mapping[int, list[Decision]]) -> None:
        """Set what is known of rows about which something else stands than before: one decision or none."""
        rows = np.fromiter(changed, np.int64, len(changed))
        self.status[rows], self.said[rows], self.labels[rows] = UNDECIDED, NOTHING, self._found.given[rows]
        for row, stack in changed.items():
            for one in stack:
                self.status[row] = CODES[one.status]
                self.said[row] = verdict_of_people(self._found, row, one)
                self.labels[row] = label_of(one, int(self._found.given[row]), self._class_of)
