"""`adapt` from images to a classifier: every backbone, head and way to use what was found wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.heard import Heard
from transformers import pipeline

from deft.adaptation.adapt import adapt
from deft.adaptation.model import AdaptedModel
from deft.adaptation.predictors import Head
from deft.adaptation.presets import preset
from deft.adaptation.training_set import fix_labels
from deft.adaptation.validation import Validation, Watched
from deft.data.image_bytes import image_file
from deft.data.images import LabeledImages
from deft.encoders.load import load_encoder
from deft.encoders.vision import load_vision_model
from deft.errors import DataError, ModelError, SettingsError
from deft.methods.co_teaching import CoTeaching
from deft.methods.elr import ELR
from deft.methods.unicon import UNICON
from deft.runs.detection import Detection
from deft.training.optimization import Optimization
from deft.training.workspace import Workspace
from deft.tuning import VPT, Bias, Frozen, Full, Layers, LoRA, Tuning

Photos = Callable[..., LabeledImages]
Folders = Callable[[str], Path]
Noisy = tuple[LabeledImages, Detection]
FAST = Optimization(learning_rate=0.02, optimizer="adamw", precision="float32")


def learn(backbone: object, images: object, **settings: object) -> AdaptedModel:
    shared: dict[str, object] = {"epochs": 2, "optimization": FAST, "batch_size": 4}
    return adapt(backbone, images, **{**shared, **settings})  # type: ignore[arg-type]


def weights(model: AdaptedModel, folder: Path) -> dict[str, torch.Tensor]:
    model.save(folder)
    return dict(load_file(folder / "model.safetensors"))


@pytest.mark.parametrize("family", ["vit", "vit_mae", "resnet", "convnext", "clip"])
def test_a_saved_model_is_a_hub_folder_with_a_card(
    backbone_folder: Folders, clip_folder: Path, photos: Photos, tmp_path: Path, family: str
) -> None:
    images = photos()
    folder = clip_folder if family == "clip" else backbone_folder(family)
    model = learn(folder, images)
    model.save(tmp_path / "model")
    run = pipeline("image-classification", str(tmp_path / "model"), device="cpu")
    (tmp_path / "photo.png").write_bytes(image_file(images, 3))
    told = {one["label"]: one["score"] for one in run(str(tmp_path / "photo.png"))}
    ours = model.predict(images).iloc[3]
    assert sorted(told) == ["cat", "dog"]
    for name, prob in zip(ours["topk_labels"], ours["topk_probs"], strict=True):
        assert told[name] == pytest.approx(prob, abs=0.02)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "cat", "1": "dog"}
    card = (tmp_path / "model" / "README.md").read_text()
    assert "pipeline_tag: image-classification" in card
    assert "CE" in card
    again = AdaptedModel.load(tmp_path / "model", device="cpu").predict(images)
    assert repr(model) == f"AdaptedModel({model.training_record['backbone']!r}, 2 classes)"
    with pytest.raises(SettingsError, match=r"not 'new/': deft\.find_images\('new/'\)"):
        model.predict("new/")  # type: ignore[arg-type]
    np.testing.assert_allclose(again["predicted_prob"], model.predict(images)["predicted_prob"], atol=1e-5)


@pytest.mark.parametrize("head", ["random", "linear", "text", "prompts"])
@pytest.mark.parametrize("tuning", [Frozen(), Layers(), VPT(length=2)], ids=str)
def test_tiny_is_saved_in_a_form_of_its_own(photos: Photos, tmp_path: Path, head: Head, tuning: Tuning) -> None:
    images = photos(8)
    model = learn("tiny", images, tuning=tuning, head=head, epochs=1, optimization=None)
    model.save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "deft-classifier"
    assert "can't load it" in (tmp_path / "README.md").read_text()
    again = AdaptedModel.load(tmp_path, device="cpu")
    assert again.classes == model.classes
    np.testing.assert_array_equal(again.predict(images)["predicted_prob"], model.predict(images)["predicted_prob"])
    assert again.training_record == json.loads(json.dumps(model.training_record))


def test_it_learns_what_there_is_to_learn(photos: Photos) -> None:
    model = learn("tiny", photos(), tuning=Frozen(), epochs=8)
    fresh = photos(20, seed=1)
    outcome = model.evaluate(fresh)
    assert outcome.accuracy == 1.0
    assert outcome.confusion.to_numpy().tolist() == [[10, 0], [0, 10]]


@pytest.mark.parametrize("tuning", [Full(), Layers(), LoRA(rank=2), Bias(), Frozen()], ids=str)
def test_same_seed_same_weights(backbone_folder: Folders, photos: Photos, tmp_path: Path, tuning: Tuning) -> None:
    first, again, other = (
        weights(learn(backbone_folder("vit"), photos(8), tuning=tuning, seed=seed), tmp_path / str(number))
        for number, seed in enumerate((0, 0, 1))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


@pytest.mark.parametrize("method", [ELR(), CoTeaching(networks=2), UNICON()], ids=lambda one: type(one).__name__)
def test_other_methods_train_a_hub_backbone(backbone_folder: Folders, photos: Photos, method: object) -> None:
    model = learn(backbone_folder("resnet"), photos(), method=method, noise_rate=0.2, seed=3)
    assert np.isfinite(model.predict(photos())["predicted_prob"]).all()
    assert model.training_record["networks"] == (1 if isinstance(method, ELR) else 2)


def test_strong_views_of_kept_tokens_are_there_for_methods_that_draw_them(photos: Photos) -> None:
    model = learn("tiny", photos(8), tuning=Layers(), method=UNICON(), epochs=2)
    assert np.isfinite(model.predict(photos(8))["predicted_prob"]).all()


def stop_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of an epoch, counted from 0."""
    losses = Watched.losses

    def stopping(self, train, now):  # type: ignore[no-untyped-def]
        for step, loss in enumerate(losses(self, train, now)):
            if now == epoch and step == 1:
                raise KeyboardInterrupt
            yield loss

    monkeypatch.setattr(Watched, "losses", stopping)


