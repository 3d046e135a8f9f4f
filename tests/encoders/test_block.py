"""Blocks compute what Hugging Face's layers give, and their narrow copies follow the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from deft.encoders.block import Block, class_token
from deft.encoders.cast_cache import NarrowCopies

WIDTH, TOKENS = 32, 11


@pytest.fixture
def layers() -> nn.ModuleList:
    """Two layers of Hugging Face's, frozen, with weights wide enough to matter."""
    config = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=64, num_attention_heads=4, attn_implementation="eager"
    )
    made = nn.ModuleList([CLIPEncoderLayer(config) for _ in range(2)])
    generator = torch.Generator().manual_seed(0)
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.2, generator=generator)
    return made.eval().requires_grad_(False)


def tokens(length: int = TOKENS) -> Tensor:
    return torch.randn(3, length, WIDTH, generator=torch.Generator().manual_seed(1))


def blocks(layers: nn.ModuleList) -> nn.ModuleList:
    return nn.ModuleList([Block(layer) for layer in copy.deepcopy(layers)])


def test_names_order_and_values_of_the_weights_stay(layers: nn.ModuleList) -> None:
    before, after = list(layers.named_parameters()), list(blocks(layers).named_parameters())
    assert [name for name, _ in before] == [name for name, _ in after]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(before, after, strict=True))


@pytest.mark.parametrize("first", [None, 1, 4])
def test_equals_hugging_faces_layer(layers: nn.ModuleList, first: int | None) -> None:
    expected = layers[0](tokens(), None)[:, :first]
    torch.testing.assert_close(blocks(layers)[0](tokens(), first=first), expected, atol=1e-5, rtol=1e-5)


def test_class_token_is_the_first_place_of_the_whole_stack(layers: nn.ModuleList) -> None:
    expected = layers[1](layers[0](tokens(), None), None)[:, 0]
    torch.testing.assert_close(class_token(blocks(layers), tokens()), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(2, WIDTH), (3, 2, WIDTH)], ids=["shared", "per image"])
def test_guests_are_seen_and_leave_no_trace_in_the_output(layers: nn.ModuleList, shape: tuple[int, ...]) -> None:
    prompts = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    longer = torch.cat([tokens(), prompts.expand(3, -1, -1)], dim=1)
    expected = layers[0](longer, None)[:, :TOKENS]
    found = blocks(layers)[0](tokens(), prompts)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, layers[0](tokens(), None), atol=1e-2)


def test_guests_cost_less_than_tokens(layers: nn.ModuleList) -> None:
    block, prompts = blocks(layers)[0], torch.zeros(TOKENS, WIDTH)

    def cost(function: Callable[[], object]) -> int:
        with FlopCounterMode(display=False) as counter:
            function()
        return int(counter.get_total_flops())

    longer = torch.cat([tokens(), prompts.expand(3, -1, -1)], dim=1)
    assert cost(lambda: block(tokens(), prompts)) < 0.7 * cost(lambda: block(longer))


@pytest.mark.parametrize("length", [TOKENS, 40], ids=["products", "fused attention"])
def test_half_precision_stays_near_float32_in_features_and_gradients(layers: nn.ModuleList, length: int) -> None:
    block = blocks(layers)[0]
    inputs = tokens(length).requires_grad_()
    exact = block(inputs)
    toward = torch.randn(exact.shape, generator=torch.Generator().manual_seed(3))
    (slope,) = torch.autograd.grad((exact * toward).sum(), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = block(inputs)
    (found,) = torch.autograd.grad((narrow.float() * toward).sum(), inputs)
    assert not torch.equal(narrow, exact)
    for own, wanted in ((narrow, exact), (found, slope)):
        assert float((own - wanted).detach().norm() / wanted.detach().norm()) < 0.02


def halved(copies: NarrowCopies, layer: nn.Module, inputs: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return copies.linear(layer, inputs)


def linear() -> nn.Linear:
    layer = nn.Linear(4, 3)
    return layer.requires_grad_(False)


def plain(layer: nn.Module, inputs: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        output: Tensor = layer(inputs)
    return output


def write(layer: nn.Linear) -> None:
    layer.weight.mul_(2)


def swap(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(torch.ones(3, 4), requires_grad=False)


def point_elsewhere(layer: nn.Linear) -> None:
    layer.weight.data = torch.ones(3, 4)


def load(layer: nn.Linear) -> None:
    layer.load_state_dict({"weight": torch.ones(3, 4), "bias": torch.ones(3)})


@pytest.mark.parametrize("change", [write, swap, point_elsewhere, load])
def test_copies_follow_their_weights(change: Callable[[nn.Linear], None]) -> None:
    copies, layer, inputs = NarrowCopies(), linear(), torch.randn(2, 4)
    before = halved(copies, layer, inputs)
    assert torch.equal(before, plain(layer, inputs))
    change(layer)
    after = halved(copies, layer, inputs)
    assert torch.equal(after, plain(layer, inputs))
    assert not torch.equal(after, before)


def test_weights_are_converted_once() -> None:
    copies, layer = NarrowCopies(), linear()
    inputs = torch.randn(2, 4, requires_grad=True)
    halved(copies, layer, inputs)
    second = halved(copies, layer, inputs)
    # What the product keeps for its way back is the copy itself.
    kept = copies._copies[id(layer.weight)].value
    assert second.grad_fn is not None
    assert any(
        isinstance(value, Tensor) and value.data_ptr() == kept.data_ptr()
        for value in (getattr(second.grad_fn, name, None) for name in dir(second.grad_fn) if name.startswith("_saved"))
    )


def test_trained_weights_get_their_gradient_and_no_copy() -> None:
    copies, layer = NarrowCopies(), nn.Linear(4, 3)
    halved(copies, layer, torch.randn(2, 4)).sum().backward()
    assert layer.weight.grad is not None
    assert not copies._copies


def test_a_trained_bias_of_a_frozen_weight_gets_its_gradient() -> None:
    copies, layer = NarrowCopies(), linear()
    layer.bias.requires_grad_(True)
    halved(copies, layer, torch.randn(2, 4)).sum().backward()
    torch.testing.assert_close(layer.bias.grad, torch.full((3,), 2.0))


def test_hooks_of_a_layer_are_kept() -> None:
    copies, layer = NarrowCopies(), linear()
    layer.register_forward_hook(lambda module, inputs, output: output + 1)
    inputs = torch.randn(2, 4)
    assert torch.equal(halved(copies, layer, inputs), plain(layer, inputs))


def test_without_autocast_nothing_is_narrowed() -> None:
    copies, layer, inputs = NarrowCopies(), linear(), torch.randn(2, 4)
    assert torch.equal(copies.linear(layer, inputs), layer(inputs))
    assert torch.equal(copies.cast(inputs), inputs)
    assert not copies._copies
