"""`LabeledImages` keeps rows, labels and names together."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deft.data.images import NO_LABEL, LabeledImages
from deft.data.readers import ArrayReader
from deft.data.rows import unique
from deft.errors import DataError


def some(count: int = 5, **changes: Any) -> LabeledImages:
    values: dict[str, Any] = {
        "reader": ArrayReader(np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2)),
        "rows": np.arange(count),
        "labels": np.arange(count) % 3,
        "classes": ("a", "b", "c"),
        "own_id": tuple(f"id{row}" for row in range(count)),
        "file_name": tuple(f"{row}.png" for row in range(count)),
        "split": tuple("xy"[row % 2] for row in range(count)),
        "clean_labels": np.zeros(count, dtype=np.int64),
        "read_errors": {1: "empty file"} if count > 1 else {},
    }
    return LabeledImages(**{**values, **changes})


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_keeping_by_mask_and_by_rows_is_the_same(mask: list[bool]) -> None:
    images = some(len(mask))
    kept = images.keep(np.array(mask))
    rows = np.flatnonzero(mask)
    again = images.keep(rows.tolist())
    assert len(kept) == sum(mask)
    for one in (kept, again):
        assert one.reader is images.reader
        assert one.rows.tolist() == rows.tolist()
        assert one.sample_id == tuple(f"id{row}" for row in rows)
        assert one.file_name == tuple(f"{row}.png" for row in rows)
        assert one.labels.tolist() == (rows % 3).tolist()
        assert one.split == tuple("xy"[row % 2] for row in rows)
        assert {one.sample_id[row] for row in one.read_errors} == ({"id1"} if 1 in rows else set())
    assert kept.fingerprint == again.fingerprint


@given(st.permutations(range(6)), st.integers(0, 6))
def test_keep_gives_rows_in_the_order_asked_for_and_composes(order: list[int], count: int) -> None:
    images = some(6)
    turned = images.keep(order)
    assert [turned.sample_id[row] for row in range(6)] == [f"id{row}" for row in order]
    back = turned.keep(np.argsort(order))
    assert back.sample_id == images.sample_id
    assert back.read_errors == images.read_errors
    assert back.fingerprint == images.fingerprint
    assert turned.keep(range(count)).sample_id == images.keep(order[:count]).sample_id


@pytest.mark.parametrize(
    "chosen", [[True, False], [0, 0], [5], [-1], [0.5], [[0]], np.zeros((5, 5), dtype=bool), ["a"]]
)
def test_keep_refuses(chosen: Any) -> None:
    with pytest.raises(DataError):
        some().keep(chosen)


def test_relabel_changes_labels_and_nothing_else() -> None:
    images = some()
    changed = images.relabel([2, 2, 2, 2, -1])
    assert changed.labels.tolist() == [2, 2, 2, 2, -1]
    assert changed.read_errors == {1: "empty file", 4: NO_LABEL}
    assert changed.fingerprint == images.fingerprint
    assert changed.label_fingerprint != images.label_fingerprint
    assert changed.relabel(images.labels).read_errors == images.read_errors
    assert images.labels.tolist() == [0, 1, 2, 0, 1]


def test_relabel_with_other_classes_moves_true_labels() -> None:
    images = some(clean_labels=np.array([0, 1, 2, -1, 0]))
    changed = images.relabel([0] * 5, classes=["c", "a"])
    assert changed.classes == ("c", "a")
    assert changed.clean_labels is not None
    assert changed.clean_labels.tolist() == [1, -1, 0, -1, 1]


def test_labels_counted_in_other_classes() -> None:
    images = some(labels=np.array([0, 2, -1, 2, 0]), trusted=np.arange(5) == 3)
    moved = images.in_classes(["z", "c", "a"])
    assert moved.classes == ("z", "c", "a")
    assert moved.labels.tolist() == [2, 1, -1, 1, 2]
    assert (moved.sample_id, moved.read_errors) == (images.sample_id, images.read_errors)
    assert moved.trusted.tolist() == images.trusted.tolist()


def test_images_of_a_class_that_is_not_among_the_names_are_refused() -> None:
    images = some(labels=np.array([0, 1, 1, 2, -1]))
    with pytest.raises(DataError, match=r"3 images have a class .*2 expected: 'b' \(2 images\), 'c' \(1 image\)"):
        images.in_classes(["a", "z"])


def test_class_counts_leave_out_rows_without_label() -> None:
    images = some(labels=np.array([0, -1, 0, 2, 2]))
    assert images.class_counts().tolist() == [2, 0, 2]
    assert images.read_errors == {1: "empty file"}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.zeros(4, np.int64)},
        {"labels": np.array([0, 1, 2, 3, 0])},
        {"labels": np.zeros(5)},
        {"clean_labels": np.full(5, 9)},
        {"rows": np.arange(1, 6)},
        {"own_id": ("a",) * 5},
        {"file_name": ("a",)},
        {"split": ()},
        {"classes": ("a", "a", "c")},
        {"read_errors": {5: "?"}},
        {"read_errors": {-1: "?"}},
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        some(**changes)


def test_it_is_small_to_look_at_and_can_be_sent_elsewhere() -> None:
    images = some()
    assert repr(images) == "LabeledImages(5 images, 3 classes, 1 unusable)"
    again = pickle.loads(pickle.dumps(images))
    assert again.fingerprint == images.fingerprint
    assert again.read_errors == images.read_errors


@given(st.lists(st.sampled_from(["a", "b", "a#2", "a#3", "b#2", "a#2#2"]), max_size=15))
def test_unique_names(names: list[str]) -> None:
    found = unique(names)
    assert len(set(found)) == len(names)
    seen: set[str] = set()
    for name, new in zip(names, found, strict=True):
        assert new.startswith(name)
        assert (new == name) == (name not in seen)
        seen.add(name)


def test_whose_label_is_trusted_travels_with_the_rows() -> None:
    images = some()
    assert images.trusted.tolist() == [False] * 5
    sure = images.relabel([0, 1, 2, 2, 1], trusted=np.array([True, False, False, True, False]))
    assert sure.keep([3, 4]).trusted.tolist() == [True, False]
    assert sure.relabel(sure.labels, ("b", "c", "a")).trusted.tolist() == sure.trusted.tolist()
    assert sure.label_fingerprint != images.relabel([0, 1, 2, 2, 1]).label_fingerprint
    assert sure.fingerprint == images.fingerprint
    with pytest.raises(DataError, match="trusted must be 5 truth values"):
        images.relabel(images.labels, trusted=np.array([True]))


def test_the_first_labels_travel_with_the_rows() -> None:
    images = some()
    first = replace(images, first_labels=np.array([0, 0, 0, 2, 2]))
    kept = first.keep([3, 1]).first_labels
    assert kept is not None
    assert kept.tolist() == [2, 0]
    assert first.label_fingerprint != images.label_fingerprint
    assert first.relabel(images.labels).first_labels is None
    with pytest.raises(DataError, match="first_labels"):
        replace(images, first_labels=np.array([0, 0, 0, 2, 3]))
