"""Prompts: learned contexts and templates."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import SettingsError
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.prompts.templates import ENSEMBLE, PHOTO, class_features


@pytest.fixture(scope="module")
def encoder(clip_folder: Path) -> DualEncoder:
    return load_encoder(clip_folder, device="cpu")


def test_shared_contexts_as_in_the_paper(encoder: DualEncoder) -> None:
    prompts = DualPrompts(encoder.text, ["cat", "dog", "bird"], PromptSettings(length=16))
    assert prompts.positive.shape == prompts.negative.shape == (16, 32)
    assert float(prompts.positive.detach().std()) == pytest.approx(0.02, rel=0.15)
    positive, negative = prompts(encoder.text)
    assert positive.shape == negative.shape == (3, 24)
    torch.testing.assert_close(positive.norm(dim=1), torch.ones(3))


def test_class_specific_contexts(encoder: DualEncoder) -> None:
    prompts = DualPrompts(encoder.text, ["cat", "dog", "bird"], PromptSettings(length=4, class_specific=True))
    assert prompts.positive.shape == (3, 4, 32)


def test_a_class_specific_context_moves_its_own_class_only(encoder: DualEncoder) -> None:
    prompts = DualPrompts(encoder.text, ["cat", "dog", "bird"], PromptSettings(length=4, class_specific=True))
    before = prompts(encoder.text)[0]
    with torch.no_grad():
        prompts.positive[1] += 1
    after = prompts(encoder.text)[0]
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert moved == [False, True, False]


def test_the_seed_draws_the_contexts(encoder: DualEncoder) -> None:
    first, again, other = (DualPrompts(encoder.text, ["cat", "dog"], seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.positive, again.positive)
    assert not torch.equal(first.positive, other.positive)
    assert not torch.equal(first.positive, first.negative)


def test_wrong_settings_are_named(encoder: DualEncoder) -> None:
    with pytest.raises(SettingsError, match="at least one context vector"):
        PromptSettings(length=0)
    with pytest.raises(SettingsError, match="Known: end, middle, front"):
        PromptSettings(position="behind")  # type: ignore[arg-type]


def test_an_ensemble_is_the_mean_of_its_templates(encoder: DualEncoder) -> None:
    names = ["cat", "dog"]
    single = torch.stack([class_features(encoder, names, (template,)) for template in ENSEMBLE])
    expected = torch.nn.functional.normalize(single.mean(dim=0), dim=-1)
    torch.testing.assert_close(class_features(encoder, names, ENSEMBLE), expected)
    torch.testing.assert_close(
        class_features(encoder, names), encoder.encode_texts([PHOTO[0].format(name) for name in names])
    )


@pytest.mark.parametrize("own", [False, True])
def test_some_classes_have_the_features_that_they_have_among_all(encoder: DualEncoder, own: bool) -> None:
    prompts = DualPrompts(encoder.text, ("cat", "big dog", "bird"), PromptSettings(length=4, class_specific=own))
    chosen = torch.tensor([2, 1])
    for part, everything in zip(prompts(encoder.text, chosen), prompts(encoder.text), strict=True):
        torch.testing.assert_close(part, everything[chosen], atol=1e-5, rtol=1e-5)
