"""The short text path equals the plain one, in features and in gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.encoders.prompt_plan import PromptPlan, split_name
from deft.encoders.text import NamePosition
from deft.errors import ModelError

NAMES = ["cat", "a very long name of a bird", "truck 9", "ship", "x"]


@pytest.fixture(scope="module")
def clip(clip_folder: Path) -> DualEncoder:
    return load_encoder(clip_folder, device="cpu")


@pytest.fixture(scope="module")
def siglip(siglip_folder: Path) -> DualEncoder:
    return load_encoder(siglip_folder, device="cpu")


def plain_clip(encoder: DualEncoder, plan: PromptPlan, context: Tensor) -> Tensor:
    """Every prompt at full length through every layer, as CLIP's own code does it."""
    model: Any = encoder.text.model
    text = model.text_model
    length = encoder.text.max_length
    mask = torch.full((length, length), float("-inf")).triu(1)[None, None]
    sets = []
    for vectors in context:
        features = []
        for k, slots in enumerate(plan.prompts):
            own = vectors if vectors.ndim == 2 else vectors[k]
            rows = [own[-s - 1] if s < 0 else text.embeddings.token_embedding.weight[s] for s in slots]
            rows += [text.embeddings.token_embedding.weight[1]] * (length - len(slots))
            hidden = (torch.stack(rows) + text.embeddings.position_embedding.weight)[None]
            for layer in text.encoder.layers:
                hidden = layer(hidden, mask)
            features.append(model.text_projection(text.final_layer_norm(hidden[0, len(slots) - 1])))
        sets.append(F.normalize(torch.stack(features), dim=-1))
    return torch.stack(sets)


def gradient(features: Tensor, context: Tensor) -> Tensor:
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(5))
    return torch.autograd.grad((features * weights).sum(), context)[0]


@pytest.mark.parametrize("position", get_args(NamePosition))
@pytest.mark.parametrize("class_specific", [False, True])
def test_shared_prefix_equals_plain_encoding(clip: DualEncoder, position: NamePosition, class_specific: bool) -> None:
    plan = clip.text.plan_prompts(NAMES, length=6, position=position, shared=not class_specific)
    shape = (2, len(NAMES), 6, clip.text.width) if class_specific else (2, 6, clip.text.width)
    context = torch.randn(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
    short, plain = clip.text.encode_plan(plan, context), plain_clip(clip, plan, context)
    torch.testing.assert_close(short, plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient(short, context), gradient(plain, context), atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=6),
    context=st.integers(0, 5),
    data=st.data(),
)
def test_any_set_of_prompts_equals_plain_encoding(
    clip: DualEncoder, lengths: list[int], context: int, data: st.DataObject
) -> None:
    names = [data.draw(st.lists(st.integers(5, 60), min_size=n, max_size=n)) for n in lengths]
    prompts = [split_name(n, [6], start=(3,), end=4, length=context, position="end") for n in names]
    plan = PromptPlan(tuple(prompts))
    vectors = torch.randn(1, context, clip.text.width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        short, plain = clip.text.encode_plan(plan, vectors), plain_clip(clip, plan, vectors)
    torch.testing.assert_close(short, plain, atol=1e-5, rtol=0)


def test_only_the_name_and_what_follows_is_computed_per_class(clip: DualEncoder) -> None:
    plan = clip.text.plan_prompts(["cat", "dog"], length=16)
    assert plan.prefix_length == 17
    assert plan.own_lengths == (3, 3)  # name, full stop, end


def test_class_specific_contexts_are_not_shared(clip: DualEncoder) -> None:
    plan = clip.text.plan_prompts(["cat", "dog"], length=4, shared=False)
    assert plan.prefix_length == 1


def test_in_half_precision_features_and_gradients_stay_near_float32(clip: DualEncoder) -> None:
    plan = clip.text.plan_prompts(NAMES, length=6)
    context = torch.randn(2, 6, clip.text.width, generator=torch.Generator().manual_seed(1)).requires_grad_()
    exact = clip.text.encode_plan(plan, context)
    slope = gradient(exact, context)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = clip.text.encode_plan(plan, context)
    assert narrow.dtype == torch.float32
    assert not torch.equal(narrow, exact)
    for own, wanted in ((narrow, exact), (gradient(narrow, context), slope)):
        assert (own - wanted).norm() < 0.02 * wanted.norm()


def test_one_prompt_alone(clip: DualEncoder) -> None:
    alone = clip.encode_texts(["a photo of a cat."])
    among = clip.encode_texts(["a photo of a cat.", "dog"])
    torch.testing.assert_close(alone[0], among[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("folder", ["clip_folder", "siglip_folder", "siglip2_folder"])
def test_features_equal_those_of_transformers(folder: str, request: pytest.FixtureRequest) -> None:
    from transformers import AutoModel

    path = request.getfixturevalue(folder)
    encoder, model = load_encoder(path, device="cpu"), AutoModel.from_pretrained(path).eval()
    texts = ["a photo of a cat.", "dog"]
    rows = [[*encoder.text.start, *encoder.text.tokenize(text), encoder.text.end] for text in texts]
    ids = torch.tensor([row + [1] * (encoder.text.max_length - len(row)) for row in rows])
    with torch.no_grad():
        expected = F.normalize(model.get_text_features(input_ids=ids).pooler_output, dim=-1)
        torch.testing.assert_close(encoder.encode_texts(texts), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("folder", ["clip_folder", "siglip_folder"])
def test_image_features_equal_those_of_transformers(folder: str, request: pytest.FixtureRequest) -> None:
    from transformers import AutoModel

    path = request.getfixturevalue(folder)
    encoder, model = load_encoder(path, device="cpu"), AutoModel.from_pretrained(path).eval()
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
        torch.testing.assert_close(encoder.encode_images(pixels), expected, atol=1e-5, rtol=0)


def test_image_features_of_siglip2_equal_those_of_transformers(siglip2_folder: Path) -> None:
    from transformers import AutoModel
    from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches

    encoder = load_encoder(siglip2_folder, device="cpu")
    model = AutoModel.from_pretrained(siglip2_folder).eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    patches = torch.stack([torch.from_numpy(convert_image_to_patches(image.numpy(), 8)) for image in pixels])
    shapes = torch.tensor([[4, 4], [4, 4]])
    mask = torch.ones(2, 16, dtype=torch.int64)
    with torch.no_grad():
        found = model.get_image_features(
            pixel_values=patches, pixel_attention_mask=mask, spatial_shapes=shapes
        ).pooler_output
        torch.testing.assert_close(encoder.encode_images(pixels), F.normalize(found, dim=-1), atol=1e-5, rtol=0)


def test_siglip_learns_through_its_prompts(siglip: DualEncoder) -> None:
    plan = siglip.text.plan_prompts(NAMES, length=4)
    context = torch.randn(2, 4, siglip.text.width, generator=torch.Generator().manual_seed(1)).requires_grad_()
    features = siglip.text.encode_plan(plan, context)
    assert features.shape == (2, len(NAMES), 32)
    assert float(gradient(features, context).abs().max()) > 1e-4


def test_a_name_that_does_not_fit_is_refused(clip: DualEncoder) -> None:
    with pytest.raises(ModelError, match="holds 40"):
        clip.text.plan_prompts(["bird " * 40], length=16)
