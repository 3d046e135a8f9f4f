"""Two runs side by side: what changed, in numbers and in pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np

from deft.data.images import LabeledImages
from deft.data.printable import shown
from deft.data.thumbnails import thumbnail
from deft.errors import DataError
from deft.progress import Progress, Silent
from deft.report.page import Table
from deft.report.words import count, percent, score
from deft.runs.changes import Changes
from deft.runs.detection import Detection

LIMIT = 200
"""Changed images that a page shows at most."""

SIDE = 96  # pixels of a thumbnail
_KINDS = (
    ("label", "other label now"),
    ("flagged", "newly flagged"),
    ("cleared", "no longer flagged"),
    ("set_aside", "not judged any more"),
)


@dataclass(frozen=True)
class Changed:
    """An image that fared otherwise in the second run."""

    file_name: str
    picture: str
    kind: str
    before: str
    now: str


@dataclass(frozen=True)
class Comparison:
    """What changed from one run to another.

    Args:
        names: What the runs are called.
        numbers: The same number of both runs, a row each.
        classes: Flagged labels of each class in both runs, where they differ.
        changed: Images that fared otherwise, lowest scores first.
        more: How many more there are.
    """

    names: tuple[str, str]
    numbers: Table
    classes: Table
    changed: tuple[Changed, ...]
    more: int


def compare(
    before: Detection,
    now: Detection,
    images: LabeledImages | None = None,
    *,
    names: tuple[str, str] = ("before", "now"),
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Comparison:
    """Return what changed from one run to another; images are matched by sample_id.

    Args:
        before: The first run.
        now: The second run.
        images: Those of the second run, for thumbnails; none if not given.
        names: What the runs are called.
        limit: How many changed images are shown at most.
        progress: Told of every thumbnail.

    Raises:
        DataError: They have no image in common.
    """
    changes = Changes.between(before, now)
    if not (changes.rows >= 0).any():
        raise DataError("The two runs have no image in common, so there is nothing to compare.")
    rows = np.flatnonzero(changes.mask("any"))
    rows = rows[np.argsort(np.nan_to_num(now.p_clean[rows], nan=2.0), kind="stable")]
    shown_rows = (progress or Silent()).track(rows[:limit].tolist(), "Making thumbnails", total=min(len(rows), limit))
    changed = tuple(_changed(changes, before, now, images, row) for row in shown_rows)
    return Comparison(
        (shown(names[0]), shown(names[1])),
        _numbers(changes, before, now, names),
        _classes(before, now, names),
        changed,
        len(rows) - len(changed),
    )


def _numbers(changes: Changes, before: Detection, now: Detection, names: tuple[str, str]) -> Table:
    first, second = before.summary(), now.summary()
    counts = changes.counts()
    rows = [
        ("images", count(len(before)), count(len(now))),
        ("images in both", count(int((changes.rows >= 0).sum())), count(int((changes.rows >= 0).sum()))),
        ("judged", count(first["judged"]), count(second["judged"])),
        ("labels flagged as wrong", count(first["flagged"]), count(second["flagged"])),
        (
            "estimated share of wrong labels",
            percent(first["estimated_noise_rate"]),
            percent(second["estimated_noise_rate"]),
        ),
        *((words, "", count(counts[kind])) for kind, words in _KINDS),
    ]
    return Table(("", shown(names[0]), shown(names[1])), tuple(rows), words=1)


def _classes(before: Detection, now: Detection, names: tuple[str, str]) -> Table:
    first = {row["Class Name"]: row["Label Issues"] for row in before.summary()["per_class"]}
    second = {row["Class Name"]: row["Label Issues"] for row in now.summary()["per_class"]}
    both = {name: (first.get(name, 0), second.get(name, 0)) for name in {**first, **second}}
    differ = sorted(
        ((name, *pair) for name, pair in both.items() if pair[0] != pair[1]), key=lambda row: -abs(row[1] - row[2])
    )
    rows = tuple((shown(name), count(old), count(new)) for name, old, new in differ)
    return Table(("Flagged labels of", shown(names[0]), shown(names[1])), rows, words=1)


def _changed(changes: Changes, before: Detection, now: Detection, images: LabeledImages | None, row: int) -> Changed:
    kinds = [words for kind, words in _KINDS if changes.mask(kind)[row]]
    old = int(changes.rows[row])
    return Changed(
        file_name=shown(now.file_name[row]),
        picture="" if images is None else _picture(images, row),
        kind=", ".join(kinds),
        before=_said(before, old),
        now=_said(now, row),
    )


def _said(found: Detection, row: int) -> str:
    given = int(found.given[row])
    label = shown(found.classes[given]) if given >= 0 else "no label"
    if not found.judged[row]:
        return f"{label}, not judged"
    return (
        f"{label}, {'flagged' if found.is_label_issue[row] else 'believed'}, score {score(float(found.p_clean[row]))}"
    )


def _picture(images: LabeledImages, row: int) -> str:
    try:
        return base64.b64encode(thumbnail(images, row, side=SIDE)).decode("ascii")
    except DataError:
        return ""
