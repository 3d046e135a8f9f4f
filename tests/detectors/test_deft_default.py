"""DeFT as typed: what its verdicts by evidence owe, on real digits and where there is nothing to be seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.detectors.deft_evidence import EXPERTS, Evidence, count_factors, hears_prompts_of
from deft.detectors.deft_trained import TrainedDeFT
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import ModelError, SettingsError
from deft.evidence.folds import FEW_IMAGES
from deft.evidence.neighbours import Near, Neighbours
from deft.noise import pair_flip, symmetric
from deft.runs.detection import Detection, Verdicts
from deft.training.optimization import Optimization


@pytest.fixture(scope="module")
def tiny() -> DualEncoder:
    return load_encoder("tiny", device="cpu")


@pytest.fixture(scope="module")
def images() -> LabeledImages:
    return digits(noise=0.0)[0].keep(np.arange(500))


@pytest.fixture(scope="module")
def learned(tiny: DualEncoder, images: LabeledImages) -> tuple[TrainedDeFT, Detection]:
    noisy = images.relabel(symmetric(images.labels, 0.2, num_classes=10, seed=0))
    return DeFT(tiny).train(noisy)


def test_scores_are_probabilities_and_their_mean_is_the_noise_rate(
    learned: tuple[TrainedDeFT, Detection], images: LabeledImages
) -> None:
    found = learned[1]
    wrong = found.given != images.labels
    assert float(1 - found.p_clean.mean()) == pytest.approx(wrong.mean(), abs=0.04)
    summary = found.summary()
    assert summary["estimated_noise_rate"] == pytest.approx(float(1 - found.p_clean.mean()), abs=1e-6)
    low, high = summary["noise_rate_interval"]
    assert low < wrong.mean() < high
    assert float(found.p_clean[wrong].mean()) < 0.1


def test_pair_flips_are_found_among_twenty_pictures_of_a_class(tiny: DualEncoder) -> None:
    """Six wrong labels of each class all name the next one: halves of the set have three of them."""
    whole = digits(noise=0.0)[0]
    few = whole.keep(np.sort(np.concatenate([np.flatnonzero(whole.labels == digit)[:20] for digit in range(10)])))
    found = DeFT(tiny).detect(few.relabel(pair_flip(few.labels, 0.3, num_classes=10, seed=0)))
    wrong = found.given != few.labels
    assert int((wrong & found.is_label_issue).sum()) > 0.9 * wrong.sum()
    assert int((~wrong & found.is_label_issue).sum()) < 0.05 * len(few)


def _rates(learned: TrainedDeFT, none: Tensor, *, error: float) -> tuple[float, float]:
    """Return the interval of the rate of wrong labels where some images are foreign and all other labels fit."""
    assert learned.evidence is not None
    evidence = replace(learned.evidence, weighed=replace(learned.evidence.weighed, rate_error=error))
    right, rows = (0.999 * (1 - none)).numpy(), len(none)
    nothing = np.zeros((rows, 1), np.int64)
    verdicts = Verdicts(right, right > 0.5, nothing[:, 0], nothing, right[:, None], p_none=none.numpy())
    low, high = evidence.told(verdicts, np.zeros(len(verdicts.p_clean), bool))["noise_rate_interval"]
    return low, high


def test_labels_that_a_person_confirmed_are_right_in_the_estimated_rate(
    learned: tuple[TrainedDeFT, Detection],
) -> None:
    evidence = learned[0].evidence
    assert evidence is not None
    right, nothing = np.full(400, 0.8, np.float32), np.zeros((400, 1), np.int64)
    verdicts = Verdicts(right, right > 0.5, nothing[:, 0], nothing, right[:, None])
    half, all_of_them = np.arange(400) < 200, np.ones(400, bool)
    told = {count: evidence.told(verdicts, trusted) for count, trusted in ((200, half), (0, all_of_them))}
    assert told[200]["noise_rate"] == pytest.approx(0.1, abs=1e-6)
    assert 0 < told[200]["noise_rate_interval"][0] < 0.1 < told[200]["noise_rate_interval"][1] < 0.2
    assert told[0]["noise_rate"] == 0
    assert told[0]["noise_rate_interval"] == [0, 0]


def test_doubt_about_wrong_labels_does_not_blur_the_share_of_foreign_images(
    learned: tuple[TrainedDeFT, Detection],
) -> None:
    none = torch.cat([torch.full((40,), 0.99), torch.full((360,), 0.001)])
    low, high = _rates(learned[0], none, error=3.0)
    assert 0.03 < low < 0.1 < high < 0.25


def test_where_next_to_nothing_is_wrong_the_rate_is_small_however_unsure_its_logarithm_is(
    learned: tuple[TrainedDeFT, Detection],
) -> None:
    low, high = _rates(learned[0], torch.zeros(5000), error=3.5)
    assert low < 0.0005
    assert 0.01 < high < 0.06


@pytest.mark.parametrize(("events", "fewer", "more"), [(4, 1.0899, 10.2416), (1, 0.0253, 5.5716), (100, 81.36, 121.63)])
def test_factors_are_those_of_a_poisson_count(events: int, fewer: float, more: float) -> None:
    low, high = count_factors(events**-0.5)
    assert (events * low, events * high) == pytest.approx((fewer, more), rel=1e-3)


def test_what_was_trained_is_shown_in_a_line(learned: tuple[TrainedDeFT, Detection]) -> None:
    assert repr(learned[0]) == "TrainedDeFT(HybridEncoder('tiny'), 10 classes, tuning=Frozen())"
    with pytest.raises(SettingsError, match=r"labelled images, not 'photos/': deft\.load_images"):
        learned[0].detect("photos/")  # type: ignore[arg-type]


def test_what_is_suggested_for_a_flagged_label_is_another_class(learned: tuple[TrainedDeFT, Detection]) -> None:
    found = learned[1]
    flagged = found.is_label_issue
    assert flagged.any()
    assert (found.predicted != found.given)[flagged].all()


def test_a_sentence_says_what_the_verdict_goes_by(learned: tuple[TrainedDeFT, Detection]) -> None:
    told = learned[1].summary()["evidence"]
    assert told["judges"]
    assert set(told["experts"]) == set(EXPERTS)
    assert sum(told["experts"].values()) == pytest.approx(1, abs=0.01)
    assert max(told["experts"], key=told["experts"].get) in told["sentence"]


def test_a_detector_without_its_evidence_is_no_detector(learned: tuple[TrainedDeFT, Detection], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    learned[0].save_pretrained(tmp_path)
    (tmp_path / "manifest.json").unlink()  # which would tell first
    weights = load_file(tmp_path / "detector.safetensors")
    save_file(
        {name: value for name, value in weights.items() if "rates" not in name}, tmp_path / "detector.safetensors"
    )
    with pytest.raises(ModelError, match="no evidence"):
        TrainedDeFT.from_pretrained(tmp_path, encoder=learned[0].encoder)


def test_three_right_images_of_a_rare_class_are_not_all_flagged(tiny: DualEncoder, images: LabeledImages) -> None:
    eights = np.flatnonzero(images.labels == 8)
    few = images.keep(np.setdiff1d(np.arange(len(images)), eights[3:]))
    found = DeFT(tiny).detect(few)
    assert not found.is_label_issue[few.labels == 8].all()
    assert found.summary()["classes_flagged_whole"] == []
    assert found.is_label_issue.mean() < 0.02


def test_small_classes_beside_a_catch_all_are_not_flagged_whole(tiny: DualEncoder, images: LabeledImages) -> None:
    labels = np.select([images.labels == 1, images.labels == 8], [0, 2], 1)
    mixed = replace(images, labels=labels, classes=("one", "other", "eight"), words=(), clean_labels=labels)
    found = DeFT(tiny).detect(mixed)
    assert max(found.is_label_issue[labels == label].mean() for label in range(3)) < 0.1
    assert found.summary()["classes_flagged_whole"] == []


def test_a_model_that_sees_nothing_says_so_and_flags_nothing(clip_folder: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(120, 20, 20, 3), dtype=np.uint8)
    images = load_images(pixels, labels=rng.integers(4, size=120), classes=["a", "b", "c", "d"])
    found = DeFT(load_encoder(clip_folder, device="cpu"), epochs=2).detect(images)
    summary = found.summary()
    assert not summary["evidence"]["judges"]
    assert "can't judge these classes" in summary["evidence"]["sentence"]
    assert summary["estimated_noise_rate"] is None
    assert not found.is_label_issue.any()


def test_what_is_weighed_is_computed_in_full_numbers(
    tiny: DualEncoder, images: LabeledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompts' scores come from a pass in 16 bits, which the neighbours' cosines must not inherit."""
    asked = []
    near = Neighbours.near

    def watched(self: Neighbours, features: Tensor, *rest: Any) -> Near:
        asked.append(torch.is_autocast_enabled("cpu"))
        return near(self, features, *rest)

    monkeypatch.setattr(Neighbours, "near", watched)
    DeFT(tiny, epochs=1, optimization=Optimization(precision="bfloat16")).detect(images.keep(np.arange(60)))
    assert asked
    assert not any(asked)


