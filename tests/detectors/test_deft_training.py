"""DeFT's first phase does what the paper says, gradient by gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deft.detectors.deft_training import DualPromptTraining, Recipe, believed, mostly_generalized
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.losses import generalized_cross_entropy
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.training.batches import Batch, Batches, Loader, Rows, View
from deft.tuning import VPT, Attachment, Frozen

CLASSES = ("cat", "dog", "bird")


class Pixels(Loader):
    def __init__(self) -> None:
        self.pixels = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return self.pixels[torch.from_numpy(rows)]


@pytest.fixture(scope="module")
def encoder(clip_folder: Path) -> DualEncoder:
    return load_encoder(clip_folder, device="cpu")


@pytest.fixture
def train() -> Batches:
    labels, rows = np.arange(12) % 3, np.arange(12)
    return Batches(Pixels(), labels, rows, batch_size=12, seed=0, device=torch.device("cpu"))


def phase1(
    encoder: DualEncoder, attachment: Attachment, recipe: Recipe, trusted: np.ndarray | None = None
) -> DualPromptTraining:
    prompts = DualPrompts(encoder.text, CLASSES, PromptSettings(length=4), seed=0)
    return DualPromptTraining(encoder, encoder.encode_images, prompts, attachment, recipe, trusted)


def gradients(method: DualPromptTraining, train: Batches, epoch: int) -> dict[str, float]:
    """Size of the gradient of one step's loss for each kind of weight."""
    loss = next(iter(method.losses(train, epoch)))
    loss.backward()
    named = {
        "positive": method.prompts.positive,
        "negative": method.prompts.negative,
        "visual": method.attachment.weights["prompts"],
    }
    return {name: 0.0 if weight.grad is None else float(weight.grad.abs().max()) for name, weight in named.items()}


def reject_everything(method: DualPromptTraining) -> None:
    """Make every label look wrong, so that L_sim has nothing to learn from and only L_dp is left."""

    def always_worse(odds: Tensor) -> Tensor:
        return odds - 1e3

    original = method._similarities

    def shifted(features: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        positive_sim, negative_sim = original(features, positive, negative)
        return positive_sim, negative_sim - always_worse(torch.zeros(()))

    method._similarities = shifted  # type: ignore[method-assign]


def test_in_the_authors_reading_l_dp_trains_the_negative_context_only(encoder: DualEncoder, train: Batches) -> None:
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        method = phase1(encoder, attachment, Recipe(warmup=0, dual_warmup=0, gradient="negative"))
        reject_everything(method)
        found = gradients(method, train, epoch=5)
    assert found["positive"] == 0
    assert found["visual"] == 0
    assert found["negative"] > 0


def test_in_the_published_reading_l_dp_trains_all_of_them(encoder: DualEncoder, train: Batches) -> None:
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        method = phase1(encoder, attachment, Recipe(warmup=0, dual_warmup=0, gradient="both"))
        reject_everything(method)
        found = gradients(method, train, epoch=5)
    assert min(found.values()) > 0


@pytest.mark.parametrize("pseudo_labels", [True, False])
def test_an_empty_selection_leaves_a_finite_loss(encoder: DualEncoder, train: Batches, pseudo_labels: bool) -> None:
    recipe = Recipe(warmup=0, dual_warmup=0, pseudo_labels=pseudo_labels, require_margin=True)
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        method = phase1(encoder, attachment, recipe)
        reject_everything(method)
        loss = next(iter(method.losses(train, 5)))
    assert torch.isfinite(loss)
    assert pseudo_labels or float(loss.detach()) == 0


@pytest.mark.parametrize("loss", ["ce", "sce", "gce"])
def test_every_label_counts_during_the_warmup(
    encoder: DualEncoder, train: Batches, loss: Literal["ce", "sce", "gce"]
) -> None:
    recipe = Recipe(warmup=1, dual_warmup=1, warmup_loss=loss)
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        method = phase1(encoder, attachment, recipe)
        reject_everything(method)
        found = gradients(method, train, epoch=0)
    assert found["positive"] > 0
    assert found["visual"] > 0


def test_a_class_that_is_never_named_is_learned_all_the_same() -> None:
    logits = torch.tensor([[0.0, 25.0]], requires_grad=True)
    found = {}
    for name, loss in (("alone", generalized_cross_entropy), ("here", mostly_generalized)):
        (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([0])).sum(), logits)
        found[name] = abs(float(gradient[0, 0]))
    assert found["alone"] < 1e-7
    assert found["here"] == pytest.approx(0.02, rel=1e-3)


