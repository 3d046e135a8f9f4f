"""The bundled model: its files, its contract with the tunings, and what it can see."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor
from torch.nn import functional as F

from deft.encoders.efficientnet_lite import LATE, TRUNK_CHANNELS, SameConv, through
from deft.encoders.hybrid import HybridConfig, HybridEncoder, load_hybrid
from deft.encoders.load import TINY
from deft.errors import ModelError

# Strongest mean channels of the published network on a ramp, by tests/reference/hybrid_trunk.py: after the blocks that
# photos and small pictures have in common, and at its end.
COMMON = ((10, 60, 75, 77, 86, 112, 141, 146), (5.4556, 5.2841, -6.5055, 9.8171, 5.5053, -5.3055, -5.6485, -5.3525))
LAST = ((113, 455, 689, 747, 897, 930, 1226, 1277), (4.267, 1.7029, 1.7052, 2.2195, 3.8513, 3.3816, 1.9671, 2.466))
DIGITS_FLOOR = 0.6  # chance is 0.1
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="module")
def tiny() -> HybridEncoder:
    return load_hybrid(TINY)


def pixels(count: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 192, 192, generator=torch.Generator().manual_seed(seed))


def digit_pixels(count: int) -> tuple[Tensor, Tensor]:
    digits = load_digits()
    grey = torch.from_numpy(digits.images[:count] / 16).float().unsqueeze(1).expand(-1, 3, -1, -1)
    large = F.interpolate(grey, size=(192, 192), mode="bicubic", align_corners=False).clamp(0, 1)
    return (large - 0.498) / 0.502, torch.from_numpy(digits.target[:count].astype(np.int64))


def photos(through: int | None = None) -> Tensor:
    """Two photos, (2, 3, 192, 192), normalised: at full size, or as a camera of so few pixels shows them."""
    whole = [
        torch.from_numpy(photo[:, 100:527].copy()).permute(2, 0, 1).float() / 255
        for photo in load_sample_images().images
    ]
    pictures = torch.stack(whole)
    for side in (192,) if through is None else (through, 192):
        pictures = F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)
    return (pictures - 0.498) / 0.502


def test_files_are_at_most_16_megabytes() -> None:
    assert sum(file.stat().st_size for file in TINY.iterdir()) <= 16_000_000


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


def test_blocks_for_photos_agree_with_the_published_network(tiny: HybridEncoder) -> None:
    trunk = tiny.visual.trunk
    common = trunk.early(torch.linspace(-1, 1, 3 * 160 * 160).reshape(1, 3, 160, 160))
    last = F.relu6(trunk.head(through(trunk.blocks[LATE:], common)))
    for maps, (channels, means) in ((common, COMMON), (last, LAST)):
        # The file holds float16, hence the tolerance; in float32 they agree to 1e-3 (scripts/tiny/fold.py).
        torch.testing.assert_close(maps.mean((2, 3))[0, list(channels)], torch.tensor(means), atol=0.02, rtol=0.01)


def test_photos_are_told_from_small_pictures(tiny: HybridEncoder) -> None:
    trunk = tiny.visual.trunk
    assert trunk.looks_small(trunk.early(photos())).tolist() == [False, False]
    for side in (16, 32):
        assert trunk.looks_small(trunk.early(photos(side))).tolist() == [True, True]
    assert bool(trunk.looks_small(trunk.early(digit_pixels(100)[0])).all())


def test_each_picture_takes_the_blocks_of_its_kind(tiny: HybridEncoder) -> None:
    trunk = tiny.visual.trunk
    large, small = trunk.early(photos()), trunk.early(photos(32))
    mixed = torch.stack([small[0], large[0], large[1], small[1]])
    wanted = torch.stack([*through(trunk.small, small), *through(trunk.blocks[LATE:], large)])[[0, 2, 3, 1]]
    torch.testing.assert_close(trunk.late(mixed), wanted, rtol=1e-4, atol=1e-4)


def test_trunk_gives_a_grid_of_bounded_features(tiny: HybridEncoder) -> None:
    features = tiny.visual.trunk(pixels())
    assert features.shape == (2, TRUNK_CHANNELS, 6, 6)
    assert 0 <= features.min() < features.max() <= 6


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflows(kernel: int, stride: int) -> None:
    layer = SameConv(2, 3, kernel, stride)
    maps = torch.randn(1, 2, 8, 8)
    missing = max(kernel - stride, 0)
    padded = F.pad(maps, (missing // 2, missing - missing // 2) * 2)
    torch.testing.assert_close(layer(maps), F.conv2d(padded, layer.weight, layer.bias, stride))


def test_a_batch_that_no_part_divides_is_seen_alike_by_any_number_of_threads(tiny: HybridEncoder) -> None:
    """Of 36 images: after parts of 32 four would be left, of which another number of threads rounds otherwise."""
    batch, before = torch.cat([photos()] * 18), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(tiny.encode_images(batch))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_stem_gives_class_token_and_grid(tiny: HybridEncoder) -> None:
    assert tiny.stem(pixels()).shape == (2, 37, tiny.width)
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


def test_names_what_a_photo_shows(tiny: HybridEncoder) -> None:
    names = ("palace", "flower", "dog", "truck", "guitar", "fish", "bridge", "chair")
    texts = tiny.encode_texts([f"a photo of a {name}." for name in names])
    assert (tiny.encode_images(photos()) @ texts.T).argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize("pair", [("cat", "kitten"), ("dog", "puppy"), ("sofa", "couch"), ("car", "automobile")])
def test_words_lie_near_their_kin(tiny: HybridEncoder, pair: tuple[str, str]) -> None:
    one, other, far = tiny.encode_texts([f"a photo of a {name}." for name in (*pair, "apple")])
    assert float(one @ other) > 0.6
    assert abs(float(one @ far)) < 0.3


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
