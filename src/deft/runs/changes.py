"""What differs between a run and the one whose reviews it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deft.runs.detection import Detection


@dataclass(frozen=True)
class Changes:
    """How each image of a run fared in the run before.

    Args:
        before: The run before.
        rows: Its row of each image, (N,); −1 where it had none.
        label: Whether the given label is a different one now, (N,).
        flagged: Whether the image is flagged now and was not before, (N,).
        cleared: Whether the image was flagged before and is believed now, (N,).
        set_aside: Whether the image was judged before and a person has taken it out since, (N,).
    """

    before: Detection
    rows: np.ndarray
    label: np.ndarray
    flagged: np.ndarray
    cleared: np.ndarray
    set_aside: np.ndarray

    @classmethod
    def between(cls, before: Detection, now: Detection) -> Changes:
        """Compare two runs image by image.

        Args:
            before: The earlier run.
            now: The later one.
        """
        place = {name: row for row, name in enumerate(before.sample_id)}
        rows = np.array([place.get(name, -1) for name in now.sample_id], np.int64)
        known = rows >= 0
        old, new = _names(before)[rows], _names(now)
        was_flagged, was_judged = before.is_label_issue[rows] & known, before.judged[rows] & known
        return cls(
            before=before,
            rows=rows,
            label=known & (old != new),
            flagged=known & ~was_flagged & now.is_label_issue,
            cleared=was_flagged & now.is_clean,
            set_aside=was_judged & ~now.judged,
        )

    def mask(self, kind: str) -> np.ndarray:
        """Return which images changed in one way, (N,), or in any way."""
        if kind == "any":
            changed: np.ndarray = self.label | self.flagged | self.cleared | self.set_aside
            return changed
        masks = {"label": self.label, "flagged": self.flagged, "cleared": self.cleared, "set_aside": self.set_aside}
        return masks[kind]

    def counts(self) -> dict[str, int]:
        """Return how many images changed in each way, and how many were flagged before."""
        kinds = ("any", "label", "flagged", "cleared", "set_aside")
        return {**{kind: int(self.mask(kind).sum()) for kind in kinds}, "before": int(self.before.is_label_issue.sum())}

    def item(self, row: int) -> dict[str, Any] | None:
        """Return what the previous run said of an image; None if it didn't have the image."""
        old = int(self.rows[row])
        if old < 0:
            return None
        given = int(self.before.given[old])
        return {
            "given": self.before.classes[given] if given >= 0 else "",
            "flagged": bool(self.before.is_label_issue[old]),
            "score": round(float(self.before.p_clean[old]), 4) if self.before.judged[old] else None,
            "changed": bool(self.mask("any")[row]),
        }


def _names(found: Detection) -> np.ndarray:
    """Return the given labels by name, (N,); empty where there is none."""
    names: np.ndarray = np.array([*found.classes, ""], dtype=object)[found.given]
    return names
