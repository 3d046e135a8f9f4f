"""Visual prompts as guests of the attention give what appending, replacing and dropping tokens gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from deft.encoders.base import DualEncoder
from deft.encoders.hybrid import HybridEncoder
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.tuning import VPT

LENGTH = 3
TOLERANCE = 1e-5


@dataclass
class Reference:
    """The image tower as its makers wrote it: whole layers, tokens appended, replaced and dropped between them."""

    layers: list[nn.Module]
    finish: Callable[[Tensor], Tensor]

    def __call__(self, tokens: Tensor, prompts: Tensor, first: int = 0) -> Tensor:
        """Unit features (B, D) with prompts (1 or number of layers, n, W) from layer `first` on."""
        for depth, layer in enumerate(self.layers):
            if first <= depth < first + len(prompts):
                kept = tokens if depth == first else tokens[:, :-LENGTH]
                tokens = torch.cat([kept, prompts[depth - first].expand(len(tokens), -1, -1)], dim=1)
            tokens = layer(tokens, None)
        return F.normalize(self.finish(tokens[:, :-LENGTH]), dim=-1)


def clip_reference(folder: Path) -> Reference:
    model: Any = AutoModel.from_pretrained(folder).eval()
    vision = model.vision_model
    return Reference(
        list(vision.encoder.layers), lambda tokens: model.visual_projection(vision.post_layernorm(tokens[:, 0]))
    )


def siglip_reference(folder: Path) -> Reference:
    vision: Any = AutoModel.from_pretrained(folder).eval().vision_model
    return Reference(list(vision.encoder.layers), lambda tokens: vision.head(vision.post_layernorm(tokens)))


def tiny_reference(encoder: HybridEncoder) -> Reference:
    vision, sizes = encoder.visual, encoder.config
    config = CLIPVisionConfig(
        hidden_size=sizes.width,
        intermediate_size=sizes.inner,
        num_attention_heads=sizes.heads,
        hidden_act="gelu",
        attn_implementation="eager",
    )
    layers = [CLIPEncoderLayer(config).eval() for _ in vision.layers]
    for layer, own in zip(layers, vision.layers, strict=True):
        layer.load_state_dict(own.state_dict())
    return Reference(layers, lambda tokens: vision.head(vision.norm(tokens[:, 0])))


@pytest.fixture(params=["clip", "siglip", "siglip2", "tiny"])
def pair(request: pytest.FixtureRequest) -> tuple[DualEncoder, Reference]:
    """An encoder of ours, and the same weights the old way."""
    if request.param == "tiny":
        encoder = load_encoder("tiny", device="cpu")
        assert isinstance(encoder, HybridEncoder)
        return encoder, tiny_reference(encoder)
    folder: Path = request.getfixturevalue(f"{request.param}_folder")
    make = clip_reference if request.param == "clip" else siglip_reference
    return load_encoder(folder, device="cpu"), make(folder)


def start(encoder: DualEncoder) -> Tensor:
    """Tokens that enter the first layer."""
    side = encoder.spec.size
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    return encoder.stem(pixels).detach().requires_grad_()


def assert_same(encoder: DualEncoder, reference: Reference, tuning: VPT) -> None:
    """Features, gradients of the prompts and gradients of the tokens, to 1e-5 of the largest."""
    with tuning.attach(encoder, seed=0) as attachment:
        prompts = attachment.weights["prompts"]
        tokens = start(encoder)
        with torch.no_grad():
            prompts.mul_(3.0).add_(tokens[0, -LENGTH:])  # strong, and enough like image tokens to be attended to
        found, expected = encoder.tower(tokens), reference(tokens, prompts, tuning.first_layer(len(encoder.layers)))
        torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)
        toward = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
        mine = torch.autograd.grad((found * toward).sum(), [prompts, tokens])
        theirs = torch.autograd.grad((expected * toward).sum(), [prompts, tokens])
    for own, other in zip(mine, theirs, strict=True):
        assert float(other.abs().max()) > 1e-4
        torch.testing.assert_close(own, other, atol=TOLERANCE * float(other.abs().max()), rtol=TOLERANCE)


@pytest.mark.parametrize("depth", ["deep", "shallow"])
def test_equals_appended_tokens(pair: tuple[DualEncoder, Reference], depth: Any) -> None:
    assert_same(*pair, VPT(length=LENGTH, depth=depth))


@pytest.mark.parametrize("depth", ["deep", "shallow"])
def test_equals_appended_tokens_with_a_single_layer(pair: tuple[DualEncoder, Reference], depth: Any) -> None:
    encoder, reference = pair
    del encoder.layers[1:]
    assert_same(encoder, Reference(reference.layers[:1], reference.finish), VPT(length=LENGTH, depth=depth))


@pytest.mark.parametrize("depth", ["deep", "shallow"])
def test_prompts_of_the_last_layer_equal_appended_tokens(pair: tuple[DualEncoder, Reference], depth: Any) -> None:
    assert_same(*pair, VPT(length=LENGTH, depth=depth, layers=1))


def test_what_enters_the_first_prompted_layer_is_all_that_the_rest_needs(pair: tuple[DualEncoder, Reference]) -> None:
    encoder, _ = pair
    side = encoder.spec.size
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    before = encoder.enter(pixels, 1)
    with VPT(length=LENGTH, layers=1).attach(encoder, seed=0) as attachment:
        assert attachment.weights["prompts"].shape == (1, LENGTH, encoder.width)
        assert torch.equal(encoder.enter(pixels, 1), before)
        found, expected = encoder.tower(before, 1), encoder.encode_images(pixels)
    assert torch.equal(found, expected)


def test_more_layers_than_there_are_have_no_place(pair: tuple[DualEncoder, Reference]) -> None:
    encoder, _ = pair
    many = len(encoder.layers) + 1
    with pytest.raises(SettingsError, match=f"prompts in {many} layers, and the image tower has {many - 1}"):
        VPT(length=LENGTH, layers=many).attach(encoder, seed=0)


def test_every_prompt_is_trained(pair: tuple[DualEncoder, Reference]) -> None:
    encoder, _ = pair
    with VPT(length=LENGTH).attach(encoder, seed=0) as attachment:
        prompts = attachment.weights["prompts"]
        assert prompts.shape == (len(encoder.layers), LENGTH, encoder.width)
        features = encoder.tower(start(encoder))
        (gradient,) = torch.autograd.grad((features[0] @ features[1]).sum(), prompts)
    assert bool((gradient.abs().amax(dim=2) > 0).all())


def test_an_encoder_can_be_copied_with_its_prompts_off(pair: tuple[DualEncoder, Reference]) -> None:
    encoder, _ = pair
    with torch.no_grad():
        expected = encoder.tower(start(encoder))
        with VPT(length=LENGTH).attach(encoder, seed=0):
            encoder.tower(start(encoder))
        torch.testing.assert_close(copy.deepcopy(encoder).tower(start(encoder)), expected)
