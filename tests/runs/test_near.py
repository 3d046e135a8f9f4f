"""Neighbours and typical images, exact and without copies; and what they say of a label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from deft.errors import DataError
from deft.runs import near
from deft.runs.detection import Detection, Verdicts
from deft.runs.disk_rows import DiskRows
from deft.runs.near import Space


def features(count: int = 60, width: int = 8, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Blobs of three classes, and the class of each row."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    return (rng.normal(size=(classes, width))[labels] + 0.2 * rng.normal(size=(count, width))).astype(
        np.float16
    ), labels


def detection() -> Detection:
    """Sixty images of three classes; image 0 is flagged and belongs to class 1, and image 3 is its copy."""
    values, true = features()
    given = true.copy()
    values[0] = values[1]
    values[3] = values[0]
    given[0], given[3] = 0, 1
    flagged = np.arange(60) == 0
    predicted = np.where(flagged, 1, given)
    groups = np.full(60, -1)
    groups[[0, 3]] = 7
    verdicts = Verdicts(
        p_clean=np.where(flagged, 0.1, 0.9).astype(np.float32),
        is_clean=~flagged,
        predicted=predicted,
        topk=np.stack([predicted, (predicted + 1) % 3], axis=1),
        topk_probs=np.tile(np.array([0.8, 0.1], np.float32), (60, 1)),
        duplicate_group=groups,
        prompt_margin=np.where(flagged, -1.5, 2.0).astype(np.float32),
        features=DiskRows.of(values),
    )
    return Detection(
        sample_id=tuple(f"id{row}" for row in range(60)),
        file_name=tuple(f"{row}.png" for row in range(60)),
        split=None,
        classes=("orange", "lemon", "lime"),
        given=given,
        verdicts=verdicts,
        read_errors={},
        settings={},
    )


def test_neighbours_are_those_of_a_plain_calculation(monkeypatch: pytest.MonkeyPatch) -> None:
    values, _ = features()
    groups = np.full(60, -1)
    groups[[4, 7]] = 0
    usable = np.arange(60) != 9
    whole = values.astype(np.float64)
    standard = (whole - whole[usable].mean(axis=0)) / whole[usable].std(axis=0)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    cosines = unit @ unit.T
    cosines[:, 9] = -np.inf
    np.fill_diagonal(cosines, -np.inf)
    cosines[4, 7] = cosines[7, 4] = -np.inf
    expected = np.argsort(-cosines, axis=1)[:, :5]
    for block in (4096, 7):  # in one piece, and in many
        monkeypatch.setattr(near, "BLOCK", block)
        places, similar = Space.of(DiskRows.of(values), usable, groups).nearest(np.arange(60))
        assert np.array_equal(places, expected)
        assert np.allclose(similar, np.take_along_axis(cosines, expected, axis=1), atol=1e-4)


def test_there_may_be_fewer_neighbours_than_asked_for() -> None:
    values, _ = features(3)
    places, similar = Space.of(DiskRows.of(values), np.array([True, True, False]), np.full(3, -1)).nearest(np.arange(3))
    assert places[0].tolist() == [1, -1, -1, -1, -1]
    assert np.isnan(similar[0, 1:]).all()
    assert set(places[2, :2].tolist()) == {0, 1}  # who is no neighbour may have some


def test_typical_images_lie_nearest_to_the_middle_of_their_class() -> None:
    values, labels = features()
    space = Space.of(DiskRows.of(values), np.ones(60, bool), np.full(60, -1))
    found = space.typical(labels, 4)
    unit = space.directions(np.arange(60))
    for label in range(3):
        rows = np.flatnonzero(labels == label)
        middle = unit[rows].mean(axis=0)
        assert found[label].tolist() == rows[np.argsort(-(unit[rows] @ middle))][:4].tolist()
    assert found[3].tolist() == [-1] * 4


def test_one_picture_is_typical_once() -> None:
    values, labels = features()
    groups = np.full(60, -1)
    plain = Space.of(DiskRows.of(values), np.ones(60, bool), groups).typical(labels, 3)
    groups[plain[0, :2]] = 0  # the two nearest to the middle of the first class show one picture
    found = Space.of(DiskRows.of(values), np.ones(60, bool), groups).typical(labels, 3)
    assert found[0].tolist() == [plain[0, 0], *plain[0, 2:], found[0, -1]]
    assert found[0, -1] not in plain[0]
    assert found[1:].tolist() == plain[1:].tolist()


def test_a_sentence_says_what_speaks_against_the_label() -> None:
    found = detection()
    reason = found.reasons.of(0)
    assert reason.sentence == (
        "All 5 of its nearest images are 'lemon'; it lies closer to 'not orange' than to 'orange'; "
        "the same picture is labelled 'lemon' elsewhere."
    )
    assert reason.duplicates == (3,)
    assert not {0, 3} & set(reason.neighbours)
    assert len(reason.neighbours) == 5
    assert all(found.given[list(reason.given)] == 0)
    assert all(found.given[list(reason.suggested)] == 1)
    assert len(reason.suggested) == 3
    fine = found.reasons.of(8)
    assert (
        fine.sentence == "All 5 of its nearest images are 'lime' as well; it lies closer to 'lime' than to 'not lime'."
    )
    assert fine.suggested == ()


def test_neighbours_that_disagree_are_counted() -> None:
    found = detection()
    given = found.given.copy()
    given[found.reasons.of(0).neighbours[0]] = 2
    assert (
        replace(found, given=given)
        .reasons.of(0)
        .sentence.startswith("4 of its 5 nearest images are 'lemon', none is 'orange'; ")
    )


@pytest.mark.parametrize(
    ("row", "margin", "end"),
    [
        (0, 1.5, "'lemon'; yet it lies closer to 'orange' than to 'not orange'; the same picture"),
        (8, -2.0, "as well; yet it lies closer to 'not lime' than to 'lime'."),
    ],
)
def test_prompts_that_say_otherwise_than_the_neighbours_are_told_with_yet(row: int, margin: float, end: str) -> None:
    found = detection()
    margins = np.full(60, margin, np.float32)
    assert end in replace(found, verdicts=replace(found.verdicts, prompt_margin=margins)).reasons.of(row).sentence


def test_what_was_looked_up_is_kept_with_the_run(tmp_path: Path) -> None:
    found = detection()
    found.save(tmp_path)
    stored = pq.read_table(tmp_path / "evidence.parquet").to_pylist()
    (suspect,) = (row for row in stored if row["sample_id"] == "id0")
    assert suspect["neighbour_labels"] == ["lemon"] * 5
    assert suspect["sentence"] == found.reasons.of(0).sentence
    again = Detection.load(tmp_path)
    assert [again.reasons.of(row).neighbours for row in range(60)] == [
        found.reasons.of(row).neighbours for row in range(60)
    ]
    assert np.array_equal(again.embeddings, found.embeddings)
    assert isinstance(again.embeddings, np.memmap)
    (tmp_path / "features.npy").unlink()  # the evidence stays without it
    assert Detection.load(tmp_path).reasons.of(0).sentence == found.reasons.of(0).sentence
    with pytest.raises(DataError, match=r"kept no features"):
        _ = Detection.load(tmp_path).embeddings


def test_an_image_that_nobody_looked_up_has_neighbours_too(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = detection().reasons
    monkeypatch.setattr("deft.runs.reasons.EXPLAINED", 1)
    found = detection()
    assert (found.reasons.near.neighbours[1:] < 0).all()  # type: ignore[union-attr]
    assert found.reasons.of(8) == whole.of(8)


def test_a_run_without_features_has_no_neighbours_but_duplicates(tmp_path: Path) -> None:
    found = detection()
    bare = replace(found, verdicts=replace(found.verdicts, features=None, prompt_margin=None))
    reason = bare.reasons.of(0)
    assert (reason.neighbours, reason.given, reason.duplicates) == ((), (), (3,))
    assert reason.sentence == "The same picture is labelled 'lemon' elsewhere."
    assert bare.reasons.of(8).sentence == ""
    bare.save(tmp_path)
    assert not (tmp_path / "evidence.parquet").exists()


def test_features_of_another_number_of_rows_are_refused(tmp_path: Path) -> None:
    detection().save(tmp_path)
    (tmp_path / "manifest.json").unlink()  # which would tell first
    np.save(tmp_path / "features.npy", np.zeros((3, 2), np.float16))
    with pytest.raises(DataError, match="3 rows, the run 60 images"):
        Detection.load(tmp_path)
    (tmp_path / "features.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"features\.npy can't be read"):
        Detection.load(tmp_path)
