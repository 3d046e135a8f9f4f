"""Backbones of the hub with a head: what learns under each tuning, and what becomes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.classifiers.hub import HubClassifier
from deft.encoders.vision import VisionModel, load_vision_model
from deft.errors import ModelError
from deft.tuning import VPT, Adapter, Bias, Frozen, Full, Layers, LoRA, Tuning

Folders = Callable[[str], Path]
FITTING: list[Tuning] = [Full(), Layers(), LoRA(rank=2), Bias(), Frozen()]


def pixels(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def classifier(model: VisionModel, tuning: Tuning, seed: int = 0) -> HubClassifier:
    return HubClassifier(model, tuning, 3, entry="pixels", seed=seed)


def train(network: HubClassifier, steps: int = 2) -> None:
    network.train()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    for _ in range(steps):
        F.cross_entropy(network(pixels()), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval()


@pytest.mark.parametrize("tuning", FITTING, ids=str)
def test_what_was_learned_is_in_the_state_and_in_the_merged_backbone(backbone_folder: Folders, tuning: Tuning) -> None:
    model = load_vision_model(backbone_folder("vit"), device="cpu")
    before = copy.deepcopy(model.state_dict())
    network = classifier(model, tuning)
    with torch.no_grad():
        start = network(pixels())
    train(network)
    with torch.no_grad():
        scores = network(pixels())
        assert not torch.allclose(scores, start, atol=1e-4)
        again = classifier(model, tuning)
        again.load_state_dict(network.state_dict())
        torch.testing.assert_close(again(pixels()), scores)
        backbone, head = again.merged()
        torch.testing.assert_close(head(backbone.features(pixels())), scores, atol=1e-4, rtol=1e-3)
    assert backbone.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("tuning", [VPT(length=2), Adapter(width=4)], ids=str)
def test_tunings_that_do_not_fit_are_named_beside_those_that_do(backbone_folder: Folders, tuning: Tuning) -> None:
    model = load_vision_model(backbone_folder("vit"), device="cpu")
    with pytest.raises(ModelError, match=f"{type(tuning).__name__} needs .* Full, Layers, LoRA, Bias, Frozen"):
        classifier(model, tuning)


@pytest.mark.parametrize("tuning", [LoRA(rank=2), Layers()], ids=str)
def test_a_convolutional_net_has_no_layers_to_tune(backbone_folder: Folders, tuning: Tuning) -> None:
    model = load_vision_model(backbone_folder("resnet"), device="cpu")
    with pytest.raises(ModelError, match="Full, Frozen and Bias fit"):
        classifier(model, tuning)


def test_lora_has_factors_on_the_attention_of_every_family(backbone_folder: Folders) -> None:
    for family in ("vit", "dinov2", "siglip"):
        network = classifier(load_vision_model(backbone_folder(family), device="cpu"), LoRA(rank=2))
        # Two layers, two projections, two factors.
        assert sum("lora_" in name for name in network.state_dict()) == 8, family


def test_full_fine_tuning_moves_the_statistics_of_norms_and_keeps_them(backbone_folder: Folders) -> None:
    model = load_vision_model(backbone_folder("resnet"), device="cpu")
    network = classifier(model, Full())
    statistics = [name for name in network.state_dict() if name.endswith("running_mean")]
    assert statistics
    start = {name: network.state_dict()[name].clone() for name in statistics}
    train(network)
    assert not any(torch.equal(network.state_dict()[name], start[name]) for name in statistics)


@pytest.mark.parametrize("tuning", [Frozen(), Bias()], ids=str)
def test_the_statistics_of_a_frozen_net_stay(backbone_folder: Folders, tuning: Tuning) -> None:
    model = load_vision_model(backbone_folder("resnet"), device="cpu")
    network = classifier(model, tuning)
    train(network)
    merged, _ = network.merged()
    for name, value in model.state_dict().items():
        if "running_" in name:
            assert torch.equal(merged.state_dict()[name], value)


@pytest.mark.parametrize("count", [1, 0])
def test_a_batch_without_statistics_of_its_own_takes_the_running_ones(backbone_folder: Folders, count: int) -> None:
    network = classifier(load_vision_model(backbone_folder("resnet"), device="cpu"), Full())
    network.eval()
    with torch.no_grad():
        expected = network(pixels(count))
    network.train()
    scores = network(pixels(count))
    torch.testing.assert_close(scores.detach(), expected)
    assert scores.requires_grad
    assert network.backbone.training


def test_networks_of_two_seeds_differ_in_the_head_alone(backbone_folder: Folders) -> None:
    model = load_vision_model(backbone_folder("vit"), device="cpu")
    first, second = (classifier(model, Full(), seed=seed).state_dict() for seed in (0, 1))
    differing = {name for name in first if not torch.equal(first[name], second[name])}
    assert differing == {"head.weight", "head.bias"}


def test_weights_are_float32_under_autocast(backbone_folder: Folders) -> None:
    network = classifier(load_vision_model(backbone_folder("vit"), device="cpu"), Full())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.cross_entropy(network(pixels()).float(), torch.tensor([0, 1, 2, 0]))
    loss.backward()
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert {weight.grad.dtype for weight in network.parameters() if weight.grad is not None} == {torch.float32}
