"""The suspects, worst first, with a thumbnail of each that is shown."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from deft.data.images import LabeledImages
from deft.data.printable import shown
from deft.data.thumbnails import thumbnail
from deft.errors import DataError
from deft.progress import Progress
from deft.report.cards import Bar, Card, Gallery, Group, Kind, Why
from deft.report.evidence import whys
from deft.report.words import score
from deft.runs.detection import Detection
from deft.runs.kinds import count_kinds
from deft.runs.vocabulary import KIND_IN_WORDS

BARS = 3
SIDES = (144, 96)  # pixels: the smaller where the larger would make the page too heavy
BYTES = 3_300_000  # of all thumbnails in base64, so that the page stays under 5 MB


def build_gallery(images: LabeledImages, found: Detection, limit: int, progress: Progress) -> Gallery:
    """Return cards of the worst suspects.

    Args:
        images: Where the pictures are.
        found: The verdicts on them.
        limit: How many cards at the most.
        progress: Told of every thumbnail.
    """
    suspects = np.flatnonzero(found.is_label_issue)
    rows = suspects[np.argsort(found.p_clean[suspects], kind="stable")][:limit]
    kinds = found.issue_kind
    groups = _groups(found, rows, kinds)
    places = {group.class_id: group.place for group in groups}
    pictures = _pictures(images, rows, progress)
    reasons, small = whys(images, found, rows.tolist(), progress)
    cards = []
    for rank, (row, why) in enumerate(zip(rows.tolist(), reasons, strict=True), start=1):
        places[int(found.given[row])] += 1
        card = _card(found, row, (rank, places[int(found.given[row])]), pictures[row], str(kinds[row]), why)
        cards.append(card)
    counted = count_kinds([kinds[row] for row in rows.tolist()])
    return Gallery(
        cards=tuple(cards),
        groups=tuple(groups),
        flagged=len(suspects),
        kinds=tuple(Kind(key, KIND_IN_WORDS[key], number) for key, number in counted.items()),
        small=small,
    )


def _groups(found: Detection, rows: npt.NDArray[np.int64], kinds: Sequence[str | None]) -> list[Group]:
    shown_of = Counter(found.given[rows].tolist())
    flagged = np.bincount(found.given[found.is_label_issue], minlength=len(found.classes))
    present: dict[int, set[str]] = {}
    for row in rows.tolist():
        present.setdefault(int(found.given[row]), set()).add(str(kinds[row]))
    place, groups = 0, []
    for class_id, number in sorted(shown_of.items(), key=lambda item: (-item[1], item[0])):
        name, among = shown(found.titles[class_id]), tuple(sorted(present[class_id]))
        groups.append(Group(class_id, place, name, number, int(flagged[class_id]), among))
        place += number + 1  # its heading and its cards
    return groups


def _card(found: Detection, row: int, at: tuple[int, int], picture: str, kind: str, why: Why) -> Card:
    given, verdicts = int(found.given[row]), found.verdicts
    suggested = int(found.suggested[row])
    truth = -1 if found.clean_labels is None else int(found.clean_labels[row])
    bars = tuple(
        Bar(shown(found.titles[index]), round(100 * float(share), 1), index == given)
        for index, share in zip(verdicts.topk[row][:BARS].tolist(), verdicts.topk_probs[row][:BARS], strict=True)
        if index >= 0
    )
    return Card(
        rank=at[0],
        place=at[1],
        class_id=given,
        file_name=shown(found.file_name[row]),
        sample_id=shown(found.sample_id[row]),
        picture=picture,
        given=shown(found.titles[given]),
        suggested=shown(found.titles[suggested]) if suggested >= 0 else "",
        score=score(float(found.p_clean[row])),
        bars=bars,
        truth=shown(found.titles[truth]) if truth >= 0 else "",
        kind=kind,
        kind_words=KIND_IN_WORDS[kind],
        why=why,
    )


def _pictures(images: LabeledImages, rows: npt.NDArray[np.int64], progress: Progress) -> dict[int, str]:
    """Return thumbnails in base64 by row; smaller ones where all would be too heavy."""
    ordered = np.sort(rows).tolist()  # the order of the data, in which tables are read fast
    for side in SIDES:
        made: dict[int, str] = {}
        weight = 0
        for row in progress.track(ordered, "Making thumbnails", total=len(ordered)):
            made[row] = _picture(images, row, side)
            weight += len(made[row])
            if weight > BYTES and side != SIDES[-1]:
                break
        else:
            break
    return made


def _picture(images: LabeledImages, row: int, side: int) -> str:
    try:
        return base64.b64encode(thumbnail(images, row, side=side)).decode("ascii")
    except DataError:  # it was there when it was judged
        return ""
