"""Why an image is suspected, as plain JSON values for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deft.data.printable import isolated
from deft.runs.detection import Detection

MOST_COPIES = 6  # of an image that are shown beside it


def evidence_on(found: Detection, row: int) -> dict[str, Any]:
    """Return a sentence, and the images that speak for and against a label.

    Args:
        found: The verdicts.
        row: Number of the image.
    """
    reason = found.reasons.of(row, isolated)
    cosines = [round(cosine, 3) for cosine in reason.similarity]
    return {
        "id": found.sample_id[row],
        "sentence": reason.sentence,
        "neighbours": [
            {**item, "similarity": cosine}
            for item, cosine in zip(_shown(found, reason.neighbours), cosines, strict=True)
        ],
        "given": _shown(found, reason.given),
        "suggested": _shown(found, reason.suggested),
        "duplicates": _shown(found, reason.duplicates[:MOST_COPIES]),
    }


def _shown(found: Detection, rows: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "id": found.sample_id[row],
            "name": found.file_name[row],
            "label": found.classes[found.given[row]] if found.given[row] >= 0 else "",
            "flagged": bool(found.is_label_issue[row]),
        }
        for row in rows
    ]
