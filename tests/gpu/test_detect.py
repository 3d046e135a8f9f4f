"""Detection on a GPU gives the verdicts of the CPU, in every number format, and what it leaves opens on either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from deft.data.images import LabeledImages
from deft.detectors.base import Detector
from deft.detectors.deft import DeFT
from deft.detectors.deft_trained import TrainedDeFT
from deft.detectors.label_match import LabelMatch
from deft.detectors.registry import DETECTORS, detector_class
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.runs.detection import Detection
from deft.training.optimization import Optimization
from deft.tuning import VPT, LoRA, Tuning

TOLERANCE = {"float32": 0.02, "bfloat16": 0.1, "float16": 0.05}
"""How far the scores of nineteen in twenty images may lie from the CPU's in float32."""
AGREE = {"float32": 0.99, "bfloat16": 0.95, "float16": 0.97}
"""The least share of images with the CPU's flag."""


def learning(tuning: Tuning, precision: str) -> Callable[[DualEncoder], Detector]:
    """DeFT with a tuning of the image tower; a few epochs, after which verdicts depend little on rounding."""
    settings = Optimization(learning_rate=0.01, precision=precision)  # type: ignore[arg-type]
    return lambda encoder: DeFT(encoder, tuning=tuning, epochs=3, optimization=settings)


def frozen(precision: str) -> Callable[[DualEncoder], Detector]:
    return lambda encoder: DeFT(encoder, optimization=Optimization(precision=precision))  # type: ignore[arg-type]


KINDS: Mapping[str, Callable[[str], Callable[[DualEncoder], Detector]]] = {
    "label-match": lambda precision: lambda encoder: LabelMatch(encoder, precision=precision),  # type: ignore[arg-type]
    "frozen": frozen,
    "vpt": lambda precision: learning(VPT(length=4), precision),
    "lora": lambda precision: learning(LoRA(rank=4), precision),
}


@cache
def of_cpu(kind: str, images: LabeledImages) -> Detection:
    """What the CPU says in float32."""
    return KINDS[kind]("float32")(load_encoder("tiny", device="cpu")).detect(images)


def assert_near(found: Detection, expected: Detection, precision: str, note: Callable[[str, object], None]) -> None:
    """The same flags and scores, up to the tolerance of a number format; what was found goes into the report."""
    apart = np.quantile(np.abs(found.p_clean - expected.p_clean), 0.95)
    agree = (found.is_label_issue == expected.is_label_issue).mean()
    note("scores apart", float(apart))
    note("flags that agree", float(agree))
    assert np.isfinite(found.p_clean).all()
    assert apart <= TOLERANCE[precision], f"{apart:.4f} apart, {agree:.3f} agree"
    assert agree >= AGREE[precision], f"{apart:.4f} apart, {agree:.3f} agree"


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        ("label-match", "float32"),
        ("frozen", "float32"),
        ("frozen", "bfloat16"),
        ("frozen", "float16"),
        ("vpt", "float32"),
        ("vpt", "bfloat16"),
        ("vpt", "float16"),
        ("lora", "float32"),
        ("lora", "bfloat16"),
        ("lora", "float16"),
    ],
)
def test_verdicts_are_the_cpus(
    images: LabeledImages, kind: str, precision: str, record_property: Callable[[str, object], None]
) -> None:
    encoder = load_encoder("tiny", device="cuda")
    assert encoder.device.type == "cuda"
    found = KINDS[kind](precision)(encoder).detect(images)
    assert found.info["device"].startswith("cuda")
    assert_near(found, of_cpu(kind, images), precision, record_property)


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"deft", "label-match"}))
def test_every_other_detector_runs(images: LabeledImages, name: str) -> None:
    if name == "confident-learning":
        pytest.importorskip("cleanlab")
    encoder = load_encoder("tiny", device="cuda")
    found = detector_class(name)(encoder).detect(images)
    assert np.isfinite(found.p_clean).all()
    assert 0 < found.is_label_issue.mean() < 1


def test_the_same_seed_gives_the_same_verdicts(images: LabeledImages) -> None:
    """Of a frozen image tower, to the bit; where it learns, sums on a GPU are rounded in no fixed order."""
    first, second = (frozen("auto")(load_encoder("tiny", device="cuda")).detect(images) for _ in range(2))
    np.testing.assert_allclose(first.p_clean, second.p_clean, atol=1e-6)
    assert (first.is_label_issue == second.is_label_issue).all()


@pytest.mark.parametrize(("one", "other"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_detector_judges_on_another_device(
    images: LabeledImages, tmp_path: Path, one: str, other: str, record_property: Callable[[str, object], None]
) -> None:
    trained, here = DeFT(load_encoder("tiny", device=one), epochs=2).train(images)
    trained.save_pretrained(tmp_path / "detector")
    opened = TrainedDeFT.from_pretrained(tmp_path / "detector", device=other)
    assert opened.encoder.device.type == other
    assert_near(opened.detect(images), here, "bfloat16", record_property)


def test_a_small_batch_gives_the_verdicts_of_a_large_one(images: LabeledImages) -> None:
    encoder = load_encoder("tiny", device="cuda")
    whole = LabelMatch(encoder)
    small = replace(whole, batch_size=7)
    assert small.detect(images).p_clean == pytest.approx(whole.detect(images).p_clean, abs=2e-2)


def test_the_cards_memory_is_given_back(images: LabeledImages) -> None:
    """A detection leaves nothing on the card beside the model that it was given."""
    encoder = load_encoder("tiny", device="cuda")
    frozen("auto")(encoder).detect(images)  # what libraries keep once they have run
    before = torch.cuda.memory_allocated()
    frozen("auto")(encoder).detect(images)
    assert torch.cuda.memory_allocated() - before < 2_000_000
