"""Inputs: what a batch holds, in which precision it was computed, and that nothing stays open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.errors import DataError, SettingsError
from deft.progress import Silent
from deft.training.feature_bank import BankLoader
from deft.training.inputs import FrozenPart, Reading, open_inputs
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore
from deft.training.workspace import Workspace

SPEC = ImageSpec(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CPU = torch.device("cpu")
READING = Reading(batch_size=4, precision="float32")


def mean_colour(pixels: Tensor) -> Tensor:
    return pixels.mean(dim=(2, 3))


@pytest.fixture
def images() -> LabeledImages:
    pixels = np.random.default_rng(0).integers(0, 256, size=(10, 8, 8, 3)).astype(np.uint8)
    return load_images(pixels, labels=["cat", "dog"] * 5, classes=["cat", "dog"])


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> list[PixelStore]:
    """Every store that was built."""
    built: list[PixelStore] = []
    build = PixelStore.build

    def remember(*args: object, **options: object) -> PixelStore:
        built.append(build(*args, **options))  # type: ignore[arg-type]
        return built[-1]

    monkeypatch.setattr(PixelStore, "build", remember)
    return built


def is_closed(store: PixelStore) -> bool:
    try:
        store.read(np.array([0]))
    except ValueError:
        return True
    return False


def test_a_batch_holds_pixels_where_training_begins_there(images: LabeledImages) -> None:
    with open_inputs(FrozenPart(SPEC, CPU), images, Workspace(), READING) as inputs:
        assert isinstance(inputs.batches.loader, PixelLoader)
        assert next(inputs.batches.ordered()).inputs.shape == (4, 3, 8, 8)


def test_a_batch_holds_what_the_frozen_part_gives(images: LabeledImages) -> None:
    with open_inputs(FrozenPart(SPEC, CPU), images, Workspace(), READING) as inputs:
        expected = torch.cat([mean_colour(batch.inputs) for batch in inputs.batches.ordered()])
    with open_inputs(FrozenPart(SPEC, CPU, mean_colour), images, Workspace(), READING) as inputs:
        found = torch.cat([batch.inputs for batch in inputs.batches.ordered()])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("augmented", "strong", "views"), [(True, 0, 3), (True, 2, 5), (False, 2, 1)], ids=["weak", "strong", "plain"]
)
def test_the_views_that_are_kept(images: LabeledImages, augmented: bool, strong: int, views: int) -> None:
    reading = replace(READING, views=3, strong_views=strong)
    part = FrozenPart(SPEC, CPU, mean_colour, augmented=augmented)
    with open_inputs(part, images, Workspace(), reading) as inputs:
        loader = inputs.batches.loader
        assert isinstance(loader, BankLoader)
        assert len(loader.views) == views


def rows_of_tokens(pixels: Tensor) -> Tensor:
    """Four tokens of each image, (B, 4, 48)."""
    return pixels.reshape(len(pixels), 4, 48)


class Notes(Silent):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("kept", [0, 1, 4, 8])
def test_images_that_the_disk_is_too_small_for_are_computed_anew(images: LabeledImages, kept: int) -> None:
    reading, image = replace(READING, views=2, strong_views=1), 3 * 4 * 48 * 2  # three views in 16 bits
    part = FrozenPart(SPEC, CPU, rows_of_tokens)
    seen: list[list[Tensor]] = []
    notes = Notes()
    for most in (None, kept * image):
        space = Workspace(kept_bytes=most, progress=notes)
        with open_inputs(part, images, space, reading) as inputs:
            batches = inputs.batches
            epochs = [batch for epoch in (0, 1) for batch in batches.epoch(epoch, views=("weak", "strong"))]
            found = [view for batch in [*batches.ordered(), *epochs] for view in batch.views]
            loader = batches.loader
            assert isinstance(loader, BankLoader)
            assert most is None or loader.views.nbytes == kept // 4 * 4 * image  # whole batches of four
        seen.append(found)
    for first, second in zip(*seen, strict=True):
        assert torch.equal(first, second)
    (said,) = notes.said
    assert f"kept of {kept // 4 * 4} of 10 images" in said


def test_features_are_kept_whatever_the_disk_because_they_are_small(images: LabeledImages) -> None:
    notes = Notes()
    part = FrozenPart(SPEC, CPU, mean_colour)
    with open_inputs(part, images, Workspace(kept_bytes=0, progress=notes), READING) as inputs:
        assert isinstance(inputs.batches.loader, BankLoader)
        assert inputs.batches.loader.views.shape[1] == 10
    assert notes.said == []


def test_what_is_kept_in_part_is_not_taken_for_all_of_it(images: LabeledImages, tmp_path: Path) -> None:
    part = FrozenPart(SPEC, CPU, rows_of_tokens, identity=lambda: "model")
    for most in (0, None):
        space = Workspace(tmp_path, keep_features=True, kept_bytes=most)
        with open_inputs(part, images, space, READING) as inputs:
            loader = inputs.batches.loader
            assert isinstance(loader, BankLoader)
            assert loader.views.shape[1] == (0 if most == 0 else 10)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_frozen_part_runs_in_the_precision_that_was_asked_for(images: LabeledImages, precision: str) -> None:
    seen = set()

    def spy(pixels: Tensor) -> Tensor:
        seen.add((pixels.flatten(1) @ torch.ones(192, 2)).dtype)
        return mean_colour(pixels)

    part, reading = FrozenPart(SPEC, CPU, spy), replace(READING, precision=precision)  # type: ignore[arg-type]
    with open_inputs(part, images, Workspace(), reading):
        assert seen == {getattr(torch, precision)}


def test_outputs_are_kept_for_other_runs_where_asked(images: LabeledImages, tmp_path: Path) -> None:
    runs = []

    def counted(pixels: Tensor) -> Tensor:
        runs.append(len(pixels))
        return mean_colour(pixels)

    def read(name: str, some: LabeledImages, space: Workspace, reading: Reading = READING) -> Tensor:
        part = FrozenPart(SPEC, CPU, counted, identity=lambda: name)
        with open_inputs(part, some, space, reading) as inputs:
            return torch.cat([batch.inputs for batch in inputs.batches.ordered()])

    keeping = Workspace(tmp_path, keep_features=True)
    first = read("model", images, keeping)
    done = sum(runs)
    again = read("model", images.relabel(1 - images.labels), keeping)  # labels are no part of what a model sees
    assert sum(runs) == done
    torch.testing.assert_close(again, first)
    for name, some, space, reading in (
        ("other model", images, keeping, READING),
        ("model", images.keep(np.arange(9)), keeping, READING),
        ("model", images, keeping, replace(READING, seed=1)),
        ("model", images, Workspace(tmp_path), READING),
        ("model", images, Workspace(keep_features=True), READING),
    ):
        before = sum(runs)
        read(name, some, space, reading)
        assert sum(runs) > before


def test_everything_is_closed_afterwards(images: LabeledImages, stores: list[PixelStore], tmp_path: Path) -> None:
    with open_inputs(FrozenPart(SPEC, CPU, mean_colour), images, Workspace(tmp_path), READING) as inputs:
        assert not is_closed(stores[0])
    loader = inputs.batches.loader
    assert isinstance(loader, BankLoader)
    assert is_closed(stores[0])
    with pytest.raises(ValueError, match="closed"):
        loader.load(np.array([0]), None)


@pytest.mark.parametrize("when", ["in the frozen part", "in training", "before"])
def test_everything_is_closed_after_an_error(images: LabeledImages, stores: list[PixelStore], when: str) -> None:
    def breaks(pixels: Tensor) -> Tensor:
        raise RuntimeError("broken")

    compute: Callable[[Tensor], Tensor] = breaks if when == "in the frozen part" else mean_colour
    known = images.keep(images.labels == 0) if when == "before" else images
    with (
        pytest.raises((RuntimeError, DataError)),
        open_inputs(FrozenPart(SPEC, CPU, compute), known, Workspace(), READING),
    ):
        raise RuntimeError("broken")
    assert len(stores) == 1
    assert is_closed(stores[0])


def test_one_class_is_too_few_unless_labels_do_not_matter(images: LabeledImages) -> None:
    alone = images.keep(images.labels == 1)
    with (
        pytest.raises(DataError, match=r"All 5 images that can be used have the same label \(dog\)"),
        open_inputs(FrozenPart(SPEC, CPU), alone, Workspace(), READING),
    ):
        pass
    with open_inputs(FrozenPart(SPEC, CPU), alone, Workspace(), READING, least_classes=1) as inputs:
        assert len(inputs.batches.rows) == 5


def test_images_without_a_single_label_are_refused(images: LabeledImages) -> None:
    bare = images.relabel(np.full(10, -1))
    with (
        pytest.raises(DataError, match="None of the 10 images has both a label and pixels"),
        open_inputs(FrozenPart(SPEC, CPU), bare, Workspace(), READING),
    ):
        pass


def test_errors_and_trust_are_handed_on(images: LabeledImages) -> None:
    known = replace(images, read_errors={3: "broken"}, trusted=np.arange(10) == 2)
    with open_inputs(FrozenPart(SPEC, CPU), known, Workspace(), READING) as inputs:
        assert list(inputs.read_errors) == [3]
        assert 3 not in inputs.batches.rows
        assert np.flatnonzero(inputs.trusted).tolist() == [2]


def test_less_than_nothing_can_not_be_kept() -> None:
    with pytest.raises(SettingsError, match="can't be -1 bytes"):
        Workspace(kept_bytes=-1)
