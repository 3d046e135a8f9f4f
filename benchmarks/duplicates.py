"""How many made near-duplicates are found, and what is taken for one wrongly, on CIFAR-10 photos.

    python benchmarks/duplicates.py /path/to/cifar10n-train.parquet --label-column label_human

The photos are rows 10 000 to 14 000; the thresholds were chosen on rows 0 to 4 000. "wrong" counts made copies that
stand in one group with a photo they weren't made from.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from deft.data.decode import upright
from deft.data.duplicates import find_groups, pixel_names, small_grey
from deft.data.load import load_images
from deft.data.readers import Pixels

FIRST, PHOTOS, COPIES = 10_000, 4_000, 200  # copies of each kind
Change = Callable[[Pixels, np.random.Generator], Pixels]


def frame(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Return it shifted by up to 2 of 32 pixels, lighter or darker by up to 10, and noisy by up to 6."""
    moved = np.roll(picture, rng.integers(-2, 3, 2), axis=(0, 1)).astype(int)
    return _bytes(moved + rng.integers(-6, 7, moved.shape) + rng.integers(-10, 11))


def jpeg(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Return it saved as a JPEG of quality 30 to 70."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=int(rng.integers(30, 71)))
    return np.asarray(Image.open(file).convert("RGB"))


def crop(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Return it without a sixteenth of its sides, enlarged again."""
    down, right = rng.integers(0, 3, 2)
    larger = np.asarray(Image.fromarray(picture).resize((34, 34), Image.Resampling.BICUBIC))
    return larger[down : down + 32, right : right + 32]


def gain(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Return it with 0.8 to 1.2 times its contrast."""
    return _bytes(picture * rng.uniform(0.8, 1.2) + rng.uniform(-10, 10))


CHANGES: tuple[Change, ...] = (frame, jpeg, crop, gain)


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--label-column", required=True)
    arguments = parser.parse_args()
    images = load_images(arguments.source, label_column=arguments.label_column)
    images = images.keep(np.arange(FIRST, FIRST + PHOTOS))
    photos = [_pixels(images.reader.read(int(row))) for row in images.rows]
    rng = np.random.default_rng(0)
    origin = rng.permutation(PHOTOS)[: COPIES * len(CHANGES)]
    copies = [CHANGES[number // COPIES](photos[row], rng) for number, row in enumerate(origin)]
    squares = np.stack([*photos, *copies])
    began = time.process_time()
    groups = find_groups(
        pixel_names(squares), small_grey(squares), np.concatenate([images.labels, images.labels[origin]])
    )
    seconds = time.process_time() - began
    alone = find_groups(pixel_names(squares[:PHOTOS]), small_grey(squares[:PHOTOS]), images.labels)
    made, source = groups[PHOTOS:], groups[origin]
    found = (made >= 0) & (made == source)
    # Photos of the data itself that belong together may share a group: those are no mistakes of the copies.
    families = [{alone[row] if alone[row] >= 0 else -2 - row} for row in range(PHOTOS)]
    members: dict[int, set[int]] = {}
    for row in np.flatnonzero(groups[:PHOTOS] >= 0).tolist():
        members.setdefault(int(groups[row]), set()).update(int(name) for name in families[row])
    wrong = sum(len(members.get(int(group), ())) > 1 for group in made[made >= 0])
    kinds = {change.__name__: float(found[n * COPIES : (n + 1) * COPIES].mean()) for n, change in enumerate(CHANGES)}
    report = {"found": kinds, "wrong": wrong, "copies": len(copies), "photos_in_groups": int((alone >= 0).sum())}
    print(json.dumps({**report, "photos": PHOTOS, "cpu_seconds": round(seconds, 1)}, indent=2))


def _pixels(data: bytes | Pixels) -> Pixels:
    return upright(Image.open(io.BytesIO(data))) if isinstance(data, bytes) else data


def _bytes(values: np.ndarray) -> Pixels:
    clipped: Pixels = np.rint(values).clip(0, 255).astype(np.uint8)
    return clipped


if __name__ == "__main__":
    main()
