"""Image classification backbones: what their head reads, the pixels they want, and folders that pipelines load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor, AutoModelForImageClassification, ViTMAEModel, pipeline

from deft.classifiers.linear import seeded_linear
from deft.data.image_spec import Margin
from deft.data.load import load_images
from deft.encoders.vision import VisionModel, load_vision_model
from deft.errors import ModelError
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore

Folders = Callable[[str], Path]
WITH_HEAD = ["vit", "dinov2", "resnet", "convnext", "efficientnet", "siglip"]
WITHOUT_HEAD = ["vit-21k", "vit_mae", "clip"]


@pytest.fixture
def folders(backbone_folder: Folders, clip_folder: Path) -> Folders:
    return lambda family: clip_folder if family == "clip" else backbone_folder(family)


def pixels(model: VisionModel, count: int = 2) -> torch.Tensor:
    side = model.spec.size
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def photos(count: int = 4) -> list[Image.Image]:
    """Smooth images, so that two ways to resize differ little; of a shape whose resized sides are whole."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, size=(count, 5, 6, 3), dtype=np.uint8)
    return [Image.fromarray(one).resize((60, 40), Image.Resampling.BICUBIC) for one in small]


@pytest.mark.parametrize("family", WITH_HEAD)
def test_features_are_what_the_final_linear_layer_reads(folders: Folders, family: str) -> None:
    model = load_vision_model(folders(family), device="cpu")
    whole = AutoModelForImageClassification.from_pretrained(folders(family)).eval()
    head = model.head
    assert head is not None
    with torch.no_grad():
        features = model.features(pixels(model))
        assert features.shape == (2, model.width)
        torch.testing.assert_close(head(features), whole(pixels(model)).logits, atol=1e-5, rtol=1e-4)
    assert len(model.classes) == head.out_features == 7
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("family", WITHOUT_HEAD)
def test_a_checkpoint_without_a_head_has_features_and_no_head(folders: Folders, family: str) -> None:
    model = load_vision_model(folders(family), device="cpu")
    assert model.head is None
    assert model.classes == ()
    with torch.no_grad():
        assert model.features(pixels(model)).shape == (2, model.width)


def test_the_encoder_of_a_masked_autoencoder_is_a_vit_that_masks_nothing(folders: Folders) -> None:
    model = load_vision_model(folders("vit_mae"), device="cpu")
    source = ViTMAEModel.from_pretrained(folders("vit_mae")).eval()
    source.config.mask_ratio = 0.0
    grid = torch.arange(16.0).expand(2, -1)  # noise in rising order shuffles nothing
    with torch.no_grad():
        expected = source(pixels(model), noise=grid).last_hidden_state[:, 0]
        torch.testing.assert_close(model.features(pixels(model)), expected, atol=1e-5, rtol=1e-4)
    assert type(model.visual).__name__ == "ViTForImageClassification"


def test_loading_draws_nothing_from_the_global_generator(folders: Folders) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for family in WITHOUT_HEAD:
        load_vision_model(folders(family), device="cpu")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("family", [*WITH_HEAD, *WITHOUT_HEAD])
def test_normalisation_is_the_processors_own(folders: Folders, family: str) -> None:
    spec = load_vision_model(folders(family), device="cpu").spec
    processor = AutoImageProcessor.from_pretrained(folders(family))
    assert spec.size == 32
    for shade in (0, 90, 255):
        image = np.full((40, 40, 3), shade, np.uint8)
        theirs = processor(images=image, input_data_format="channels_last", return_tensors="np")["pixel_values"]
        ours = (shade / 255 - np.array(spec.mean)) / np.array(spec.std)
        np.testing.assert_allclose(ours, theirs[0, :, 16, 16], atol=1e-4)


