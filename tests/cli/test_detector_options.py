"""Which options belong to which method, and the tunings by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from deft.cli.detector_options import Choice, advice, build_detector, build_tuning
from deft.errors import SettingsError
from deft.tuning import VPT, Adapter, Bias, Frozen, Full, Layers, LoRA


@pytest.mark.parametrize(
    ("choice", "tuning"),
    [
        (Choice(), VPT(length=20)),
        (Choice(tuning="vpt", length=5), VPT(length=5)),
        (Choice(tuning="vpt-shallow"), VPT(length=20, depth="shallow")),
        (Choice(tuning="lora"), LoRA()),
        (Choice(tuning="adapter"), Adapter()),
        (Choice(tuning="bias"), Bias()),
        (Choice(tuning="full"), Full()),
        (Choice(tuning="layers"), Layers()),
        (Choice(tuning="frozen"), Frozen()),
    ],
)
def test_a_tuning_by_name(choice: Choice, tuning: object) -> None:
    choice.check()
    assert build_tuning(choice) == tuning


@pytest.mark.parametrize(
    ("choice", "option"),
    [
        (Choice(method="deft", noise_rate=0.2), "--noise-rate"),
        (Choice(method="small-loss", for_real_noise=True), "--for-real-noise"),
        (Choice(method="small-loss", context=4), "--context"),
        (Choice(method="label-match", learning_rate=0.1), "--lr"),
        (Choice(method="label-match", tuning="frozen"), "--tuning"),
        (Choice(tuning="frozen", length=4), "--length"),
    ],
)
def test_options_that_would_do_nothing_are_refused(choice: Choice, option: str) -> None:
    with pytest.raises(SettingsError, match=option):
        choice.check()


def test_a_longer_warmup_leaves_that_of_the_negative_prompts(clip_folder: Path) -> None:
    from deft.detectors.deft import DeFT
    from deft.encoders.load import load_encoder

    encoder = load_encoder(clip_folder, device="cpu")
    longer = build_detector(Choice(warmup=5, class_specific=True), encoder)
    none = build_detector(Choice(warmup=0), encoder)
    assert isinstance(longer, DeFT)
    assert isinstance(none, DeFT)
    assert (longer.recipe.warmup, longer.recipe.dual_warmup) == (5, 1)
    assert longer.prompts.class_specific is True
    assert (none.recipe.warmup, none.recipe.dual_warmup) == (0, 0)


@pytest.mark.parametrize(
    ("choice", "model", "said"),
    [
        (Choice(), "tiny", True),
        (Choice(), "openai/clip-vit-base-patch16", False),
        (Choice(for_weak_model=True), "tiny", False),
        (Choice(verdict="posterior"), "tiny", False),
        (Choice(method="label-match"), "tiny", False),
    ],
)
def test_the_weak_model_is_told_its_settings(choice: Choice, model: str, said: bool) -> None:
    assert ("--for-weak-model" in (advice(choice, model) or "")) == said


def test_the_verdict_is_changed_in_any_preset(clip_folder: Path) -> None:
    from deft.detectors.deft import DeFT
    from deft.encoders.load import load_encoder

    encoder = load_encoder(clip_folder, device="cpu")
    found = {}
    for choice in (
        Choice(),
        Choice(verdict="posterior"),
        Choice(for_real_noise=True, verdict="posterior"),
        Choice(for_weak_model=True),
        Choice(for_weak_model=True, verdict="negative"),
    ):
        detector = build_detector(choice, encoder)
        assert isinstance(detector, DeFT)
        found[choice] = detector.recipe.verdict
    assert list(found.values()) == ["negative", "posterior", "posterior", "posterior", "negative"]