def test_labels_that_a_person_confirmed_teach_whatever_the_verdict(encoder: DualEncoder, train: Batches) -> None:
    recipe = Recipe(warmup=0, dual_warmup=0)
    losses = []
    for trusted in (np.zeros(12, bool), np.ones(12, bool)):
        with VPT(length=2).attach(encoder, seed=0) as attachment:
            method = phase1(encoder, attachment, recipe, trusted)
            reject_everything(method)
            found = gradients(method, train, epoch=5)
            losses.append(found["positive"])
    assert losses[0] == 0  # nothing is believed, so L_sim is empty and L_dp leaves the positive context alone
    assert losses[1] > 0


def test_the_encoder_is_no_part_of_the_checkpoint(encoder: DualEncoder) -> None:
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        names = set(phase1(encoder, attachment, Recipe()).state_dict())
    assert names == {"prompts.positive", "prompts.negative", "attachment.weights.prompts"}


@given(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), st.integers(0, 2))
def test_a_label_is_believed_iff_its_positive_prompt_is_nearer(odds: list[float], label: int) -> None:
    scores = torch.tensor([odds])
    found = believed(scores, torch.tensor([label]), require_margin=False)
    assert bool(found > 0) == (odds[label] > 0)


@given(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), st.integers(0, 2))
def test_the_margin_asks_for_the_largest_difference_too(odds: list[float], label: int) -> None:
    found = believed(torch.tensor([odds]), torch.tensor([label]), require_margin=True)
    rivals = [value for k, value in enumerate(odds) if k != label]
    assert bool(found > 0) == (odds[label] > 0 and odds[label] > max(rivals))


def test_complementary_labels_are_never_the_given_one(encoder: DualEncoder, train: Batches) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        method = phase1(encoder, attachment, Recipe())
        original = method._loss

        def spy(batch: object, positive_sim: Tensor, negative_sim: Tensor, other: Tensor, epoch: int) -> Tensor:
            seen.append((batch.labels, other))  # type: ignore[attr-defined]
            return original(batch, positive_sim, negative_sim, other, epoch)  # type: ignore[arg-type]

        method._loss = spy  # type: ignore[method-assign]
        for epoch in range(20):
            next(iter(method.losses(train, epoch)))
    given_labels, others = torch.cat([a for a, _ in seen]), torch.cat([b for _, b in seen])
    assert not bool((given_labels == others).any())
    assert set(others.tolist()) == {0, 1, 2}


def test_many_classes_are_learned_in_groups_that_each_image_is_in_once(encoder: DualEncoder, train: Batches) -> None:
    seen: list[tuple[list[int], int, int]] = []
    train.labels = np.arange(12) % 5
    prompts = DualPrompts(encoder.text, (*CLASSES, "ship", "frog"), PromptSettings(length=4), seed=0)
    with Frozen().attach(encoder, seed=0) as attachment:
        method = DualPromptTraining(encoder, encoder.encode_images, prompts, attachment, Recipe(classes=3))
        original = method._loss

        def spy(batch: Batch, positive_sim: Tensor, negative_sim: Tensor, other: Tensor, epoch: int) -> Tensor:
            seen.append((batch.index.tolist(), positive_sim.shape[1], int(batch.labels.max())))
            assert not bool((batch.labels == other).any())
            return original(batch, positive_sim, negative_sim, other, epoch)

        method._loss = spy  # type: ignore[method-assign]
        losses = list(method.losses(train, 0))
    assert sorted(row for rows, _, _ in seen for row in rows) == list(range(12))
    assert [(width, highest) for _, width, highest in seen] == [(3, 2), (2, 1)]
    assert all(torch.isfinite(loss) for loss in losses)


def test_an_image_tower_that_learns_sees_all_classes(encoder: DualEncoder, train: Batches) -> None:
    prompts = DualPrompts(encoder.text, (*CLASSES, "ship", "frog"), PromptSettings(length=4), seed=0)
    with VPT(length=2).attach(encoder, seed=0) as attachment:
        method = DualPromptTraining(encoder, encoder.encode_images, prompts, attachment, Recipe(classes=3))
        assert len(list(method.losses(train, 0))) == 1


def test_wrong_recipes_are_named() -> None:
    with pytest.raises(SettingsError, match="Unknown gradient 'all'"):
        Recipe(gradient="all")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="negative number of epochs"):
        Recipe(warmup=-1)
    with pytest.raises(SettingsError, match="Unknown warm-up loss 'mae'"):
        Recipe(warmup_loss="mae")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="Unknown verdict 'mean'"):
        Recipe(verdict="mean")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="at least three classes, not 2"):
        Recipe(classes=2)
