"""Nothing meaningless passes for a result: numbers that are none, pictures all alike, options out of bounds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from deft.cli.app import app
from deft.detectors.collector import Collector
from deft.errors import ModelError, SettingsError
from deft.settings import parse_settings
from deft.training.batches import Batch
from deft.training.finite import NotFinite
from deft.training.optimization import Optimization

from .tools import FAST, deft, one_sentence

NAMES = r"(cat|dog)/\d\.png, (cat|dog)/\d\.png, (cat|dog)/\d\.png and \d+ more"


def poisoned(folder: Path, to: Path, part: str) -> Path:
    """Return a copy of a model with a weight that is no number."""
    shutil.copytree(folder, to)
    weights = load_file(to / "model.safetensors")
    name = next(name for name in weights if part in name)
    weights[name].view(-1)[0] = float("nan")
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


@pytest.mark.parametrize("method", ["deft", "label-match", "small-loss"])
def test_a_model_of_no_numbers_is_no_judge(photos: Path, clip_folder: Path, tmp_path: Path, method: str) -> None:
    model = poisoned(clip_folder, tmp_path / "clip", "vision_model.embeddings.patch_embedding.weight")
    words = ("--fail-on-issues", "0", "--device", "cpu")
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", model, "--method", method, *words)
    said = " ".join(one_sentence(result).split())
    assert re.search(rf"(of the model are not finite|became nan in epoch 1 of 10, step 1), on {NAMES}", said), said
    assert not (tmp_path / "run" / "labels.parquet").exists()


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross-entropy that is no number from the second step of the second epoch on."""
    from deft.methods import cross_entropy

    build = cross_entropy.CE.build

    def poisoned(self: object, context: object) -> object:
        method = build(self, context)  # type: ignore[arg-type]
        losses = method.losses

        def some(train: object, epoch: int) -> Iterator[torch.Tensor]:
            for step, loss in enumerate(losses(train, epoch)):  # type: ignore[arg-type]
                yield loss * float("nan") if (epoch, step) == (1, 1) else loss

        monkeypatch.setattr(method, "losses", some)
        return method

    monkeypatch.setattr(cross_entropy.CE, "build", poisoned)


def test_a_loss_that_is_no_number_stops_with_epoch_step_and_images(
    photos: Path, backbone_folder: Callable[[str], Path], tmp_path: Path, diverging: None
) -> None:
    words = ("--backbone", backbone_folder("resnet"), "--epochs", "3", "--batch-size", "4")
    said = " ".join(one_sentence(deft("adapt", photos, "-o", tmp_path / "model", *words)).split())
    assert "The loss became nan in epoch 2 of 3, step 2, on " in said
    assert "and 1 more" in said
    assert not (tmp_path / "model" / "config.json").exists()


def test_a_model_whose_answers_are_no_numbers_is_not_saved(
    photos: Path, backbone_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deft.adaptation.validation import Watched

    def spoil(self: Watched) -> None:
        with torch.no_grad():
            next(self.method.parameters()).fill_(float("nan"))

    monkeypatch.setattr(Watched, "finish", spoil)
    words = ("--backbone", backbone_folder("resnet"), "--epochs", "1")
    assert "not finite" in one_sentence(deft("adapt", photos, "-o", tmp_path / "model", *words))
    assert not (tmp_path / "model" / "config.json").exists()


def test_a_saved_model_of_no_numbers_gives_no_answers(photos: Path, model: Path, tmp_path: Path) -> None:
    bad = poisoned(model, tmp_path / "bad", "classifier")
    (bad / "manifest.json").unlink()
    assert "answers of the model are not finite" in one_sentence(deft("predict", bad, photos))


def test_a_score_that_is_no_number_is_laid_to_its_image() -> None:
    batch = Batch(torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64), torch.tensor([4, 7]))
    collector = Collector(9, 2)
    collector.add(batch, torch.tensor([float("inf"), -float("inf")]), torch.zeros(2, 2))
    with pytest.raises(NotFinite) as caught:
        collector.add(batch, torch.tensor([0.0, float("nan")]), torch.zeros(2, 2))
    assert "on h." in str(caught.value.named("abcdefghi"))


@pytest.mark.parametrize("command", ["detect", "adapt"])
def test_pictures_that_are_all_alike_are_refused(
    clip_folder: Path, backbone_folder: Callable[[str], Path], tmp_path: Path, command: str
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            gradient = np.tile(np.arange(24, dtype=np.uint8)[:, None, None] * 9, (1, 24, 3))
            Image.fromarray(gradient).save(tmp_path / "photos" / name / f"{number}.png")
    chosen = ("--model", clip_folder, *FAST) if command == "detect" else ("--backbone", backbone_folder("resnet"))
    result = deft(command, tmp_path / "photos", "-o", tmp_path / "out", *chosen)
    assert "show the same picture" in one_sentence(result)


def number_options() -> list[tuple[str, str, type]]:
    """Every option of every command that takes a number: command, option, and the kind of number."""
    found: list[tuple[str, str, type]] = []
    for command in app.registered_commands:
        assert command.callback is not None
        for name, hint in get_type_hints(command.callback, include_extras=True).items():
            if get_origin(hint) is not Annotated:
                continue
            base, info = get_args(hint)[:2]
            kinds = [kind for kind in (float, int) if kind in (base, *get_args(base))]
            if kinds and getattr(info, "param_decls", None) is not None:
                option = next(iter(info.param_decls), "--" + name.replace("_", "-"))
                found.append((command.callback.__name__, option, kinds[0]))
    return found


def test_there_are_options_that_take_numbers() -> None:
    names = {name for _, name, _ in number_options()}
    assert {"--epochs", "--lr", "--seed", "--port", "--rate", "--max-seconds", "--top", "--noise-rate"} <= names


@pytest.mark.parametrize(("command", "option", "kind"), number_options())
def test_numbers_out_of_their_bounds_are_refused_at_once(command: str, option: str, kind: type) -> None:
    typed = ["9" * 99, "-1", "-" + "9" * 99, "0x10", "1e999", ""]
    typed += ["nan", "inf", "-inf", "1e300"] if kind is float else ["1.5", "nan"]
    arguments = {"corrupt": ("no-such-data", "-o", "a.csv"), "review": ("no-such-run",), "report": ("no-such-run",)}
    arguments |= {"bench": ("table1",), "score": ("no-such-data", "no-such-folder", "--detector", "no-such-detector")}
    arguments |= {"predict": ("no-such-model", "no-such-data"), "evaluate": ("no-such-model", "no-such-data")}
    needed = {"detect": ("no-such-data", "-o", "r"), "adapt": ("no-such-data", "-o", "m", "--backbone", "tiny")}
    for text in typed:
        result = deft(command, *(arguments | needed)[command], f"{option}={text}")
        said = one_sentence(result)
        assert option in said, (text, said)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e300", "9" * 99, "-" + "9" * 99])
@pytest.mark.parametrize("key", ["learning_rate", "momentum", "weight_decay", "clip", "warmup", "milestones"])
def test_settings_that_are_no_sane_numbers_are_refused(key: str, text: str) -> None:
    with pytest.raises(SettingsError, match=key):
        parse_settings(Optimization(), {key: text})


def test_nan_in_settings_from_python_is_refused() -> None:
    for key in ("learning_rate", "momentum", "weight_decay", "clip", "warmup"):
        with pytest.raises(SettingsError):
            Optimization(**{key: float("nan")})  # type: ignore[arg-type]


def test_an_error_of_numbers_is_a_model_error() -> None:
    assert issubclass(NotFinite, ModelError)
