"""Encoders come from a name, and what goes wrong is said in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from deft.encoders.load import load_encoder
from deft.errors import ModelError, SettingsError


def test_encoders_arrive_frozen_in_float32_and_evaluation_mode(clip_folder: Path) -> None:
    encoder = load_encoder(clip_folder)
    assert not encoder.training
    assert not any(weight.requires_grad for weight in encoder.parameters())
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}


def test_pixels_follow_the_checkpoints_own_preprocessor(clip_folder: Path, siglip_folder: Path) -> None:
    clip, siglip = load_encoder(clip_folder).spec, load_encoder(siglip_folder).spec
    assert (clip.size, clip.fit, clip.interpolation, clip.mean) == (32, "crop", "bicubic", (0.48, 0.46, 0.41))
    assert (siglip.size, siglip.fit, siglip.interpolation) == (32, "squash", "bilinear")


def test_a_model_out_of_reach_is_one_sentence_that_names_the_ways_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModelError) as caught:
        load_encoder("openai/clip-vit-base-patch16")
    message = str(caught.value)
    assert "openai/clip-vit-base-patch16" in message
    assert "tiny" in message
    assert "local folder" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["no such/model/at all", "../nowhere"])
def test_what_is_neither_folder_nor_id(name: str) -> None:
    with pytest.raises(ModelError, match="neither a local folder nor the id"):
        load_encoder(name)


def test_small_is_answered_with_where_its_figures_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"no model 'small'.*docs/tiny-model\.md.*'tiny'"):
        load_encoder("small")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    with pytest.raises(ModelError, match=r"without a config\.json"):  # a folder of that name is the user's own
        load_encoder("small")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"without a config\.json"):
        load_encoder(tmp_path)


def test_a_model_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="Known types: clip, siglip"):
        load_encoder(tmp_path)


def test_a_broken_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("not json")
    with pytest.raises(ModelError, match="not a model's configuration"):
        load_encoder(tmp_path)


def test_a_folder_whose_weights_are_missing(tmp_path: Path, clip_folder: Path) -> None:
    (tmp_path / "config.json").write_text((clip_folder / "config.json").read_text())
    with pytest.raises(ModelError, match="can't be read"):
        load_encoder(tmp_path)


def test_no_such_device(clip_folder: Path) -> None:
    with pytest.raises(SettingsError, match="no device 'abacus'"):
        load_encoder(clip_folder, device="abacus")
