"""A model sees a file alike in `predict`, in a pipeline and in training, or its card says where it can't."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import pipeline

from deft.adaptation.adapt import adapt
from deft.adaptation.model import AdaptedModel
from deft.data.image_spec import Margin
from deft.data.load import find_images, load_images
from deft.data.preprocessing import Preprocessing
from deft.detectors.label_match import LabelMatch
from deft.encoders.load import load_encoder
from deft.encoders.vision import load_vision_model
from deft.errors import SettingsError
from deft.training.optimization import Optimization

Folders = Callable[[str], Path]
FAST = Optimization(learning_rate=0.02, optimizer="adamw", precision="float32")


def scene(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((60, 50), Image.Resampling.BICUBIC))


def write(folder: Path, kind: str) -> Path:
    """Four scenes in a folder, in one of the forms that people have."""
    folder.mkdir()
    for seed in range(4):
        image = Image.fromarray(scene(seed))
        alpha = Image.fromarray(np.where(np.arange(60) < 40, 255, 0).astype(np.uint8)[None].repeat(50, axis=0))
        match kind:
            case "transparent":
                image.putalpha(alpha)
            case "grey and alpha":
                image = image.convert("L")
                image.putalpha(alpha)
            case "16 bits":
                image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
            case "palette":
                image = image.convert("P", palette=Image.Palette.ADAPTIVE)
                image.info["transparency"] = 7
            case "1 bit":
                image = image.convert("1")
        image.save(folder / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def saved(backbone_folder: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned from 8-bit pictures."""
    pixels = np.stack([scene(seed) for seed in range(8)])
    model = adapt(
        backbone_folder("vit"),
        load_images(pixels, labels=["cat", "dog"] * 4),
        epochs=1,
        optimization=FAST,
        batch_size=4,
    )
    folder = tmp_path_factory.mktemp("models") / "model"
    model.save(folder)
    return folder


@pytest.mark.parametrize("kind", ["opaque", "transparent", "grey and alpha", "16 bits", "palette", "1 bit"])
def test_predict_and_pipeline_agree(saved: Path, tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path / "new", kind)
    table = AdaptedModel.load(saved, device="cpu").predict(find_images(folder))
    run: Any = pipeline("image-classification", str(saved), device="cpu")
    for row in table.to_dict("records"):
        told = {one["label"]: one["score"] for one in run(str(folder / row["file_name"]))}
        ours = dict(zip(row["topk_labels"], row["topk_probs"], strict=True))
        assert ours == pytest.approx(told, abs=0.01)
    cut_off = table["image_note"].fillna("").str.contains("values above 255 cut off")
    assert cut_off.all() if kind == "16 bits" else not cut_off.any()


