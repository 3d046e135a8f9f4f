"""Validation: the split, and scores that survive an interruption."""

from __future__ import annotations

import numpy as np
import pytest

from deft.adaptation.validation import Validation, split_off
from deft.errors import DataError, SettingsError

LABELS = np.array([0] * 40 + [1] * 20 + [2] * 3)
ROWS = np.arange(63)


def test_the_split_takes_the_same_share_of_every_class_and_no_row_twice() -> None:
    train, held = split_off(LABELS, ROWS, 0.25, seed=0)
    assert np.bincount(LABELS[held], minlength=3).tolist() == [10, 5, 1]
    assert sorted([*train.tolist(), *held.tolist()]) == ROWS.tolist()


def test_the_seed_decides_the_split() -> None:
    first, again, other = (split_off(LABELS, ROWS, 0.25, seed=seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_every_class_keeps_a_sample_to_learn_from() -> None:
    train, _ = split_off(np.array([0, 0, 1, 1]), np.arange(4), 0.9, seed=0)
    assert sorted(np.array([0, 0, 1, 1])[train].tolist()) == [0, 1]


def test_rows_that_do_not_take_part_are_in_neither() -> None:
    train, held = split_off(LABELS, ROWS[::2], 0.5, seed=0)
    assert sorted([*train.tolist(), *held.tolist()]) == ROWS[::2].tolist()


def test_too_few_to_hold_back() -> None:
    with pytest.raises(DataError, match="2 images are too few to hold back 10%"):
        split_off(np.array([0, 1]), np.arange(2), 0.1, seed=0)


def test_copies_of_a_picture_are_never_on_both_sides() -> None:
    groups = np.where(ROWS % 3 == 0, ROWS // 6, -1)
    train, held = split_off(LABELS, ROWS, 0.3, seed=0, groups=groups)
    assert sorted([*train.tolist(), *held.tolist()]) == ROWS.tolist()
    assert len(held) > 10
    assert not set(groups[train].tolist()) & set(groups[held].tolist()) - {-1}


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_lies_between_0_and_1(share: float) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        Validation(share)


def test_last_or_best() -> None:
    with pytest.raises(SettingsError, match="'last' or the 'best', not 'worst'"):
        Validation(0.5, keep="worst")  # type: ignore[arg-type]