def test_what_people_decided_about_the_worst_leaves_the_rest_fairly_judged(
    tiny: DualEncoder, images: LabeledImages, learned: tuple[TrainedDeFT, Detection]
) -> None:
    given = symmetric(images.labels, 0.2, num_classes=10, seed=0)
    asked = np.argsort(learned[1].p_clean)[:50]
    labels, sure = given.copy(), np.zeros(len(given), bool)
    labels[asked], sure[asked] = images.labels[asked], True
    decided = replace(images.relabel(labels, trusted=sure), first_labels=given)
    trained, found = DeFT(tiny).train(decided)
    assert trained.evidence is not None
    assert trained.evidence.decisions == 50
    assert "set right by 50 decisions of people" in found.summary()["evidence"]["sentence"]
    assert float(trained.evidence.weighed.explanations.best.noise.rates.mean()) == pytest.approx(
        (given != images.labels).mean(), abs=0.06
    )
    rest = ~sure
    assert float(1 - found.p_clean[rest].mean()) == pytest.approx((given != images.labels)[rest].mean(), abs=0.05)


def test_the_decisions_are_kept_with_the_detector(
    tiny: DualEncoder, images: LabeledImages, learned: tuple[TrainedDeFT, Detection], tmp_path: Path
) -> None:
    assert learned[0].evidence is not None
    told = replace(learned[0], evidence=replace(learned[0].evidence, decisions=7))
    told.save_pretrained(tmp_path / "detector")
    again = TrainedDeFT.from_pretrained(tmp_path / "detector", encoder=tiny)
    assert again.evidence is not None
    assert again.evidence.decisions == 7


