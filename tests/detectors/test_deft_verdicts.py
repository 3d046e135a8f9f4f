"""Verdicts by the posterior: on real digits, against what the truth says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.detectors import deft_verdicts
from deft.detectors.deft import DeFT
from deft.detectors.deft_trained import TrainedDeFT
from deft.detectors.deft_training import evidence
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import ModelError
from deft.noise import pair_flip, symmetric
from deft.runs.detection import Detection
from deft.tuning import Frozen

COUNT = 900


@pytest.fixture(scope="module")
def tiny() -> DualEncoder:
    return load_encoder("tiny", device="cpu")


@pytest.fixture(scope="module")
def images() -> LabeledImages:
    return digits(noise=0.0)[0].keep(np.arange(COUNT))


def train(tiny: DualEncoder, images: LabeledImages) -> tuple[TrainedDeFT, Detection]:
    return DeFT.for_weak_model(tiny, tuning=Frozen()).train(images)


@pytest.fixture(scope="module")
def paired(tiny: DualEncoder, images: LabeledImages) -> tuple[LabeledImages, TrainedDeFT, Detection]:
    """Every third label is that of the next digit."""
    noisy = images.relabel(pair_flip(images.labels, 0.3, num_classes=10, seed=0))
    return noisy, *train(tiny, noisy)


def test_the_evidence_is_the_product_of_softmax_and_odds() -> None:
    positive_sim, negative_sim = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 3.0]])
    product = positive_sim.exp() * (positive_sim - negative_sim).exp()
    assert torch.allclose(evidence(positive_sim, negative_sim).softmax(dim=1), product / product.sum())


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_the_share_flagged_is_near_the_share_wrong(tiny: DualEncoder, images: LabeledImages, rate: float) -> None:
    noisy = images.relabel(symmetric(images.labels, rate, num_classes=10, seed=0))
    _, found = train(tiny, noisy)
    assert float(found.is_label_issue.mean()) == pytest.approx(rate, abs=0.07)


def test_which_class_is_mistaken_for_which_is_learned(
    paired: tuple[LabeledImages, TrainedDeFT, Detection], images: LabeledImages
) -> None:
    noisy, trained, found = paired
    assert trained.transition is not None
    matrix = trained.transition.matrix
    kept = np.array([(noisy.labels == k)[images.labels == k].mean() for k in range(10)])
    assert matrix.diagonal().numpy() == pytest.approx(kept, abs=0.15)
    assert float(matrix.diagonal().mean()) == pytest.approx(kept.mean(), abs=0.04)
    following = matrix[torch.arange(10), (torch.arange(10) + 1) % 10]
    assert bool((following > 3 * (1 - matrix.diagonal() - following)).all())
    # So a wrong label's suggestion is hardly ever anything but the digit before it.
    wrong = found.is_label_issue & (noisy.labels != images.labels)
    assert float((found.predicted == images.labels)[wrong].mean()) > 0.95


def test_the_posterior_is_better_than_the_negative_prompt_alone(
    paired: tuple[LabeledImages, TrainedDeFT, Detection], images: LabeledImages
) -> None:
    noisy, trained, found = paired
    plain = replace(trained, transition=None).detect(noisy)
    wrong = noisy.labels != images.labels
    missed = [int((verdict.is_label_issue != wrong).sum()) for verdict in (found, plain)]
    assert missed[0] < 0.7 * missed[1]


def test_a_saved_detector_keeps_the_transition_of_its_training(
    paired: tuple[LabeledImages, TrainedDeFT, Detection], tiny: DualEncoder, tmp_path: Path
) -> None:
    noisy, trained, found = paired
    trained.save_pretrained(tmp_path)
    again = TrainedDeFT.from_pretrained(tmp_path, encoder=tiny)
    assert trained.transition is not None
    assert again.transition is not None
    assert torch.equal(again.transition.matrix, trained.transition.matrix)
    few = np.arange(20)
    assert again.detect(noisy.keep(few)).p_clean == pytest.approx(found.p_clean[few], abs=1e-5)


def test_a_saved_detector_that_lacks_its_transition_is_named(
    paired: tuple[LabeledImages, TrainedDeFT, Detection], tiny: DualEncoder, tmp_path: Path
) -> None:
    _, trained, _ = paired
    replace(trained, transition=None).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no noise transition of 10 classes"):
        TrainedDeFT.from_pretrained(tmp_path, encoder=tiny)


def test_a_detector_of_another_version_is_named(
    paired: tuple[LabeledImages, TrainedDeFT, Detection], tiny: DualEncoder, tmp_path: Path
) -> None:
    _, trained, _ = paired
    trained.save_pretrained(tmp_path)
    (tmp_path / "manifest.json").unlink()  # which would tell first
    file = tmp_path / "detector.json"
    config = json.loads(file.read_text())
    config["recipe"]["similarity_weight"] = 1.0
    file.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="another version of deft"):
        TrainedDeFT.from_pretrained(tmp_path, encoder=tiny)


def test_new_images_of_some_of_the_classes_are_judged_alike(
    paired: tuple[LabeledImages, TrainedDeFT, Detection],
) -> None:
    noisy, trained, found = paired
    few = np.flatnonzero(np.isin(noisy.labels, [3, 7]))[:20]
    renamed = noisy.keep(few).relabel(np.where(noisy.labels[few] == 3, 1, 0), ("seven", "three"))
    again = trained.detect(renamed)
    assert again.p_clean == pytest.approx(found.p_clean[few], abs=1e-5)


def test_a_sample_of_the_images_is_enough(
    tiny: DualEncoder, images: LabeledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deft_verdicts, "MOST_IMAGES", 300)
    noisy = images.relabel(symmetric(images.labels, 0.3, num_classes=10, seed=0))
    _, found = train(tiny, noisy)
    assert found.judged.all()
    assert float(found.is_label_issue.mean()) == pytest.approx(0.3, abs=0.07)


def test_labels_that_a_person_confirmed_say_nothing_of_the_others(tiny: DualEncoder, images: LabeledImages) -> None:
    noisy = symmetric(images.labels, 0.3, num_classes=10, seed=0)
    # Confirmed, wrong or not: if they counted, three in ten would be the rate.
    sure = np.arange(COUNT) < 450
    labels = np.where(sure, noisy, images.labels)
    trained, _ = train(tiny, images.relabel(labels, trusted=sure))
    assert trained.transition is not None
    assert float(1 - trained.transition.matrix.diagonal().mean()) < 0.1
