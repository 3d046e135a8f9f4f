"""Groups of images that show one picture: what differs in them, and what a summary says."""

from __future__ import annotations

import numpy as np

from deft.runs.duplicates import LISTED, DuplicateGroups, summarize_duplicates

GROUPS = np.array([0, -1, 0, 1, 1, -1, 2, 2])
GIVEN = np.array([0, 0, 1, 1, 1, 0, 1, -1])
SPLIT = ("train", "train", "train", "train", "test", "test", "train", "train")


def test_different_labels_and_several_splits() -> None:
    found = DuplicateGroups.of(GROUPS, GIVEN, SPLIT)
    assert found.members == ((0, 2), (3, 4), (6, 7))
    assert found.torn == (True, False, False)  # no label is no other label
    assert found.across == (False, True, False)
    assert np.flatnonzero(found.mask("any", 8)).tolist() == [0, 2, 3, 4, 6, 7]
    assert np.flatnonzero(found.mask("labels", 8)).tolist() == [0, 2]
    assert np.flatnonzero(found.mask("splits", 8)).tolist() == [3, 4]
    assert found.others(2) == (0,)
    assert found.others(1) == ()


def test_how_they_were_found_is_counted() -> None:
    kinds = np.array([0, -1, 0, 1, 2, -1, 1, 1])
    about = summarize_duplicates(GROUPS, GIVEN, ("a", "b"), tuple("abcdefgh"), SPLIT, kinds)
    assert about["images_by_kind"] == {"exact": 2, "pixels": 3, "features": 1}
    assert "images_by_kind" not in summarize_duplicates(GROUPS, GIVEN, ("a", "b"), tuple("abcdefgh"), SPLIT)


def test_nobody_looked_for_duplicates() -> None:
    assert DuplicateGroups.of(None, GIVEN, None).members == ()
    assert summarize_duplicates(None, GIVEN, ("a", "b"), tuple("abcdefgh"), None) == {}


def test_every_group_with_different_labels_is_listed() -> None:
    count = 2 * (LISTED - 1)
    labels = np.arange(count) % 2
    names = tuple(map(str, range(count)))
    about = summarize_duplicates(np.arange(count) // 2, labels, ("a", "b"), names, None)
    assert about["groups_with_different_labels"] == len(about["different_labels"]) == LISTED - 1
    assert about["different_labels"][1] == [
        {"file_name": "2", "given_label": "a"},
        {"file_name": "3", "given_label": "b"},
    ]
