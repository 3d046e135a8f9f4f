"""The bundled model: its files, its contract with the tunings, and what it can see."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from deft.encoders.efficientnet_lite import TRUNK_CHANNELS, SameConv
from deft.encoders.hybrid import HybridConfig, HybridEncoder, load_hybrid
from deft.encoders.load import TINY
from deft.errors import ModelError

# Strongest mean channels of the published network's first 11 blocks on a ramp, by tests/reference/hybrid_trunk.py.
EARLY = 11
CHANNELS = (4, 8, 12, 48, 70, 77, 96, 100)
PUBLISHED = (7.1493, -7.3325, 7.6332, 5.9434, 7.3502, 6.6536, -10.3852, -6.9819)
DIGITS_FLOOR = 0.4  # chance is 0.1
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="module")
def tiny() -> HybridEncoder:
    return load_hybrid(TINY)


def pixels(count: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 160, 160, generator=torch.Generator().manual_seed(seed))


def digit_pixels(count: int) -> tuple[Tensor, Tensor]:
    digits = load_digits()
    grey = torch.from_numpy(digits.images[:count] / 16).float().unsqueeze(1).expand(-1, 3, -1, -1)
    large = F.interpolate(grey, size=(160, 160), mode="bicubic", align_corners=False).clamp(0, 1)
    return (large - 0.498) / 0.502, torch.from_numpy(digits.target[:count].astype(np.int64))


def test_files_are_at_most_12_megabytes() -> None:
    assert sum(file.stat().st_size for file in TINY.iterdir()) <= 12_000_000


def test_end_token_is_not_the_legacy_mark() -> None:
    assert HybridConfig.read(TINY / "config.json").end_id != 2


def test_loads_frozen_in_float32(tiny: HybridEncoder) -> None:
    assert not tiny.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in tiny.parameters())


def test_features_have_length_one_and_repeat(tiny: HybridEncoder) -> None:
    images, texts = tiny.encode_images(pixels()), tiny.encode_texts(["a photo of a cat.", "seven"])
    assert images.shape == texts.shape == (2, 256)
    for features in (images, texts):
        torch.testing.assert_close(features.norm(dim=-1), torch.ones(2))
    torch.testing.assert_close(load_hybrid(TINY).encode_images(pixels()), images, rtol=0, atol=0)


def test_early_blocks_agree_with_the_published_network(tiny: HybridEncoder) -> None:
    trunk = tiny.visual.trunk
    maps = F.relu6(trunk.first(torch.linspace(-1, 1, 3 * 160 * 160).reshape(1, 3, 160, 160)))
    for block in trunk.blocks[:EARLY]:
        maps = block(maps)
    # The file holds float16, hence the tolerance; in float32 they agree to 1e-3 (scripts/tiny/fold.py).
    torch.testing.assert_close(maps.mean((2, 3))[0, list(CHANNELS)], torch.tensor(PUBLISHED), atol=0.02, rtol=0.01)


def test_trunk_gives_a_grid_of_bounded_features(tiny: HybridEncoder) -> None:
    features = tiny.visual.trunk(pixels())
    assert features.shape == (2, TRUNK_CHANNELS, 5, 5)
    assert 0 <= features.min() < features.max() <= 6


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflows(kernel: int, stride: int) -> None:
    layer = SameConv(2, 3, kernel, stride)
    maps = torch.randn(1, 2, 8, 8)
    missing = max(kernel - stride, 0)
    padded = F.pad(maps, (missing // 2, missing - missing // 2) * 2)
    torch.testing.assert_close(layer(maps), F.conv2d(padded, layer.weight, layer.bias, stride))


def test_stem_gives_class_token_and_grid(tiny: HybridEncoder) -> None:
    assert tiny.stem(pixels()).shape == (2, 26, tiny.width)
    assert len(tiny.layers) == tiny.config.depth


def test_tokens_appended_behind_the_sequence_pass_through(tiny: HybridEncoder) -> None:
    tokens = tiny.stem(pixels())
    prompts = torch.zeros(2, 4, tiny.width, requires_grad=True)
    longer = tiny.tower(torch.cat([tokens, prompts], dim=1))
    assert longer.shape == (2, 256)
    longer[:, 0].sum().backward()
    assert prompts.grad is not None
    assert bool(prompts.grad.abs().sum() > 0)


def test_reads_digits_it_never_saw(tiny: HybridEncoder) -> None:
    images, truth = digit_pixels(300)
    predicted = (tiny.encode_images(images) @ tiny.encode_texts(DIGITS).T).argmax(1)
    assert float((predicted == truth).float().mean()) > DIGITS_FLOOR


def test_words_lie_near_their_kin(tiny: HybridEncoder) -> None:
    dog, puppy, truck = tiny.encode_texts(["a photo of a dog.", "a photo of a puppy.", "a photo of a truck."])
    assert float(dog @ puppy) > float(dog @ truck)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_missing_file_is_named(tmp_path: Path, file: str) -> None:
    for source in TINY.iterdir():
        if source.is_file() and source.name != file:
            shutil.copy(source, tmp_path)
    with pytest.raises(ModelError, match=file):
        load_hybrid(tmp_path)


def test_config_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(ModelError, match="deft-hybrid"):
        HybridConfig.read(tmp_path / "config.json")


def test_config_with_an_unknown_size_is_refused(tmp_path: Path) -> None:
    settings = json.loads((TINY / "config.json").read_text()) | {"colour": 3}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="colour"):
        HybridConfig.read(tmp_path / "config.json")
