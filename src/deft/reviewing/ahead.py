"""What is still ahead of a reviewer: how many wrong labels are left, and a random sample that tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deft.errors import SettingsError
from deft.reviewing.heard import Heard
from deft.reviewing.query import Order
from deft.runs.audit import Audit, sizes
from deft.runs.detection import Detection
from deft.runs.left import NEXT, border, what_is_left
from deft.runs.onward import likely_wrong_by
from deft.wording import counted

KEPT = 8
"""Orders by what was decided that are remembered: of so many people or windows, each stays where it is."""


class Ahead:
    """What is left of a run under review, and the sample that was drawn of it.

    Args:
        run: Folder of the run, where the sample is kept.
        found: The verdicts.
        row_of: Row of each image by sample_id.
    """

    def __init__(self, run: Path, found: Detection, row_of: Mapping[str, int]) -> None:
        self._run = run
        self._found = found
        self._row_of = row_of
        self._audit = Audit.load(run)

    @property
    def order(self) -> np.ndarray:
        """All rows, those of the sample first, in the order of drawing, (N,)."""
        drawn = self._rows()
        rest = np.setdiff1d(np.arange(len(self._found)), drawn)
        return np.concatenate([drawn, rest])

    @property
    def mask(self) -> np.ndarray:
        """Which images were drawn, bool (N,)."""
        drawn = np.zeros(len(self._found), bool)
        drawn[self._rows()] = True
        return drawn

    def draw(self, heard: Heard, count: int) -> None:
        """Draw a sample of the images that nobody has decided about, and keep it.

        Args:
            heard: What people decided.
            count: How many to draw.

        Raises:
            SettingsError: The last sample isn't finished, or there are fewer images.
        """
        still = 0 if self._audit is None else self._audit.open(heard.latest)
        if still:
            are = "is" if still == 1 else "are"
            raise SettingsError(f"{counted(still, 'image')} of the last sample {are} still to be looked at.")
        pool = [self._found.sample_id[row] for row in np.flatnonzero(heard.still).tolist()]
        seed = 0 if self._audit is None else self._audit.seed + 1
        made = Audit.draw(pool, count=count, seed=seed)
        made.save(self._run)
        self._audit = made

    def told(self, heard: Heard) -> dict[str, Any]:
        """Return what the page says of what is left, and the samples that it offers.

        Args:
            heard: What people decided.
        """
        still = heard.still
        rate = None if self._audit is None else self._audit.rate(heard.latest)
        left = what_is_left(self._found, still, heard.said, rate)
        share = left.wrong / left.images if left.images else 0.0
        unflagged = left.images - int((still & self._found.is_label_issue).sum())
        sample = None
        if self._audit is not None and rate is not None:
            sample = {
                "drawn": len(self._audit.drawn),
                "open": self._audit.open(heard.latest),
                "pool": self._audit.pool,
                "wrong": rate.wrong,
                "seen": rate.seen,
                "low": rate.low,
                "high": rate.high,
            }
        return {
            "left": {**asdict(left), "stop": left.stop, "next": min(NEXT, left.images), "unflagged": unflagged},
            "sample": sample,
            "offers": sizes(share, left.images),
        }

    def _rows(self) -> np.ndarray:
        drawn = () if self._audit is None else self._audit.drawn
        return np.array([self._row_of[name] for name in drawn if name in self._row_of], np.int64)


class Orders:
    """The orders in which the images of a run can be asked for; those without a score come last.

    Args:
        found: The verdicts.
        heard: What people decided.
    """

    def __init__(self, found: Detection, heard: Heard) -> None:
        self._found = found
        self._heard = heard
        score = found.p_clean
        self._fixed = {
            "worst": np.argsort(score, kind="stable"),
            "best": np.argsort(np.where(np.isnan(score), np.inf, -score), kind="stable"),
            "unsure": np.argsort(np.abs(score - border(found)), kind="stable"),
            "name": np.array(sorted(range(len(found)), key=found.file_name.__getitem__), np.int64),
        }
        self._likely: dict[int, np.ndarray] = {}  # by the entry that is heard last, the oldest first

    def __getitem__(self, asked: tuple[Order, int]) -> np.ndarray:
        """Return all rows in an order, (N,); "likely" hears the log up to an entry, whose number goes with it."""
        order, as_of = asked
        if order != "likely":
            return self._fixed[order]
        if as_of not in self._likely:
            if len(self._likely) >= KEPT:
                del self._likely[next(iter(self._likely))]
            labels = self._heard.labels_at(as_of)
            self._likely[as_of] = np.argsort(-likely_wrong_by(self._found, labels), kind="stable")
        return self._likely[as_of]
