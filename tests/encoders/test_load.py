"""Encoders come from a name, and what goes wrong is said in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub.errors import RemoteEntryNotFoundError

from deft.encoders.load import load_encoder
from deft.encoders.vision import load_vision_model
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


def in_cache(cache: Path, name: str, folder: Path) -> None:
    """Lay a model into a cache of the hub, as if it had been fetched."""
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / "abc123")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc123", encoding="utf-8")


LOAD = """
import sys
from deft.encoders.load import load_encoder
one, other = (load_encoder(name, device="cpu") for name in sys.argv[1:])
assert one.encode_texts(["a cat"]).equal(other.encode_texts(["a cat"]))
print(one.name, other.name)
"""


def test_an_id_as_open_clip_writes_it_is_that_of_the_hub(clip_folder: Path, tmp_path: Path) -> None:
    in_cache(tmp_path / "hub", "laion/toy", clip_folder)
    names = ["hf-hub:laion/toy", "laion/toy"]
    offline = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", LOAD, *names], env=offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["laion/toy", "laion/toy"]


def test_without_a_network_the_cache_answers_at_once(clip_folder: Path, tmp_path: Path) -> None:
    """The hub's client tries each file six times, those of its cache as well, and says so each time."""
    in_cache(tmp_path / "hub", "laion/toy", clip_folder)
    away = {"HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_ENDPOINT": "https://hub.invalid"}
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and "OFFLINE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, "laion/toy", "laion/toy"], env={**kept, **away}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Retrying" not in done.stderr


def test_a_folder_in_open_clips_own_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 512}}', encoding="utf-8")
    for load in (load_encoder, load_vision_model):
        with pytest.raises(ModelError, match=r"is in open_clip's own form \(open_clip_config\.json\).* laion/CLIP"):
            load(tmp_path)


@pytest.mark.parametrize("stored", [{}, {"model_type": "timm_wrapper"}])
def test_a_classifier_in_timms_own_form_is_named(tmp_path: Path, stored: dict[str, str]) -> None:
    config = {**stored, "architecture": "vit_base_patch16_224", "num_classes": 1000}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for load in (load_encoder, load_vision_model):
        with pytest.raises(ModelError, match=r"image classifier of timm \(vit_base_patch16_224\).*pip install timm"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (["open_clip_config.json", "open_clip_model.safetensors"], "is in open_clip's own form"),
        (["README.md"], "of the hub has no file config.json"),
    ],
)
def test_a_model_of_the_hub_without_a_configuration_is_not_called_unreachable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: list[str], said: str
) -> None:
    answer: Any = SimpleNamespace(headers={}, request=None)

    def fetch(name: str, file: str) -> str:
        if file not in there:
            raise RemoteEntryNotFoundError("no such file", response=answer)
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    with pytest.raises(ModelError, match=said):
        load_encoder("hf-hub:apple/toy")
