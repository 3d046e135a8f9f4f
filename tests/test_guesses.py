"""What people guess in Python, and get wrong, is answered by one sentence in their own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import deft
from deft.data.digits import digits
from deft.errors import DataError, SettingsError
from deft.runs.detection import Detection


@pytest.fixture(scope="module")
def images() -> deft.LabeledImages:
    return digits()[0].keep(np.arange(60))


@pytest.fixture(scope="module")
def found(images: deft.LabeledImages) -> Detection:
    return deft.FromEmbeddings(np.random.default_rng(0).normal(size=(60, 4))).detect(images)


GUESSES: list[tuple[Callable[[Any, Any], object], str]] = [
    (
        lambda images, found: deft.load_images(np.zeros((3, 8, 8), np.uint8), labels=3),  # type: ignore[arg-type]
        r"labels= takes one label per image, not 3\.",
    ),
    (
        lambda images, found: images.filter("cat"),
        r"filter takes a function that is told of each image, not 'cat'\.",
    ),
    (
        lambda images, found: deft.review(3),  # type: ignore[arg-type]
        r"review\(found, images\) takes verdicts, not 3: what detect returned, or the folder of a run\.",
    ),
    (
        lambda images, found: deft.review(images),
        r"review\(found, images\) takes verdicts, not LabeledImages\(60 images, 10 classes\): what detect returned",
    ),
    (
        lambda images, found: deft.fix_labels(images, found),
        r"fix_labels\(found, images\) takes verdicts, not LabeledImages\(60 images, 10 classes\): what detect returned",
    ),
    (
        lambda images, found: deft.fix_labels(found, "photos"),  # type: ignore[arg-type]
        r"fix_labels\(found, images\) takes labelled images, not 'photos': deft.load_images\('photos'\)\.",
    ),
    (
        lambda images, found: deft.build_report(images, "run"),  # type: ignore[arg-type]
        r"build_report\(images, found\) takes verdicts, not 'run': what detect returned",
    ),
    (
        lambda images, found: deft.AdaptedModel(None, ("a", "b")).evaluate("photos"),  # type: ignore[arg-type]
        r"evaluate takes labelled images, not 'photos': deft.load_images\('photos'\)\.",
    ),
]


@pytest.mark.parametrize(("guess", "sentence"), GUESSES)
def test_a_wrong_thing_is_answered_by_a_sentence(
    images: deft.LabeledImages, found: Detection, guess: Callable[[Any, Any], object], sentence: str
) -> None:
    with pytest.raises((DataError, SettingsError), match=f"^{sentence}"):
        guess(images, found)


def test_a_folder_that_there_is_not_holds_no_decisions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no run folder"):
        deft.read_decisions(tmp_path / "nowhere")
    assert deft.read_decisions(tmp_path) == {}


def test_no_more_suspects_than_none(found: Detection) -> None:
    assert len(found.suspects(0)) == len(found.suspects(-1)) == 0


def test_a_transition_is_estimated_of_arrays_too() -> None:
    scores, labels = torch.eye(3).repeat(30, 1) * 4, torch.arange(3).repeat(30)
    of_tensors = deft.estimate_transition(scores, labels)
    of_arrays = deft.estimate_transition(scores.numpy(), labels.tolist())  # type: ignore[arg-type]
    assert torch.equal(of_tensors.matrix, of_arrays.matrix)


@pytest.mark.parametrize(("name", "meant"), [("Deft", "DeFT"), ("loadimages", "load_images"), ("Lora", "LoRA")])
def test_a_name_that_is_nearly_right_is_answered_by_the_right_one(name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'\. Did you mean {meant}\?$"):
        getattr(deft, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'xyzzy'$"):
        _ = deft.xyzzy
