"""What people use beside DeFT, each against its own formula, worked out the slow way."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.detectors import confident_learning
from deft.detectors.area_under_margin import AreaUnderMargin, MarginTraining
from deft.detectors.clip_cleaner import CLIPCleaner
from deft.detectors.confident_learning import ConfidentLearning
from deft.detectors.lemon import LEMoN
from deft.detectors.neighbour_vote import NeighbourVote
from deft.detectors.on_features import FeatureDetector, Seen, log_odds_of
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.evidence.probe import probe
from deft.metrics import score_detection
from deft.training.inputs import Inputs
from deft.training.workspace import Workspace

NONE = cast("DualEncoder", None)


def seen(count: int = 30, classes: int = 3, *, wrong: int = 4, seed: int = 0) -> tuple[Seen, np.ndarray]:
    """Clusters of unit features near the text of their class; the first few labels are wrong. With the truth."""
    rng = np.random.default_rng(seed)
    texts = F.normalize(torch.from_numpy(rng.normal(size=(classes, 8)).astype(np.float32)), dim=1)
    truth = np.arange(count) % classes
    unit = F.normalize(texts[truth] + torch.from_numpy(rng.normal(0, 0.15, (count, 8)).astype(np.float32)), dim=1)
    labels = truth.copy()
    labels[:wrong] = (labels[:wrong] + 1) % classes
    keys = rng.integers(2**63, size=count).astype(np.uint64)
    found = Seen(unit * 3, unit, texts, torch.from_numpy(labels), keys, 20.0, cast("Inputs", None))
    return found, truth


def flagged(detector: FeatureDetector, images: Seen) -> list[int]:
    return np.flatnonzero(detector.judge(images, Workspace()).log_odds.numpy() <= 0).tolist()


def test_the_neighbours_outvote_a_label_and_a_tie_keeps_it() -> None:
    unit = F.normalize(
        torch.tensor([[1.0, 0.0], [1.0, 0.01], [1.0, 0.02], [0.0, 1.0], [0.01, 1.0], [0.02, 1.0]]), dim=1
    )
    labels = torch.tensor([0, 0, 1, 1, 1, 0])
    images = Seen(unit, unit, torch.eye(2), labels, np.arange(6, dtype=np.uint64), 1.0, cast("Inputs", None))
    judged = NeighbourVote(NONE, neighbours=2).judge(images, Workspace())
    # The votes for the label and for the other class: 1:1, 1:1, 0:2, 1:1, 1:1, 0:2.
    odds = [math.log(2.5 / 2)] * 2 + [math.log(1.5 / 3)] + [math.log(2.5 / 2)] * 2 + [math.log(1.5 / 3)]
    assert judged.log_odds.tolist() == pytest.approx(odds)
    assert judged.scores.argmax(dim=1)[[2, 5]].tolist() == [0, 1]


def test_lemon_is_its_formula() -> None:
    images, _ = seen()
    detector = LEMoN(NONE, neighbours=5)
    unit, texts, labels = images.unit.double(), images.texts.double(), images.labels.tolist()
    fit = [math.exp(-5 * (1 - float(unit[j] @ texts[labels[j]]))) for j in range(len(labels))]
    for row in range(len(labels)):
        others = [j for j in range(len(labels)) if j != row]
        near = sorted(others, key=lambda j: -float(unit[row] @ unit[j]))[:5]
        for label in range(3):
            own = 1 - float(unit[row] @ texts[label])
            by_image = [
                math.exp(0.1 * float(unit[row] @ unit[j])) * fit[j] * (1 - float(texts[label] @ texts[labels[j]]))
                for j in near
            ]
            by_text = [math.exp(0.1) * fit[j] * (1 - float(unit[row] @ unit[j])) for j in others if labels[j] == label]
            wanted = own + 5 * sum(by_image) / 5 + 5 * sum(by_text) / len(by_text)
            assert float(detector.scores(images)[row, label]) == pytest.approx(wanted, rel=1e-4)


def test_lemon_flags_as_many_as_it_is_told() -> None:
    images, _ = seen(wrong=6)
    assert flagged(LEMoN(NONE, neighbours=5, noise_rate=0.2), images) == list(range(6))


def test_clipcleaner_wants_all_four_tests() -> None:
    images, _ = seen(count=60)
    detector = CLIPCleaner(NONE, strengths=(1.0,))
    labels, rows = images.labels.numpy(), np.arange(60)
    sources = (
        images.zero_shot().double().numpy(),
        probe(images.pooled.numpy(), labels, images.keys, classes=3, strengths=(1.0,), balanced=True),
    )
    consistent = np.all([p[rows, labels] >= 0.8 * p.max(axis=1) for p in sources], axis=0)
    kept = np.setdiff1d(rows, flagged(detector, images))
    assert set(kept) <= set(np.flatnonzero(consistent))
    assert not set(kept) & set(range(4))
    assert len(kept) > 25


@pytest.mark.parametrize("rule", ["prune_by_noise_rate", "both", "predicted_neq_given"])
def test_confident_learning_flags_what_cleanlab_flags(rule: confident_learning.Rule) -> None:
    from cleanlab.filter import find_label_issues

    images, _ = seen(count=90, wrong=12)
    labels = images.labels.numpy()
    probs = probe(images.pooled.numpy(), labels, images.keys, classes=3, strengths=(1.0,))
    expected = find_label_issues(labels, probs, n_jobs=1, filter_by=rule)
    assert expected.any()
    found = flagged(ConfidentLearning(NONE, rule=rule, strengths=(1.0,)), images)
    assert found == np.flatnonzero(expected).tolist()


def test_confident_learning_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confident_learning, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'deft-labels\[cleanlab\]'"):
        ConfidentLearning(NONE)


def test_flags_come_below_a_half_and_keep_their_order() -> None:
    odds = log_odds_of(torch.tensor([True, True, False, False]), torch.tensor([0.9, 0.1, 0.0, 1.0]))
    assert (odds[:2] < 0).all()
    assert (odds[2:] > 0).all()
    assert odds.argsort().tolist() == [1, 0, 2, 3]


def test_a_probe_never_saw_the_label_that_it_foretells() -> None:
    images, _ = seen(count=40, wrong=0)
    features, labels = images.pooled.numpy(), images.labels.numpy()
    other = labels.copy()
    other[0] = (other[0] + 1) % 3
    first, second = (probe(features, told, images.keys, classes=3, strengths=(1.0,)) for told in (labels, other))
    np.testing.assert_array_equal(first[0], second[0])
    assert np.abs(first - second).max() > 0


def test_a_class_that_no_fold_has_seen_gets_no_probability() -> None:
    keys = np.arange(10, dtype=np.uint64)
    labels = np.array([0, 1] * 5)
    labels[4] = 2  # once only, so that its own fold knows nothing of it
    probs = probe(np.arange(10.0)[:, None], labels, keys, classes=4, strengths=(1.0,))
    assert probs[4].argmax() in (0, 1)
    assert (probs[:, 3] < 1e-6).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1)


def test_margins_are_averaged_over_the_epochs() -> None:
    method = MarginTraining(torch.eye(3), torch.tensor([[0, 1, 2], [0, 1, 1]]), 2, seed=0)
    method.sums[:] = torch.tensor([[2.0, -4.0, 0.0], [1.0, 3.0, 6.0]])
    method.counts[:] = torch.tensor([[2.0, 2.0, 0.0], [1.0, 2.0, 3.0]])
    areas = method.areas(torch.arange(3), torch.eye(3)).detach()
    assert areas[:, :2].tolist() == [[1.0, -2.0], [1.0, 1.5]]
    scores = method.heads[0]((torch.eye(3)[2] - method.center) / method.scale).detach()
    # It was never drawn: its last margin counts.
    assert float(areas[0, 2]) == pytest.approx(float(scores[2] - scores[:2].max()))


def test_no_sample_is_a_threshold_sample_twice() -> None:
    images, _ = seen(count=40)
    detector = AreaUnderMargin(NONE)
    chosen = detector._threshold_samples(images)
    assert chosen.sum(dim=1).tolist() == [10, 10]  # n / (K + 1)
    assert not (chosen[0] & chosen[1]).any()


@pytest.fixture(scope="module")
def wrong_digits() -> LabeledImages:
    return digits(noise=0.2)[0].keep(np.arange(300))


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Where what the model sees is kept, so that it looks once."""
    return Workspace(tmp_path_factory.mktemp("space"), keep_features=True)


@pytest.mark.parametrize(
    ("detector", "least"),
    [
        (ConfidentLearning, 0.80),
        (NeighbourVote, 0.85),
        (AreaUnderMargin, 0.75),
        (lambda e: LEMoN(e, noise_rate=0.2), 0.70),
    ],
)
def test_it_finds_wrong_digits(
    detector: type[FeatureDetector], least: float, wrong_digits: LabeledImages, space: Workspace
) -> None:
    found = detector(load_encoder("tiny", device="cpu")).detect(wrong_digits, workspace=space)
    truth = wrong_digits.clean_labels
    assert truth is not None
    scores = score_detection(found.is_label_issue, found.p_clean, wrong_digits.labels, truth, found.predicted)
    assert scores.f1 >= least, scores