def test_a_margin_is_never_lost_in_a_saved_folder(folders: Folders, tmp_path: Path) -> None:
    model = load_vision_model(folders(WITH_HEAD[0]), device="cpu")
    model.spec = replace(model.spec, margin=Margin(40))
    with pytest.raises(ModelError, match="margin"):
        model.save(tmp_path / "model", seeded_linear(model.width, 3, seed=0), ["cat", "dog", "bird"])
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("family", [*WITH_HEAD, *WITHOUT_HEAD])
def test_a_saved_folder_runs_in_a_pipeline_with_the_same_predictions(
    folders: Folders, family: str, tmp_path: Path
) -> None:
    model = load_vision_model(folders(family), device="cpu")
    head = seeded_linear(model.width, 3, seed=0)
    nn.init.normal_(head.weight, std=1.0, generator=torch.Generator().manual_seed(0))
    names = ["cat", "golden retriever", "hot dog"]
    model.save(tmp_path / "model", head, names)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    run = pipeline("image-classification", str(tmp_path / "model"), device="cpu")
    answers = [run(photo, top_k=3) for photo in photos()]
    images = load_images(photos(), labels=["cat", "cat", "dog", "dog"])
    with PixelStore.build(images, model.spec, None) as store, torch.no_grad():
        inputs = PixelLoader(store, model.spec, model.device).load(np.arange(4), None)
        probs = head(model.features(inputs)).softmax(dim=1)
    for answer, expected in zip(answers, probs, strict=True):
        told = {one["label"]: one["score"] for one in answer}
        np.testing.assert_allclose([told[name] for name in names], expected, atol=2e-2)


def test_saving_leaves_the_model_as_it_was(folders: Folders, tmp_path: Path) -> None:
    model = load_vision_model(folders("vit"), device="cpu")
    before = model.features(pixels(model))
    model.save(tmp_path, seeded_linear(model.width, 2, seed=0), ["a", "b"])
    assert torch.equal(model.features(pixels(model)), before)
    assert "classifier" not in " ".join(dict(model.named_parameters()))


@pytest.mark.parametrize(("family", "count"), [("vit", 2), ("clip", 2), ("siglip", 2), ("dinov2", 2)])
def test_transformers_have_layers(folders: Folders, family: str, count: int) -> None:
    assert len(load_vision_model(folders(family), device="cpu").layers) == count


@pytest.mark.parametrize("family", ["resnet", "convnext", "efficientnet"])
def test_convolutional_nets_have_none(folders: Folders, family: str) -> None:
    assert len(load_vision_model(folders(family), device="cpu").layers) == 0


def test_out_of_reach_is_one_sentence_that_names_the_ways_out() -> None:
    with pytest.raises(ModelError) as caught:
        load_vision_model("microsoft/resnet-50")
    message = str(caught.value)
    assert "microsoft/resnet-50" in message
    assert "Use the model 'tiny'" in message
    assert "local folder" in message
    assert "\n" not in message


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def test_no_preprocessor_takes_imagenets_values_and_says_so(folders: Folders, tmp_path: Path) -> None:
    folder = copied(folders("vit"), tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    model = load_vision_model(folder, device="cpu")
    assert model.spec.size == 32
    assert model.spec.mean == (0.485, 0.456, 0.406)
    assert "no preprocessor_config.json" in model.assumed[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": {"height": 32, "width": 40}}, "32 x 40.* square"),
        ({"size": {"height": 40, "width": 40}}, "can't read the 40 px images"),
        ({"image_processor_type": "Magic"}, "can't be used"),
    ],
)
def test_a_processor_that_does_not_fit(
    folders: Folders, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    folder = copied(folders("vit"), tmp_path / "model")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ModelError, match=message):
        load_vision_model(folder, device="cpu")


def test_two_heads_are_refused(folders: Folders) -> None:
    with pytest.raises(ModelError, match=r"one linear layer \(found: cls_classifier, distillation_classifier\)"):
        load_vision_model(folders("deit-distilled"), device="cpu")


def test_missing_weights_are_not_drawn_at_random(folders: Folders, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(folders("vit"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    name = next(key for key in weights if "layernorm_before.weight" in key)
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="1 are missing, such as"):
        load_vision_model(folder, device="cpu")


@pytest.mark.parametrize(
    ("config", "message"),
    [({"model_type": "bert"}, "no image classifier"), ({"model_type": "deft-hybrid"}, "deft's own")],
)
def test_models_of_another_kind(tmp_path: Path, config: dict[str, str], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        load_vision_model(tmp_path)


def test_tiny_is_loaded_elsewhere() -> None:
    with pytest.raises(ModelError, match="load_encoder"):
        load_vision_model("tiny")
