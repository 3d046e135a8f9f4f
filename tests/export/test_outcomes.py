"""Who decides what becomes of an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deft.data.images import LabeledImages
from deft.errors import DataError, SettingsError
from deft.runs.decisions import Decision, Entry
from deft.runs.detection import Detection
from deft.runs.outcomes import Outcome, count_outcomes, decide, final_classes, settle
from deft.runs.reviewed import apply_decisions
from deft.runs.vocabulary import NO_OTHER, left_out_in_words

GIVEN = ("cat", "cat", "cat", "dog", "dog", "dog")
FLAGGED = {1: "dog", 3: "cat"}


def _review(row: int, status: Any, new: str | None = None) -> dict[str, Decision]:
    name, given = f"{GIVEN[row]}/{row % 3}.png", GIVEN[row]
    label = given if status == "kept" else new
    return {name: Decision(name, status, given, label, "Ada", "2026-11-24T09:00:00.000+00:00")}


def _as_given(but: dict[int, Outcome]) -> tuple[Outcome, ...]:
    return tuple(but.get(row, Outcome("keep", GIVEN[row])) for row in range(6))


@pytest.mark.parametrize(
    ("fix", "expected"),
    [
        ("keep", {}),
        ("drop", {row: Outcome("drop", None, "verdict", "test") for row in FLAGGED}),
        ("relabel", {row: Outcome("relabel", name, "verdict", "test") for row, name in FLAGGED.items()}),
    ],
)
def test_what_becomes_of_flagged_labels(found: Detection, fix: Any, expected: dict[int, Outcome]) -> None:
    assert decide(found, {}, use="verdicts", fix=fix) == _as_given(expected)
    assert decide(found, {}, use="both", fix=fix) == _as_given(expected)


def test_a_label_without_a_better_one_is_dropped_and_said_to_be(found: Detection) -> None:
    predicted = found.predicted.copy()
    predicted[1] = 0
    same = replace(found, verdicts=replace(found.verdicts, predicted=predicted))
    assert decide(same, {}, fix="relabel")[1] == Outcome("drop", None, NO_OTHER, "test")


@pytest.mark.parametrize(
    ("status", "new", "expected"),
    [
        ("kept", None, Outcome("keep", "cat", "review: kept", "Ada")),
        ("corrected", "dog", Outcome("relabel", "dog", "review: corrected", "Ada")),
        ("corrected", "elk", Outcome("relabel", "elk", "review: corrected", "Ada")),
        ("none_of_these", None, Outcome("drop", None, "review: none_of_these", "Ada")),
        ("bad_image", None, Outcome("drop", None, "review: bad_image", "Ada")),
    ],
)
@pytest.mark.parametrize("fix", ["drop", "relabel", "keep"])
def test_a_review_wins_over_the_verdict(
    found: Detection, status: Any, new: str | None, expected: Outcome, fix: Any
) -> None:
    """Row 1 is flagged, row 0 isn't: the review is carried out on both, whatever becomes of verdicts."""
    reviews = {**_review(0, status, new), **_review(1, status, new)}
    for use in ("both", "reviews"):
        outcomes = decide(found, reviews, use=use, fix=fix)
        assert outcomes[0] == outcomes[1] == expected
    assert decide(found, reviews, use="verdicts", fix="keep") == _as_given({})


def test_reviews_alone_leave_the_rest_as_given(found: Detection) -> None:
    outcomes = decide(found, _review(1, "corrected", "dog"), use="reviews", fix="drop")
    assert outcomes == _as_given({1: Outcome("relabel", "dog", "review: corrected", "Ada")})


def test_skipped_is_not_reviewed(found: Detection) -> None:
    skipped = _review(1, "skipped")
    assert decide(found, skipped, use="both", fix="relabel") == decide(found, {}, use="verdicts", fix="relabel")
    with pytest.raises(DataError, match="No image of this run was reviewed"):
        decide(found, skipped, use="reviews")


def test_a_label_that_changed_since_the_review_ends_as_the_person_said(found: Detection) -> None:
    """The review kept "dog"; in this run the image is given "cat"."""
    given = found.given.copy()
    given[4] = 0
    outcome = decide(replace(found, given=given), _review(4, "kept"), use="reviews")[4]
    assert outcome == Outcome("relabel", "dog", "review: kept", "Ada")


def test_a_review_can_give_a_label_where_there_was_none(found: Detection) -> None:
    given = found.given.copy()
    given[4] = -1
    bare = replace(found, given=given)
    review = Decision("dog/1.png", "corrected", "", "dog", "Ada", "2026-11-24T09:00:00.000+00:00")
    assert decide(bare, {})[4] == Outcome("keep", None)
    assert decide(bare, {"dog/1.png": review})[4] == Outcome("relabel", "dog", "review: corrected", "Ada")


def test_reviews_of_other_images_are_none(found: Detection) -> None:
    other = {"elsewhere.png": next(iter(_review(0, "kept").values()))}
    with pytest.raises(DataError, match="No image of this run was reviewed"):
        decide(found, other, use="reviews")
    assert decide(found, other, use="both", fix="keep") == _as_given({})


@pytest.mark.parametrize("wrong", [{"use": "all"}, {"fix": "delete"}])
def test_unknown_words_are_refused(found: Detection, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="must be one of"):
        decide(found, {}, **wrong)


def test_counts_and_classes(found: Detection) -> None:
    outcomes = decide(found, _review(0, "corrected", "elk"), fix="drop")
    assert count_outcomes(outcomes) == {"keep": 3, "drop (verdict)": 2, "relabel (review: corrected)": 1}
    assert final_classes(found, outcomes) == ("cat", "dog", "elk")
    assert np.isnan(found.p_clean[5])
    assert outcomes[5] == Outcome("keep", "dog")


@pytest.mark.parametrize("fix", ["drop", "relabel", "keep"])
def test_labels_that_are_settled_already_end_as_if_decided_now(
    images: LabeledImages, found: Detection, fix: Any
) -> None:
    """`decide` with the reviews, and `settle` on images that they were put on, agree on every label."""
    log = [Entry(1, 1, "decide", _review(1, "kept")["cat/1.png"]), Entry(2, 1, "decide", _dog_is_an("cat"))]
    reviews = {entry.decision.sample_id: entry.decision for entry in log}
    settled = settle(found, apply_decisions(images, log).images, fix)
    decided = decide(found, reviews, fix=fix)
    assert [one.label for one in settled] == [one.label for one in decided]
    assert [one.reviewed for one in settled] == [one.reviewed for one in decided]


def _dog_is_an(label: str) -> Decision:
    return Decision("dog/1.png", "corrected", "dog", label, "Ada", "2026-11-24T09:00:00.000+00:00")


@pytest.mark.parametrize("fix", ["drop", "relabel"])
def test_every_reason_why_an_image_is_dropped_has_its_words(found: Detection, fix: Any) -> None:
    predicted = found.predicted.copy()
    predicted[1] = 0
    same = replace(found, verdicts=replace(found.verdicts, predicted=predicted))
    reviews = {**_review(0, "none_of_these"), **_review(2, "bad_image")}
    dropped = [one.reason for one in decide(same, reviews, fix=fix) if one.action == "drop"]
    words = [left_out_in_words(reason) for reason in dropped]
    flagged = "with a wrong label by the verdict"
    middle = [flagged + " and no better one"] if fix == "relabel" else [flagged]
    last = [] if fix == "relabel" else [flagged]
    assert words == ["reviewed as none of the classes", *middle, "reviewed as bad", *last]