def test_a_model_that_learned_from_deep_pictures_scales_them_as_then(backbone_folder: Folders, tmp_path: Path) -> None:
    deep = np.stack([np.asarray(Image.fromarray(scene(seed)).convert("L")).astype(np.uint16) * 16 for seed in range(8)])
    images = load_images(deep, labels=["cat", "dog"] * 4)
    model = adapt(backbone_folder("vit"), images, epochs=1, optimization=FAST, batch_size=4)
    model.save(tmp_path / "model")
    again = AdaptedModel.load(tmp_path / "model", device="cpu")
    dim = load_images((deep[:2] // 3).astype(np.uint16), labels=["cat", "dog"])
    plain = load_images(np.rint(deep[:2] // 3 * (255 / 4095)).astype(np.uint8), labels=["cat", "dog"])
    found, expected = (again.predict(part)["predicted_prob"].to_numpy() for part in (dim, plain))
    np.testing.assert_allclose(found, expected, atol=0.01)
    stored = json.loads((tmp_path / "model" / "training.json").read_text())
    assert stored["info"]["pixels"]["ranges"] == {"16 bits": [0.0, 4095.0]}
    assert "16 bits: 0 is black, 4095 is white" in (tmp_path / "model" / "README.md").read_text()


def test_the_card_says_for_which_files_a_pipeline_differs(saved: Path) -> None:
    card = (saved / "README.md").read_text()
    assert "more than 8 bits a channel: a pipeline takes every value above 255 as white" in card
    assert "drawings in the transparency alone" in card


OTHERWISE = Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), fit="squash", interpolation="bilinear")


def test_a_backbone_of_the_hub_keeps_how_photos_become_pixels(backbone_folder: Folders, tmp_path: Path) -> None:
    backbone = load_vision_model(backbone_folder("vit"), device="cpu")
    own = backbone.spec
    images = load_images(np.stack([scene(seed) for seed in range(4)]), labels=["cat", "dog"] * 2)
    model = adapt(OTHERWISE.on(backbone), images, epochs=1, optimization=FAST, batch_size=4)
    assert model.predictor.spec == OTHERWISE.of(own)
    assert backbone.spec == own != model.predictor.spec
    assert model.training_record["preprocessing"]["fit"] == "squash"
    model.save(tmp_path / "model")
    loaded = AdaptedModel.load(tmp_path / "model", device="cpu").predictor.spec
    assert (loaded.fit, loaded.interpolation, loaded.size) == ("squash", "bilinear", own.size)
    assert (*loaded.mean, *loaded.std) == pytest.approx((0.4, 0.5, 0.6, 0.2, 0.25, 0.3), abs=1e-5)
    photos = write(tmp_path / "new", "opaque")
    run: Any = pipeline("image-classification", str(tmp_path / "model"), device="cpu")
    for row in model.predict(find_images(photos)).to_dict("records"):
        told = {one["label"]: one["score"] for one in run(str(photos / row["file_name"]))}
        assert dict(zip(row["topk_labels"], row["topk_probs"], strict=True)) == pytest.approx(told, abs=0.01)


def test_the_bundled_model_keeps_how_photos_become_pixels(tmp_path: Path) -> None:
    encoder = load_encoder("tiny", device="cpu")
    own = encoder.spec
    images = load_images(np.stack([scene(seed) for seed in range(4)]), labels=["cat", "dog"] * 2)
    squashed = Preprocessing(fit="squash")
    some = {"tuning": "frozen", "head": "text", "epochs": 1, "batch_size": 4, "optimization": FAST}
    model = adapt(squashed.on(encoder), images, **some)  # type: ignore[arg-type]
    assert encoder.spec == own
    model.save(tmp_path / "model")
    loaded = AdaptedModel.load(tmp_path / "model", device="cpu")
    assert loaded.predictor.spec == squashed.of(own) != own
    photos = find_images(write(tmp_path / "new", "opaque"))
    answers, again = (np.array(one.predict(photos)["topk_probs"].tolist()) for one in (model, loaded))
    assert np.array_equal(answers, again)
    plain = adapt(encoder, images, **some)  # type: ignore[arg-type]
    assert "preprocessing" not in plain.training_record
    assert not np.allclose(answers, plain.predict(photos)["topk_probs"].tolist())
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / "config.json").read_text() == (tmp_path / "model" / "config.json").read_text()


def test_a_margin_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(SettingsError, match="A margin is for experiments"):
        Preprocessing(margin=Margin(256)).on(load_encoder("tiny", device="cpu"))


def test_a_detector_refuses_a_model_that_sees_photos_in_another_way() -> None:
    images = load_images(np.stack([scene(seed) for seed in range(4)]), labels=["cat", "dog"] * 2)
    detector = LabelMatch(Preprocessing(fit="squash").on(load_encoder("tiny", device="cpu")))
    with pytest.raises(SettingsError, match="Preprocessing is for adapt"):
        detector.detect(images)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"std": (0.2, 0.0, 0.2)}, "std is divided by, and must be above 0"),
        ({"mean": (0.5, float("nan"), 0.5)}, "mean is three numbers"),
        ({"mean": (0.5,)}, "mean must be 3 numbers"),
        ({"mean": "0.5"}, "mean must be 3 numbers"),
        ({"fit": "stretch"}, "has no fit 'stretch'. Known: crop, squash"),
        ({"interpolation": "nearest"}, "has no interpolation 'nearest'. Known: bicubic, bilinear"),
    ],
)
def test_what_cannot_be_a_preprocessing_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Preprocessing(**given)