@pytest.mark.parametrize("keep", ["last", "best"])
def test_resumed_equals_unbroken(
    backbone_folder: Folders, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    settings = {"epochs": 4, "validation": Validation(0.5, keep=keep), "method": ELR()}  # type: ignore[arg-type]
    unbroken = learn(backbone_folder("resnet"), photos(), **settings, workspace=Workspace(tmp_path / "a"))
    stop_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        learn(backbone_folder("resnet"), photos(), **settings, workspace=Workspace(tmp_path / "b"))
    monkeypatch.undo()
    resumed = learn(backbone_folder("resnet"), photos(), **settings, workspace=Workspace(tmp_path / "b", resume=True))
    assert resumed.training_record["validation"] == unbroken.training_record["validation"]
    first, second = weights(unbroken, tmp_path / "one"), weights(resumed, tmp_path / "two")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resuming_with_other_settings_is_refused(backbone_folder: Folders, photos: Photos, tmp_path: Path) -> None:
    learn(backbone_folder("resnet"), photos(), workspace=Workspace(tmp_path))
    with pytest.raises(DataError, match="other images, labels or settings"):
        learn(backbone_folder("resnet"), photos(), seed=1, workspace=Workspace(tmp_path, resume=True))


def test_validation_reports_last_and_best(backbone_folder: Folders, photos: Photos) -> None:
    notes = Heard()
    model = learn(backbone_folder("resnet"), photos(), epochs=3, validation=0.25, workspace=Workspace(progress=notes))
    report = model.training_record["validation"]
    assert report["images"] == 4
    assert report["last"] == report["per_epoch"][-1]
    assert report["best"] == max(report["per_epoch"])
    assert report["kept"] == "last"
    assert model.training_record["data"]["counts"]["trained on"] == 12
    assert sum("validation images right" in text for text in notes.notes) == 3


def test_the_best_weights_are_kept_if_asked(backbone_folder: Folders, photos: Photos) -> None:
    watch = photos(12, seed=5)
    # A rate this high ruins the weights again and again.
    wild = Optimization(learning_rate=0.5, optimizer="adamw", schedule="constant", precision="float32")
    settings = {"epochs": 6, "optimization": wild}
    best = learn(backbone_folder("resnet"), photos(), validation=Validation(watch, keep="best"), **settings)
    last = learn(backbone_folder("resnet"), photos(), validation=Validation(watch), **settings)
    assert best.training_record["validation"]["per_epoch"] == last.training_record["validation"]["per_epoch"]
    assert len(set(best.training_record["validation"]["per_epoch"])) > 1
    assert best.evaluate(watch).accuracy == pytest.approx(best.training_record["validation"]["best"], abs=1e-4)
    assert last.evaluate(watch).accuracy == pytest.approx(last.training_record["validation"]["last"], abs=1e-4)


def test_validation_images_of_another_class_are_refused(backbone_folder: Folders, photos: Photos) -> None:
    with pytest.raises(DataError, match=r"3 images have a class .*'bird' \(3 images\).*Expected: cat, dog"):
        learn(backbone_folder("resnet"), photos(), validation=photos(6, classes=("bird", "cat")))


def test_a_validation_class_without_images_is_no_matter(backbone_folder: Folders, photos: Photos) -> None:
    watch = photos(6, seed=1)
    wider = watch.relabel(watch.labels, ("cat", "dog", "bird"))
    model = learn(backbone_folder("resnet"), photos(), epochs=1, validation=wider)
    same = learn(backbone_folder("resnet"), photos(), epochs=1, validation=watch)
    assert model.training_record["validation"] == same.training_record["validation"]
    assert model.evaluate(wider).accuracy == model.evaluate(watch).accuracy


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_kept_features_are_computed_in_the_precision_that_was_asked_for(photos: Photos, precision: Any) -> None:
    """Whatever "auto" is on this machine, one of the two differs from it."""
    model, seen = load_encoder("tiny", device="cpu"), []
    stem = model.stem

    def spy(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)
        return stem(pixels)

    model.stem = spy  # type: ignore[method-assign]
    optimization = replace(FAST, precision=precision)
    learn(model, photos(8), tuning=Frozen(), epochs=1, optimization=optimization, validation=photos(4, seed=1))
    assert set(seen) == {getattr(torch, precision)}


@pytest.mark.parametrize(("how", "count"), [("drop", 13), ("relabel", 16), ("weigh", 16), ("mask", 16)])
def test_what_was_found_wrong_is_used_as_asked(
    backbone_folder: Folders, noisy: Noisy, tmp_path: Path, how: str, count: int
) -> None:
    images, found = noisy
    model = learn(backbone_folder("resnet"), fix_labels(found, images, how))  # type: ignore[arg-type]
    assert model.training_record["data"]["counts"]["trained on"] == count
    model.save(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert f"`--fix {how}`" in card
    assert "flagged: 3" in card
    assert model.training_record["method"]["type"] == ("WeightedCE" if how in ("weigh", "mask") else "CE")


def test_masked_labels_leave_their_images_in_the_batches(noisy: Noisy) -> None:
    images, found = noisy
    kept = fix_labels(found, images, "mask")
    assert kept.images is images
    assert kept.weights is not None
    assert kept.weights.tolist() == found.is_clean.astype(float).tolist()
    assert (kept.counts["kept"], kept.counts["dropped"]) == (13, 3)


def test_weights_go_with_cross_entropy_alone(backbone_folder: Folders, noisy: Noisy) -> None:
    images, found = noisy
    with pytest.raises(SettingsError, match="go with cross-entropy, not with ELR"):
        learn(backbone_folder("resnet"), fix_labels(found, images, "weigh"), method=ELR())


def test_a_head_for_other_classes_is_replaced_and_said_so(backbone_folder: Folders, photos: Photos) -> None:
    notes = Heard()
    learn(backbone_folder("vit"), photos(8), epochs=1, workspace=Workspace(progress=notes))
    assert any("made for 7 classes, is replaced by a new one for 2" in text for text in notes.notes)


def test_a_class_without_an_image_is_named(backbone_folder: Folders, photos: Photos) -> None:
    notes = Heard()
    images = photos(12, classes=("bird", "cat", "dog"))
    left = images.keep(images.labels != 1)
    model = learn(backbone_folder("vit"), left, epochs=1, workspace=Workspace(progress=notes))
    assert any(text.startswith("No image is left of cat;") for text in notes.notes)
    assert model.classes == ("bird", "cat", "dog")
    assert model.training_record["data"]["classes_without_images"] == ["cat"]


@pytest.mark.parametrize("size", [1, 15])
def test_batches_of_one(backbone_folder: Folders, photos: Photos, size: int) -> None:
    model = learn(backbone_folder("resnet"), photos(), batch_size=size, epochs=1)
    assert np.isfinite(model.predict(photos())["predicted_prob"]).all()


def test_more_classes_than_images(backbone_folder: Folders, photos: Photos) -> None:
    images = photos(6, classes=tuple("abcdefghi"))
    assert len(learn(backbone_folder("resnet"), images).predict(images, top=20)["topk_labels"][0]) == 9


def test_nothing_left(backbone_folder: Folders, photos: Photos) -> None:
    images = photos()
    with pytest.raises(DataError, match="No image is left to learn from"):
        learn(backbone_folder("resnet"), images.keep(np.zeros(16, bool)))
    with pytest.raises(DataError, match=r"All 8 images .* the same label \(cat\); at least 2 classes"):
        learn(backbone_folder("resnet"), images.keep(images.labels == 0))


def test_settings_that_do_not_go_together(backbone_folder: Folders, photos: Photos) -> None:
    images, vit = photos(8), backbone_folder("vit")
    with pytest.raises(ModelError, match="VPT needs"):
        learn(vit, images, tuning=VPT())
    with pytest.raises(SettingsError, match="'text' head needs a vision-language model"):
        learn(load_vision_model(vit, device="cpu"), images, head="text")
    with pytest.raises(SettingsError, match="Unknown head 'magic'"):
        learn(load_encoder("tiny", device="cpu"), images, head="magic")
    with pytest.raises(SettingsError, match="at least one epoch"):
        learn(vit, images, epochs=0)
    with pytest.raises(SettingsError, match="noise_rate"):
        learn(vit, images, method=CoTeaching())
    with pytest.raises(ModelError, match="Use the model 'tiny'"):
        learn("facebook/convnext-tiny-224", images)


def test_unreadable_images_are_predicted_as_such(backbone_folder: Folders, photos: Photos) -> None:
    images = photos(8)
    model = learn(backbone_folder("vit"), images, epochs=1)
    table = model.predict(replace(images, read_errors={2: "broken"}))
    assert table["predicted_label"].isna().tolist() == [row == 2 for row in range(8)]
    assert table["read_error"][2] == f"{images.file_name[2]}: broken"
    outcome = model.evaluate(replace(images, read_errors={2: "broken"}))
    assert (outcome.images, outcome.unreadable) == (7, 1)


def test_evaluating_a_class_that_the_model_does_not_know(backbone_folder: Folders, photos: Photos) -> None:
    model = learn(backbone_folder("vit"), photos(8), epochs=1)
    with pytest.raises(DataError, match=r"'bird' \(3 images\)"):
        model.evaluate(photos(6, classes=("bird", "cat")))


def test_a_changed_encoder_is_noticed(photos: Photos, tmp_path: Path) -> None:
    learn("tiny", photos(8), tuning=Frozen(), epochs=1).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "encoder_fingerprint": "0"}))
    (tmp_path / "manifest.json").unlink()  # which would tell of the edit first
    with pytest.raises(ModelError, match="whose weights have changed since"):
        AdaptedModel.load(tmp_path)


@pytest.mark.parametrize("content", [None, "no json", '{"model_type": "deft-classifier"}'])
def test_a_folder_that_holds_no_model(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError):
        AdaptedModel.load(tmp_path)


@pytest.mark.parametrize(
    ("kind", "rate", "optimizer", "decay"),
    [
        ("clip", 5e-4, "sgd", 5e-4),
        ("vit", 1e-2, "sgd", 1e-5),
        ("resnet", 1e-3, "adamw", 1e-5),
        ("convnext", 1e-4, "adamw", 1e-4),
        ("vit_mae", 1e-4, "adamw", 1e-3),
        ("swin", 1e-4, "adamw", 1e-4),
    ],
)
def test_the_authors_settings_by_backbone(kind: str, rate: float, optimizer: str, decay: float) -> None:
    chosen = preset(kind, Full())
    assert (chosen.learning_rate, chosen.optimizer, chosen.weight_decay) == (rate, optimizer, decay)
    assert preset(kind, LoRA()) == Optimization()
