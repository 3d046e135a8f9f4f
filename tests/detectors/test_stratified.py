"""A detector that learns from a sample: what is drawn, and that nothing else is learned from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.detectors.deft import DeFT
from deft.detectors.deft_trained import TrainedDeFT
from deft.detectors.registry import detector_from_settings
from deft.detectors.stratified import Stratified
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.noise import symmetric
from deft.runs.detection import Detection


def names_of(count: int) -> list[str]:
    return [f"content {number}" for number in range(count)]


def drawn(sample: Stratified, labels: np.ndarray, trusted: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    rows = np.arange(len(labels))
    sure = np.zeros(len(labels), np.bool_) if trusted is None else trusted
    return sample.draw(rows, labels, names_of(len(labels)), sure, seed)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    wanted=st.integers(2, 150),
    each=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_as_many_as_asked_for_a_few_of_each_class_and_the_rest_by_its_share(
    counts: list[int], wanted: int, each: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = drawn(Stratified(wanted, each=each), labels, seed=seed)
    least = np.minimum(counts, each)
    assert len(rows) == min(max(wanted, least.sum()), len(labels))
    assert (np.diff(rows) > 0).all()
    got = np.bincount(labels[rows], minlength=len(counts))
    assert (got >= least).all()
    larger = np.flatnonzero(got > least)  # the share of all classes that got more than their least is the same
    shares = got[larger] / np.array(counts)[larger]
    assert not len(larger) or np.ptp(shares) <= 1 / np.array(counts)[larger].min() + 1e-9


def test_what_is_drawn_goes_by_content_and_seed_and_not_by_order() -> None:
    labels, order = np.arange(200) % 7, np.random.default_rng(1).permutation(200)
    content, none = np.array(names_of(200)), np.zeros(200, np.bool_)
    rows = np.arange(200)
    first = Stratified(50).draw(rows, labels, content.tolist(), none, 3)
    moved = Stratified(50).draw(rows, labels[order], content[order].tolist(), none, 3)
    assert set(content[first]) == set(content[order][moved])
    assert set(first) != set(Stratified(50).draw(rows, labels, content.tolist(), none, 4))


def test_what_people_confirmed_is_always_learned_from() -> None:
    labels, trusted = np.zeros(100, np.int64), np.arange(100) % 5 == 0
    rows = drawn(Stratified(10), labels, trusted)
    assert np.flatnonzero(trusted).tolist() == rows.tolist()


def test_all_are_learned_from_where_the_sample_is_as_large() -> None:
    labels = np.arange(30) % 3
    assert drawn(Stratified(30), labels).tolist() == drawn(Stratified(), labels).tolist() == list(range(30))


@pytest.mark.parametrize("sizes", [(1, 5), (0, 5), (10, 0)])
def test_what_is_no_sample_is_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(SettingsError, match="sample"):
        Stratified(*sizes)


@pytest.fixture(scope="module")
def tiny() -> DualEncoder:
    return load_encoder("tiny", device="cpu")


@pytest.fixture(scope="module")
def noisy() -> LabeledImages:
    images = digits(noise=0.0)[0].keep(np.arange(400))
    return images.relabel(symmetric(images.labels, 0.2, num_classes=10, seed=0))


@pytest.fixture(scope="module")
def learned(tiny: DualEncoder, noisy: LabeledImages) -> tuple[TrainedDeFT, Detection]:
    return DeFT(tiny, epochs=2, learn_from=Stratified(150)).train(noisy)


def test_the_rest_is_judged_as_the_kept_detector_does(
    learned: tuple[TrainedDeFT, Detection], noisy: LabeledImages
) -> None:
    trained, found = learned
    again = trained.detect(noisy)
    assert (found.is_label_issue == again.is_label_issue).all()
    np.testing.assert_array_equal(found.p_clean, again.p_clean)
    assert len(found) == 400
    assert found.summary()["sample"] == {"learned": 150, "scored": 250}
    wrong = noisy.labels != digits(noise=0.0)[0].labels[:400]
    assert (found.is_label_issue == wrong).mean() > 0.8


def test_labels_outside_the_sample_change_nothing_that_is_learned(
    tiny: DualEncoder, noisy: LabeledImages, learned: tuple[TrainedDeFT, Detection]
) -> None:
    ordered = noisy.keep(noisy.by_content())
    rows = Stratified(150).draw(np.arange(400), ordered.labels, ordered.content_id, ordered.trusted, 0)
    outside = np.setdiff1d(np.arange(400), rows)
    classes = np.bincount(ordered.labels[outside], minlength=10)
    labels = ordered.labels.copy()
    here, there = (outside[ordered.labels[outside] == one][0] for one in np.argsort(classes)[-2:])
    labels[here], labels[there] = labels[there], labels[here]  # so that classes keep their sizes
    other, _ = DeFT(tiny, epochs=2, learn_from=Stratified(150)).train(ordered.relabel(labels))
    trained = learned[0]
    assert all(torch.equal(value, other.weights[name]) for name, value in trained.weights.items())
    assert trained.evidence is not None
    assert other.evidence is not None
    assert torch.equal(trained.evidence.references, other.evidence.references)
    assert torch.equal(trained.evidence.weighed.explanations.weights, other.evidence.weighed.explanations.weights)


def test_a_sample_is_a_setting(learned: tuple[TrainedDeFT, Detection], tiny: DualEncoder) -> None:
    kept = learned[1].settings
    assert kept["learn_from"] == {"images": 150, "each": 5}
    assert detector_from_settings(kept, tiny) == DeFT(tiny, epochs=2, learn_from=Stratified(150))
    assert "sample" not in DeFT(tiny, epochs=1, learn_from=Stratified(60)).detect(digits()[0].keep(range(60))).summary()