def test_prompts_of_two_classes_are_not_heard(tiny: DualEncoder, images: LabeledImages) -> None:
    """Their sixteen vectors learn the labels of so few classes by heart, which then vouch for themselves."""
    two = images.keep(np.flatnonzero(images.labels < 2))
    truth = two.labels
    two = replace(two, classes=two.classes[:2], words=two.words[:2], clean_labels=None)
    found = DeFT(tiny).detect(two.relabel(symmetric(truth, 0.2, num_classes=2, seed=0)))
    told = found.summary()["evidence"]["experts"]
    assert told["positive prompts"] == told["negative prompts"] == 0
    assert sum(told.values()) == pytest.approx(1, abs=0.01)


def test_prompts_of_a_small_set_vouch_for_no_label_so_the_seed_changes_no_verdict(
    tiny: DualEncoder, learned: tuple[TrainedDeFT, Detection], images: LabeledImages
) -> None:
    found = learned[1]
    told = found.summary()["evidence"]["experts"]
    assert told["positive prompts"] == told["negative prompts"] == 0
    other = DeFT(tiny, seed=1).detect(images.relabel(found.given))
    np.testing.assert_array_equal(other.p_clean, found.p_clean)


@pytest.mark.parametrize(
    ("classes", "images", "tunes", "heard"),
    [
        (10, FEW_IMAGES, False, False),
        (10, FEW_IMAGES + 1, False, True),
        (10, FEW_IMAGES, True, True),
        (2, FEW_IMAGES + 1, False, False),
        (2, FEW_IMAGES + 1, True, False),
    ],
)
def test_prompts_are_heard_where_they_know_no_label_by_heart(
    classes: int, images: int, tunes: bool, heard: bool
) -> None:
    assert hears_prompts_of(classes, images, tunes_images=tunes) is heard


def test_whether_prompts_are_heard_is_kept_with_the_detector(learned: tuple[TrainedDeFT, Detection]) -> None:
    evidence = learned[0].evidence
    assert evidence is not None
    for heard in (False, True):
        again = Evidence.from_tensors(replace(evidence, hears_prompts=heard).tensors(), 10)
        assert again.hears_prompts is heard
    older = evidence.tensors()
    del older["evidence.hears_prompts"]
    assert Evidence.from_tensors(older, 10).hears_prompts
