"""What stands under a suspect: why it is suspected, and small pictures of what speaks for and against its label."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from deft.data.images import LabeledImages
from deft.data.printable import isolated, shown
from deft.data.thumbnails import thumbnail
from deft.errors import DataError
from deft.progress import Progress
from deft.report.cards import Small, Strip, Why
from deft.runs.detection import Detection
from deft.runs.reasons import Reason

SIDE = 48  # pixels
BYTES = 1_200_000  # of all small pictures in base64; what comes after stands there in words alone


def whys(
    images: LabeledImages, found: Detection, rows: Sequence[int], progress: Progress
) -> tuple[list[Why], dict[int, str]]:
    """Return why each suspect is suspected, and every small picture once, in base64 by row.

    Args:
        images: Where the pictures are.
        found: The verdicts.
        rows: The suspects, in the order in which they are shown.
        progress: Told of every suspect.
    """
    pictures: dict[int, str] = {}
    weight, made = 0, []
    for row in progress.track(rows, "Gathering evidence", total=len(rows)):
        reason = found.reasons.of(row, _named)
        for other in _pictured(reason):
            if other not in pictures and weight < BYTES:
                pictures[other] = _picture(images, other)
                weight += len(pictures[other])
        made.append(_why(found, row, reason, pictures))
    return made, {row: picture for row, picture in pictures.items() if picture}


def _pictured(reason: Reason) -> tuple[int, ...]:
    return (*reason.neighbours, *reason.duplicates[:3], *reason.given, *reason.suggested)


def _why(found: Detection, row: int, reason: Reason, pictures: dict[int, str]) -> Why:
    given, suggested = int(found.given[row]), int(found.suggested[row])
    titles = {label: isolated(shown(found.titles[label])) for label in (given, suggested) if label >= 0}
    strips = [
        ("nearest images", reason.neighbours),
        ("the same picture", reason.duplicates[:3]),
        (f"typical {titles[given]}", reason.given),
        (f"typical {titles[suggested]}" if suggested >= 0 else "", reason.suggested),
    ]
    return Why(
        sentence=reason.sentence,
        strips=tuple(
            Strip(name, tuple(Small(other, shown(found.titles[found.given[other]])) for other in rows))
            for name, rows in strips
            if rows and all(pictures.get(other) for other in rows)
        ),
    )


def _named(name: str) -> str:
    return isolated(shown(name))


def _picture(images: LabeledImages, row: int) -> str:
    try:
        return base64.b64encode(thumbnail(images, row, side=SIDE)).decode("ascii")
    except DataError:  # it was there when it was judged
        return ""
