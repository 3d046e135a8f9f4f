"""Batches: a seeded order, augmentation in whole batches, pixels as the model wants them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deft.data.image_spec import ImageSpec, Margin
from deft.data.load import load_images
from deft.training.augment import crop_and_flip
from deft.training.batches import Batches, Loader, Rows, View
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore

CPU = torch.device("cpu")


def store_of(pixels: np.ndarray, spec: ImageSpec, folder: Path) -> PixelStore:
    images = load_images(pixels, labels=np.arange(len(pixels)) % 2, classes=["cat", "dog"])
    return PixelStore.build(images, spec, folder)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(10, 32, 32, 3), dtype=np.uint8)


def test_pixels_arrive_normalised(pixels: np.ndarray, tmp_path: Path) -> None:
    spec = ImageSpec(32, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    loader = PixelLoader(store_of(pixels, spec, tmp_path), spec, CPU)
    expected = (pixels[[3, 1]] / 255 - np.array(spec.mean)) / np.array(spec.std)
    found = loader.load(np.array([3, 1]), None).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_small_photos_are_enlarged_as_pillow_does(pixels: np.ndarray, tmp_path: Path, interpolation: str) -> None:
    spec = ImageSpec(80, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), interpolation=interpolation)  # type: ignore[arg-type]
    # Middle greys: Pillow also clips what a bicubic filter overshoots between its two passes.
    pixels = pixels // 4 + 96
    store = store_of(pixels, spec, tmp_path)
    assert store.side == 32
    found = PixelLoader(store, spec, CPU).load(np.array([0]), None)[0].permute(1, 2, 0).numpy()
    resample = Image.Resampling[interpolation.upper()]
    expected = np.asarray(Image.fromarray(pixels[0]).resize((80, 80), resample)) / 255
    # It rounds to whole grey levels after each of them.
    assert np.abs(found - expected).max() < 1.5 / 255


def test_a_margin_is_kept_around_what_the_model_reads(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, size=(1, 40, 60, 3), dtype=np.uint8)
    spec = ImageSpec(28, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), fit="squash", interpolation="bilinear", margin=Margin(32))
    with store_of(photo, spec, tmp_path) as store:
        squashed = np.asarray(Image.fromarray(photo[0]).resize((32, 32), Image.Resampling.BILINEAR))
        assert store.side == 32
        shown = (PixelLoader(store, spec, CPU).load(np.array([0]), None)[0] * 255).permute(1, 2, 0).numpy()
        np.testing.assert_allclose(shown, squashed[2:30, 2:30], atol=1e-4)
        whole = replace(spec, margin=Margin(32, plain="whole"))
        shown = PixelLoader(store, whole, CPU).load(np.array([0]), None)[0].permute(1, 2, 0).numpy()
        reduced = np.asarray(Image.fromarray(squashed).resize((28, 28), Image.Resampling.BILINEAR)) / 255
        assert np.abs(shown - reduced).max() < 1.5 / 255
        random = PixelLoader(store, spec, CPU).load(np.zeros(200, np.int64), np.random.default_rng(0))
    assert random.shape == (200, 3, 28, 28)
    # Pixel by pixel they are the square's own, and its corners are seen too.
    seen = {tuple(view[:, 0, 0].mul(255).round().int().tolist()) for view in random}
    assert {tuple(squashed[0, 0].tolist()), tuple(squashed[4, 4].tolist())} <= seen


def test_crops_stay_inside_the_photo_and_are_its_own_pixels() -> None:
    photo = torch.arange(16 * 16, dtype=torch.float32).view(1, 1, 16, 16).expand(64, 3, 16, 16)
    moved = crop_and_flip(photo, np.random.default_rng(0))
    assert moved.shape == photo.shape
    assert set(moved.unique().tolist()) <= set(photo.unique().tolist())
    mirrored = sum(bool((image[0, 8].diff() < 0).float().mean() > 0.5) for image in moved)
    assert 16 < mirrored < 48


def test_a_crop_without_shift_is_the_photo() -> None:
    class NoShift:
        def integers(self, low: int, high: int, size: tuple[int, int]) -> np.ndarray:
            return np.zeros(size, np.int64)

        def random(self, count: int) -> np.ndarray:
            return np.ones(count)

    photo = torch.rand(2, 3, 16, 16)
    assert torch.equal(crop_and_flip(photo, NoShift()), photo)  # type: ignore[arg-type]


def test_one_pixel_can_be_cropped() -> None:
    photo = torch.rand(3, 3, 1, 1)
    assert torch.equal(crop_and_flip(photo, np.random.default_rng(0)), photo)


def test_order_and_augmentation_depend_on_seed_and_epoch_alone(pixels: np.ndarray, tmp_path: Path) -> None:
    spec = ImageSpec(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    loader = PixelLoader(store_of(pixels, spec, tmp_path), spec, CPU)

    def epoch(seed: int, number: int) -> list[torch.Tensor]:
        batches = Batches(loader, np.arange(10) % 2, np.arange(10), batch_size=4, seed=seed, device=CPU)
        return [tensor for batch in batches.epoch(number) for tensor in (batch.index, batch.inputs)]

    def equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
        return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))

    assert equal(epoch(0, 3), epoch(0, 3))
    assert not equal(epoch(0, 3), epoch(0, 4))
    assert not equal(epoch(0, 3), epoch(1, 3))


def test_ordered_batches_hold_every_row_once_and_plain(pixels: np.ndarray, tmp_path: Path) -> None:
    spec = ImageSpec(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    loader = PixelLoader(store_of(pixels, spec, tmp_path), spec, CPU)
    rows = np.array([0, 2, 3, 7, 9])
    batches = Batches(loader, np.arange(10), rows, batch_size=2, seed=0, device=CPU)
    found = list(batches.ordered())
    assert len(batches) == len(found) == 3
    assert torch.cat([batch.index for batch in found]).tolist() == rows.tolist()
    assert torch.cat([batch.labels for batch in found]).tolist() == rows.tolist()
    assert torch.equal(torch.cat([batch.inputs for batch in found]), loader.load(rows, None))


class Echo(Loader):
    """Gives the rows themselves."""

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> torch.Tensor:
        return torch.from_numpy(rows)


def test_duplicates_count_once_in_an_epoch_and_each_has_its_turn() -> None:
    groups = np.array([0, -1, 0, 1, 0, 1, -1])
    rows = np.array([0, 1, 2, 3, 5, 6])  # the fourth of the first group takes no part
    device = torch.device("cpu")
    batches = Batches(Echo(), np.arange(7), rows, batch_size=2, seed=0, device=device, groups=groups)
    assert len(batches) == 2
    seen = [torch.cat([batch.index for batch in batches.epoch(epoch)]).tolist() for epoch in range(20)]
    assert all(sorted(groups[one].tolist()) == [-1, -1, 0, 1] for one in seen)
    assert {row for one in seen for row in one} == set(rows.tolist())
    assert torch.cat([batch.index for batch in batches.ordered()]).tolist() == rows.tolist()


def test_larger_batches_hold_the_same_samples_or_a_drawn_part_of_them() -> None:
    groups = np.array([0, -1, 0, -1, -1, -1])
    batches = Batches(Echo(), np.arange(6), np.arange(6), batch_size=2, seed=0, device=CPU, groups=groups)
    assert [len(batch) for batch in batches.larger(6, most=6).epoch(0)] == [5]  # duplicates still count once
    assert len(batches.larger(1, most=6)) == 3  # never smaller than they were
    part, again = batches.larger(4, most=3), batches.larger(4, most=3)
    assert len(part.rows) == 3
    assert part.rows.tolist() == again.rows.tolist()
    seen = torch.cat([batch.index for batch in part.epoch(0)])
    assert set(seen.tolist()) <= set(part.rows.tolist())
    assert len(batches.rows) == 6
