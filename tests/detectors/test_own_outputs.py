"""Labels judged by probabilities and embeddings of anybody's own model, without an encoder."""

from __future__ import annotations

import numpy as np
import pytest
from tests.data.test_duplicates import scene

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.own_outputs import FromEmbeddings, FromProbabilities
from deft.errors import DataError
from deft.metrics import score_detection

COUNT, CLASSES, WIDTH = 600, 4, 16


@pytest.fixture(scope="module")
def made() -> tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray]:
    """Images of four classes, a fifth of whose labels are wrong; embeddings and probabilities; the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, COUNT)
    wrong = rng.random(COUNT) < 0.2
    labels = np.where(wrong, (truth + rng.integers(1, CLASSES, COUNT)) % CLASSES, truth)
    images = load_images(
        rng.integers(0, 256, (COUNT, 4, 4), np.uint8), labels=labels, classes=["ant", "bee", "cat", "dog"]
    )
    centres = rng.normal(size=(CLASSES, WIDTH))
    features = centres[truth] + 0.5 * rng.normal(size=(COUNT, WIDTH))
    logits = -np.square(features[:, None] - centres).sum(axis=2)
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    return images, features, probs / probs.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("kind", ["probabilities", "embeddings"])
def test_wrong_labels_are_found(made: tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray], kind: str) -> None:
    images, features, probs, truth = made
    detector = FromProbabilities(probs) if kind == "probabilities" else FromEmbeddings(features)
    found = detector.detect(images)
    scores = score_detection(found.is_label_issue, found.p_clean, found.given, truth, found.predicted)
    assert scores.f1 > 0.95
    assert scores.suggestion_accuracy > 0.95
    low, high = found.summary()["noise_rate_interval"]
    assert low <= scores.true_noise_rate <= high
    assert found.file_name == images.file_name
    assert len(found.reasons.of(int(np.flatnonzero(found.is_label_issue)[0])).neighbours) == 5
    assert repr(detector) in ("FromProbabilities(600×4)", "FromEmbeddings(600×16)")
    if kind == "probabilities":
        assert np.allclose(found.probabilities.sum(axis=1), 1, atol=5e-3)


def test_the_order_of_rows_changes_no_verdict(
    made: tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    images, features, _, _ = made
    order = np.random.default_rng(1).permutation(COUNT)
    found, other = FromEmbeddings(features).detect(images), FromEmbeddings(features[order]).detect(images.keep(order))
    assert np.array_equal(found.is_clean[order], other.is_clean)
    assert np.allclose(found.p_clean[order], other.p_clean, atol=1e-3)


def test_images_without_a_label_and_confirmed_ones(
    made: tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    images, features, _, truth = made
    labels, trusted = images.labels.copy(), np.zeros(COUNT, bool)
    labels[3] = -1
    worst = int(np.flatnonzero(images.labels != truth)[0])
    trusted[worst] = True
    found = FromEmbeddings(features).detect(images.relabel(labels, trusted=trusted))
    assert np.isnan(found.p_clean[3])
    assert found.reason(3) == "no label"
    assert found.p_clean[worst] == 1


def test_confirmed_labels_are_right_in_the_estimated_rate(
    made: tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    images, features, _, truth = made
    wrong = images.labels != truth
    labels = np.where(wrong, truth, images.labels)
    found = FromEmbeddings(features).detect(images.relabel(labels, trusted=wrong))
    told = found.info["evidence"]
    assert told["noise_rate"] == pytest.approx(float(1 - found.p_clean.mean()), abs=1e-6)


def test_outputs_that_tell_nothing_flag_nothing(
    made: tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found = FromEmbeddings(np.random.default_rng(2).normal(size=(COUNT, WIDTH))).detect(made[0])
    assert not found.is_label_issue.any()
    assert "no better than chance" in found.info["evidence"]["sentence"]


def test_what_does_not_fit_is_answered_by_a_sentence(
    made: tuple[LabeledImages, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    images, features, probs, _ = made
    spoilt = features.copy()
    spoilt[7, 2] = np.nan
    for detector, sentence in (
        (FromProbabilities(probs[:5]), r"shape \(5, 4\); expected one row for each of the 600 images"),
        (FromProbabilities(probs[:, :3]), r"3 columns for 4 classes \(ant, bee, cat, dog\)"),
        (FromProbabilities(np.log(probs)), "take the softmax of logits"),
        (FromProbabilities([["a"]]), "must be numbers"),
        (FromEmbeddings(spoilt), "Row 7 of features holds NaN"),
        (FromEmbeddings(features[:, 0]), r"shape \(600,\)"),
    ):
        with pytest.raises(DataError, match=sentence):
            detector.detect(images)


def test_mirrored_copies_are_found_by_embeddings_and_do_not_vote_each_other_right() -> None:
    rng, copies = np.random.default_rng(1), 20
    photos = [scene(seed) for seed in range(120)]
    frames = [np.minimum(photos[0][:, ::-1], 250 - number) for number in range(copies)]
    truth = np.arange(len(photos)) % 2
    features = 6.0 * truth[:, None] * np.eye(8)[0] + rng.normal(size=(len(photos), 8))
    known = np.concatenate([features[:1] + 0.05 * rng.normal(size=(copies, 8)), features])
    labels = np.concatenate([np.ones(copies, np.int64), np.where(np.arange(len(photos)) == 0, 1, truth)])
    images = load_images(np.stack([*frames, *photos]), labels=labels, classes=["day", "night"])
    found = FromEmbeddings(known).detect(images)
    groups = found.verdicts.duplicate_group
    assert groups is not None
    assert groups.tolist() == [0] * (copies + 1) + [-1] * (len(photos) - 1)
    assert set(found.table["duplicate_kind"].dropna()) == {"features"}
    assert found.is_label_issue[: copies + 1].all()
