"""Training a classifier on a GPU, and what it says there and on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from deft.adaptation.adapt import adapt
from deft.adaptation.backbones import load_backbone
from deft.adaptation.model import AdaptedModel
from deft.data.images import LabeledImages
from deft.methods.registry import METHODS
from deft.training.optimization import Optimization
from deft.training.precision import Precision
from deft.tuning import VPT, Full, LoRA, Tuning

FAST = Optimization(learning_rate=1e-3, optimizer="adamw")


def learn(images: LabeledImages, **settings: object) -> AdaptedModel:
    backbone = load_backbone("tiny", "random", device="cuda")
    return adapt(backbone, images, **{"epochs": 2, "optimization": FAST, **settings})  # type: ignore[arg-type]


def agreement(model: AdaptedModel, other: AdaptedModel, images: LabeledImages) -> float:
    """Share of images to which both give the same class."""
    one, two = (each.predict(images)["predicted_label"] for each in (model, other))
    return float((one == two).mean())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains(images: LabeledImages, method: str) -> None:
    model, other = (learn(images, method=method, epochs=epochs, noise_rate=0.3) for epochs in (4, 2))
    assert model.training_record["info"]["device"].startswith("cuda")
    pixels = torch.rand(4, 3, model.predictor.spec.size, model.predictor.spec.size, device="cuda")
    scores, earlier = model.predictor.scores(pixels), other.predictor.scores(pixels)
    assert scores.isfinite().all()
    assert not torch.allclose(scores, earlier)


@pytest.mark.parametrize("tuning", [Full(), VPT(length=4), LoRA(rank=4)], ids=["full", "vpt", "lora"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_saved_model_answers_alike_on_the_cpu(
    images: LabeledImages,
    tmp_path: Path,
    tuning: Tuning,
    precision: Precision,
    record_property: Callable[[str, object], None],
) -> None:
    settings = Optimization(learning_rate=1e-3, optimizer="adamw", precision=precision)
    model = learn(images, tuning=tuning, optimization=settings)
    model.save(tmp_path / "model")
    agree = agreement(model, AdaptedModel.load(tmp_path / "model", device="cpu"), images)
    record_property("same answers", agree)
    assert agree >= 0.97


def test_a_model_of_the_hub_learns_in_full(
    images: LabeledImages, tmp_path: Path, backbone_folder: Callable[[str], Path]
) -> None:
    backbone = load_backbone(str(backbone_folder("convnext")), "random", device="cuda")
    model = adapt(backbone, images, epochs=2, optimization=FAST, validation=0.2)
    model.save(tmp_path / "model")
    assert agreement(model, AdaptedModel.load(tmp_path / "model", device="cpu"), images) >= 0.97
