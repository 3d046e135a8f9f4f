"""Prompts in the last layers: what enters the first of these is kept, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.progress import Silent, T
from deft.prompts.learned import PromptSettings
from deft.training.feature_bank import BankLoader
from deft.training.inputs import Reading, open_inputs
from deft.training.optimization import Optimization
from deft.training.precision import Precision, autocast, resolve_precision
from deft.training.workspace import Workspace
from deft.tuning import VPT
from deft.tuning.parts import entry_of, frozen_part, trained_part

CPU = torch.device("cpu")
LAST = VPT(length=3, layers=1)


@pytest.fixture(params=["clip_folder", "siglip_folder", "tiny"])
def encoder(request: pytest.FixtureRequest) -> DualEncoder:
    name = "tiny" if request.param == "tiny" else request.getfixturevalue(request.param)
    return load_encoder(name, device="cpu")


@pytest.fixture(scope="module")
def images() -> LabeledImages:
    rng = np.random.default_rng(0)
    colours, labels = rng.integers(0, 256, size=(3, 1, 1, 3)), np.arange(30) % 3
    pixels = (colours[labels] + rng.integers(-60, 60, size=(30, 24, 24, 3))).clip(0, 255).astype(np.uint8)
    return load_images(pixels, labels=(labels + (np.arange(30) % 5 == 0)) % 3, classes=["cat", "dog", "bird"])


def quick(encoder: DualEncoder) -> DeFT:
    made = DeFT.paper(encoder, tuning=LAST)
    precise = Optimization(learning_rate=0.03, precision="float32")
    return replace(made, prompts=PromptSettings(length=4), epochs=2, batch_size=8, optimization=precise)


def test_tokens_are_kept_where_a_layer_stays_as_it_is(encoder: DualEncoder, images: LabeledImages) -> None:
    assert entry_of(encoder, LAST) == "tokens"
    assert entry_of(encoder, VPT()) == ("tokens" if encoder.heavy_stem else "pixels")
    part = frozen_part(encoder, LAST)
    with open_inputs(part, images, Workspace(), Reading(batch_size=8)) as inputs:
        assert isinstance(inputs.batches.loader, BankLoader)
        assert inputs.batches.loader.views.dtype == np.float16
        assert inputs.batches.loader.views.shape[0] == 2


@pytest.mark.parametrize(("precision", "apart"), [("float32", 0.002), ("bfloat16", 0.02)])
def test_features_and_gradients_are_those_of_the_whole_tower(
    encoder: DualEncoder, images: LabeledImages, precision: Precision, apart: float
) -> None:
    reading, found = Reading(batch_size=8, precision=precision), []
    for layers in ("kept", "computed"):
        whole = frozen_part(encoder, LAST) if layers == "kept" else replace(frozen_part(encoder, LAST), compute=None)
        with open_inputs(whole, images, Workspace(), reading) as inputs:
            batch = next(inputs.batches.ordered())
        encode = trained_part(encoder, LAST) if layers == "kept" else encoder.encode_images
        with LAST.attach(encoder, seed=0) as attachment, autocast(resolve_precision(precision, CPU), CPU):
            features = encode(batch.inputs).float()
            toward = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
            (gradient,) = torch.autograd.grad((features * toward).sum(), [attachment.weights["prompts"]])
        found.append((features.detach(), gradient))
    for kept, computed in zip(*found, strict=True):
        assert distance(kept, computed) < apart


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def test_a_short_disk_changes_no_verdict(encoder: DualEncoder, images: LabeledImages) -> None:
    scores = []
    for most in (None, 0, 100_000):
        found = quick(encoder).detect(images, workspace=Workspace(kept_bytes=most))
        scores.append(found.p_clean)
    for other in scores[1:]:
        np.testing.assert_allclose(other, scores[0], atol=1e-4)


def test_a_run_that_stopped_goes_on_on_a_fuller_disk(clip_folder: Path, images: LabeledImages, tmp_path: Path) -> None:
    encoder = load_encoder(clip_folder, device="cpu")
    unbroken = quick(encoder).detect(images, workspace=Workspace(tmp_path / "one"))

    class Stopped(Exception):
        pass

    class OneEpoch(Silent):
        def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
            if task.startswith("Training, epoch 2"):
                raise Stopped
            return iter(steps)

    with pytest.raises(Stopped):
        quick(encoder).detect(images, workspace=Workspace(tmp_path / "two", progress=OneEpoch()))
    resumed = quick(encoder).detect(images, workspace=Workspace(tmp_path / "two", resume=True, kept_bytes=0))
    np.testing.assert_allclose(resumed.p_clean, unbroken.p_clean, atol=1e-4)


def test_more_layers_than_there_are_are_refused_before_anything_is_read(
    clip_folder: Path, images: LabeledImages
) -> None:
    detector = DeFT(load_encoder(clip_folder, device="cpu"), tuning=VPT(layers=9))
    with pytest.raises(SettingsError, match="prompts in 9 layers, and the image tower has 2"):
        detector.detect(images)
