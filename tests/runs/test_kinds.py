"""Which kind of error an image is suspected of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deft.runs.detection import Detection, Verdicts
from deft.runs.kinds import count_kinds
from deft.runs.vocabulary import SET_ASIDE

ROWS = 10


def detection(**changes: object) -> Detection:
    """Ten dogs and cats: 0 to 4 are flagged with another class, 5 is flagged with none, the rest is believed."""
    given = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    flagged = np.arange(ROWS) < 6
    predicted = np.where(np.arange(ROWS) < 5, 1, given)
    topk = np.stack([predicted, 1 - predicted], axis=1)
    made = Detection(
        sample_id=tuple(f"id{row}" for row in range(ROWS)),
        file_name=tuple(f"{row}.png" for row in range(ROWS)),
        split=None,
        classes=("cat", "dog"),
        given=given,
        verdicts=Verdicts(
            p_clean=np.where(flagged, 0.1, 0.9).astype(np.float32),
            is_clean=~flagged,
            predicted=predicted,
            topk=topk,
            topk_probs=np.tile(np.array([0.9, 0.1], np.float32), (ROWS, 1)),
        ),
        read_errors={},
        settings={},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_flagged_label_is_wrong_where_another_class_fits_and_none_of_them_where_not() -> None:
    found = detection()
    assert found.issue_kind == (*["wrong_label"] * 5, "none_of_the_classes", *[None] * 4)
    assert found.suggested.tolist() == [1, 1, 1, 1, 1, -1, -1, -1, -1, -1]
    assert found.table["issue_kind"].fillna("").tolist() == [kind or "" for kind in found.issue_kind]
    assert found.summary()["issue_kinds"] == {"wrong_label": 5, "none_of_the_classes": 1}


@pytest.mark.parametrize(("second", "kind"), [(0.3, "ambiguous"), (0.29, "wrong_label")])
def test_two_classes_fit_where_the_second_is_half_as_probable(second: float, kind: str) -> None:
    found = detection()
    probs = np.tile(np.array([0.6, second], np.float32), (ROWS, 1))
    found = replace(found, verdicts=replace(found.verdicts, topk_probs=probs))
    assert found.issue_kind[0] == kind
    assert found.issue_kind[9] is None  # believed: two classes may fit it


def test_the_same_picture_under_another_label() -> None:
    groups = np.array([0, -1, -1, -1, -1, -1, 0, 1, 1, -1])
    found = detection()
    found = replace(found, verdicts=replace(found.verdicts, duplicate_group=groups))
    assert [row for row, kind in enumerate(found.issue_kind) if kind == "conflicting_duplicate"] == [0]
    settled = replace(found.verdicts, duplicate_group=np.array([-1, -1, -1, -1, -1, -1, 0, 0, -1, -1]))
    given = found.given.copy()
    given[6] = 0  # a cat and a dog, both believed: one of them is wrong
    found = replace(found, given=given, verdicts=settled)
    assert [row for row, kind in enumerate(found.issue_kind) if kind == "conflicting_duplicate"] == [6, 7]


def test_nothing_can_be_seen() -> None:
    errors = {9: "9.png: truncated", 8: SET_ASIDE["none_of_these"], 7: "no label"}
    given = np.array([0, 0, 0, 0, 0, 0, 1, -1, 1, 1])
    found = detection(read_errors=errors, given=given, image_notes={0: "blank; tiny (9 x 7)", 6: "blurred"})
    gone = np.isin(np.arange(ROWS), list(errors))
    p_clean = np.where(gone, np.nan, found.p_clean).astype(np.float32)
    found = replace(found, verdicts=replace(found.verdicts, p_clean=p_clean, is_clean=found.is_clean & ~gone))
    unseen = [row for row, kind in enumerate(found.issue_kind) if kind == "unreadable_or_blank"]
    assert unseen == [0, 9]  # neither what a person has set aside, nor what has no label


def test_counts_come_most_first() -> None:
    assert list(count_kinds(["ambiguous", None, "wrong_label", "wrong_label"]).items()) == [
        ("wrong_label", 2),
        ("ambiguous", 1),
    ]
