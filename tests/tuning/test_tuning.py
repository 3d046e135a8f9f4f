"""Every tuning: attaches, trains, comes off without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import ModelError, SettingsError
from deft.tuning import (
    TUNINGS,
    VPT,
    Adapter,
    Bias,
    Frozen,
    Full,
    Layers,
    LoRA,
    Tuning,
    tuning_from_settings,
)

EVERY = [
    VPT(length=3),
    VPT(length=3, depth="shallow"),
    VPT(length=3, layers=1),
    LoRA(rank=2),
    Adapter(width=4),
    Bias(),
    Full(),
    Layers(),
    Frozen(),
]
TRAINABLE = EVERY[:-1]
MODELS = ["clip_folder", "siglip_folder", "tiny"]


@pytest.fixture(params=MODELS)
def encoder(request: pytest.FixtureRequest) -> DualEncoder:
    name = "tiny" if request.param == "tiny" else request.getfixturevalue(request.param)
    return load_encoder(name, device="cpu")


def pixels(encoder: DualEncoder) -> torch.Tensor:
    side = encoder.spec.size
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def step(encoder: DualEncoder, weights: list[torch.nn.Parameter]) -> None:
    """One step that moves the features of two images apart."""
    features = encoder.encode_images(pixels(encoder))
    (features[0] @ features[1]).backward()
    torch.optim.SGD(weights, lr=1.0).step()


def test_every_tuning_is_tried() -> None:
    assert {type(tuning).__name__ for tuning in EVERY} == set(TUNINGS)


@pytest.mark.parametrize("tuning", EVERY, ids=str)
def test_attach_train_detach_leaves_the_encoder_bit_identical(encoder: DualEncoder, tuning: Tuning) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        features = encoder.encode_images(pixels(encoder))
    with tuning.attach(encoder, seed=0) as attachment:
        weights = list(attachment.parameters())
        if weights:
            step(encoder, weights)
    after = encoder.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(weight.requires_grad for weight in encoder.parameters())
    with torch.no_grad():
        assert torch.equal(encoder.encode_images(pixels(encoder)), features)


@pytest.mark.parametrize("tuning", TRAINABLE, ids=str)
def test_training_changes_the_features_and_only_its_own_weights(encoder: DualEncoder, tuning: Tuning) -> None:
    with tuning.attach(encoder, seed=0) as attachment:
        own = {id(weight) for weight in attachment.parameters()}
        trainable = {id(weight) for weight in encoder.parameters() if weight.requires_grad}
        assert trainable <= own
        with torch.no_grad():
            start = encoder.encode_images(pixels(encoder))
        step(encoder, list(attachment.parameters()))
        with torch.no_grad():
            assert not torch.allclose(encoder.encode_images(pixels(encoder)), start, atol=1e-6)


@pytest.mark.parametrize("tuning", TRAINABLE, ids=str)
def test_state_round_trip_gives_the_same_features(encoder: DualEncoder, tuning: Tuning) -> None:
    with tuning.attach(encoder, seed=0) as attachment:
        step(encoder, list(attachment.parameters()))
        state = {name: value.clone() for name, value in attachment.state_dict().items()}
        with torch.no_grad():
            trained = encoder.encode_images(pixels(encoder))
    with tuning.attach(encoder, seed=1) as attachment, torch.no_grad():
        attachment.load_state_dict(state)
        assert torch.equal(encoder.encode_images(pixels(encoder)), trained)


@pytest.mark.parametrize("tuning", [LoRA(rank=2), Adapter(width=4), Bias(), Full(), Layers()], ids=str)
def test_these_start_as_the_untuned_model(encoder: DualEncoder, tuning: Tuning) -> None:
    with torch.no_grad():
        plain = encoder.encode_images(pixels(encoder))
        with tuning.attach(encoder, seed=0):
            torch.testing.assert_close(encoder.encode_images(pixels(encoder)), plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("tuning", EVERY, ids=str)
def test_the_seed_decides_and_the_global_generator_is_left_alone(encoder: DualEncoder, tuning: Tuning) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with tuning.attach(encoder, seed=0) as attachment:
        first = {name: value.clone() for name, value in attachment.state_dict().items()}
    assert torch.equal(torch.rand(3), expected)
    with tuning.attach(encoder, seed=0) as attachment:
        assert all(torch.equal(value, first[name]) for name, value in attachment.state_dict().items())


def test_visual_prompts_are_drawn_as_in_the_authors_code(clip_folder: Path) -> None:
    encoder = load_encoder(clip_folder, device="cpu")
    assert encoder.patch_size == 8
    with VPT(length=200).attach(encoder, seed=0) as attachment:
        prompts = attachment.weights["prompts"]
        assert prompts.shape == (2, 200, 32)
        assert float(prompts.detach().abs().max()) == pytest.approx((6 / (3 * 8 * 8 + 32)) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("tuning", EVERY, ids=str)
def test_settings_round_trip(tuning: Tuning) -> None:
    assert tuning_from_settings(tuning.settings()) == tuning


def test_wrong_settings_are_named() -> None:
    with pytest.raises(SettingsError, match="at least one prompt token, not 0"):
        VPT(length=0)
    with pytest.raises(SettingsError, match="at least one layer, not 0"):
        VPT(layers=0)
    with pytest.raises(SettingsError, match="Unknown depth 'both'"):
        VPT(depth="both")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="rank of at least 1"):
        LoRA(rank=0)
    with pytest.raises(SettingsError, match="width of at least 1"):
        Adapter(width=0)
    with pytest.raises(SettingsError, match="Unknown tuning 'Magic'"):
        tuning_from_settings({"type": "Magic"})


def test_layers_trains_the_layers_alone_as_the_authors_do(encoder: DualEncoder) -> None:
    inside = {id(weight) for weight in encoder.layers.parameters()}
    with Layers().attach(encoder, seed=0):
        assert {id(weight) for weight in encoder.parameters() if weight.requires_grad} == inside


@pytest.mark.parametrize("tuning", [LoRA(rank=2), Bias(), Full(), Layers(), Frozen()], ids=str)
def test_what_is_merged_stays_in_the_encoders_own_weights(encoder: DualEncoder, tuning: Tuning) -> None:
    before = set(encoder.state_dict())
    attachment = tuning.attach(encoder, seed=0)
    if weights := list(attachment.parameters()):
        step(encoder, weights)
    with torch.no_grad():
        trained = encoder.encode_images(pixels(encoder))
        attachment.merge()
        attachment.detach()
        merged = encoder.encode_images(pixels(encoder))
    assert set(encoder.state_dict()) == before
    torch.testing.assert_close(merged, trained, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("tuning", [VPT(length=3), Adapter(width=4)], ids=str)
def test_what_lies_beside_the_weights_can_not_be_merged(clip_folder: Path, tuning: Tuning) -> None:
    encoder = load_encoder(clip_folder, device="cpu")
    with tuning.attach(encoder, seed=0) as attachment, pytest.raises(ModelError, match="can't become part"):
        attachment.merge()
