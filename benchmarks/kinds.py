"""How often each kind of error is what it is called: precision of `issue_kind` on made and on real noise.

    python -m benchmarks.kinds --made tiny-imagenet-train-*.parquet --real cifar10n-train.parquet
    python -m benchmarks.kinds --inside imagenette/val --outside cars/cars_train

Made: 2 000 photos of 20 classes of Tiny-ImageNet; 15 % of the labels are wrong, 5 % of the images show other classes,
3 % are copies under another label, 1 % are blank. Real: 2 000 photos of CIFAR-10N with labels of one person.
Open: 1 000 photos of Imagenette, a tenth of the labels wrong, among 100 photos of cars under their labels. `DeFT(tiny)`
as typed judges all. Prints a table and writes benchmarks/results/kinds.json, where what isn't named stays as it was.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

import deft
from benchmarks.settings import IMAGENETTE
from deft.runs.vocabulary import KIND_IN_WORDS

RESULT = Path(__file__).parent / "results" / "kinds.json"
OPEN_EACH, OPEN_WRONG = 100, 0.1
CLASSES, EACH, REAL = 20, 100, 2_000
WRONG, FOREIGN, COPIES, BLANK = 0.15, 0.05, 0.03, 0.01


def content(cell: Any) -> bytes:
    """Return the bytes of a cell with an image."""
    return bytes(cell["bytes"] if isinstance(cell, dict) else cell)


def blank() -> bytes:
    """Return a picture on which nothing can be seen."""
    target = io.BytesIO()
    Image.new("RGB", (64, 64), (120, 120, 120)).save(target, "PNG")
    return target.getvalue()


def made(paths: list[Path], seed: int = 0) -> tuple[deft.LabeledImages, np.ndarray]:
    """Return photos with made errors, and what is wrong with each: a kind, or an empty text."""
    rng = np.random.default_rng(seed)
    table = pa.concat_tables([pq.read_table(path, columns=["image", "name"]) for path in paths])
    names = np.array(table["name"].to_pylist())
    classes = sorted(set(names))[:: len(set(names)) // CLASSES][:CLASSES]
    inside = np.sort(np.concatenate([np.flatnonzero(names == name)[:EACH] for name in classes]))
    outside = rng.choice(np.flatnonzero(~np.isin(names, classes)), int(FOREIGN * len(inside)), replace=False)
    picture = [content(table["image"][int(row)].as_py()) for row in inside]
    labels = [classes.index(names[row]) for row in inside]
    kinds = [""] * len(inside)
    for row in np.flatnonzero(rng.random(len(inside)) < WRONG).tolist():
        labels[row] = (labels[row] + int(rng.integers(1, CLASSES))) % CLASSES
        kinds[row] = "wrong_label"
    right = [row for row, kind in enumerate(kinds) if not kind]
    for row in rng.choice(right, int(COPIES * len(inside)), replace=False).tolist():
        picture.append(picture[row])
        labels.append((labels[row] + int(rng.integers(1, CLASSES))) % CLASSES)
        kinds.append("conflicting_duplicate")
    for row in outside.tolist():
        picture.append(content(table["image"][row].as_py()))
        labels.append(int(rng.integers(CLASSES)))
        kinds.append("none_of_the_classes")
    for _ in range(int(BLANK * len(inside))):
        picture.append(blank())
        labels.append(int(rng.integers(CLASSES)))
        kinds.append("unreadable_or_blank")
    return deft.load_images(picture, labels=labels, classes=list(classes)), np.array(kinds)


def real(path: Path) -> tuple[deft.LabeledImages, np.ndarray]:
    """Return photos with one person's labels, and which of those are wrong."""
    images = deft.load_images(str(path), label_column="label_human", clean_column="label_true")
    images = images.keep(np.sort(np.random.default_rng(0).choice(len(images), REAL, replace=False)))
    assert images.clean_labels is not None
    return images, np.where(images.labels != images.clean_labels, "wrong_label", "")


def opened(inside: Path, outside: Path, seed: int = 0) -> tuple[deft.LabeledImages, np.ndarray]:
    """Return photos of classes among photos of something else under their labels, and what is wrong with each."""
    rng = np.random.default_rng(seed)
    names = [path.name for path in sorted(inside.iterdir()) if path.is_dir()]
    files = [path for name in names for path in sorted((inside / name).iterdir())[:OPEN_EACH]]
    labels = np.array([names.index(path.parent.name) for path in files])
    wrong = rng.random(len(labels)) < OPEN_WRONG
    labels = np.where(wrong, (labels + rng.integers(1, len(names), len(labels))) % len(names), labels)
    there = sorted(path for path in outside.rglob("*") if path.is_file())
    guests = [there[place] for place in rng.choice(len(there), len(files) // 10, replace=False)]
    drawn = rng.integers(len(names), size=len(guests))
    kinds = np.where(wrong, "wrong_label", "").tolist() + ["none_of_the_classes"] * len(guests)
    classes = [IMAGENETTE.get(name, name) for name in names]
    given = [*labels.tolist(), *drawn.tolist()]
    pictures = [path.read_bytes() for path in (*files, *guests)]
    return deft.load_images(pictures, labels=given, classes=classes), np.array(kinds)


def judged(images: deft.LabeledImages, truth: np.ndarray) -> dict[str, dict[str, int]]:
    """Return how many images are of each kind, how many of those are of it in truth, and how many have any error."""
    kinds = np.array([kind or "" for kind in deft.DeFT(deft.load_encoder("tiny")).detect(images).issue_kind])
    told = {}
    for kind in KIND_IN_WORDS:
        said = kinds == kind
        told[kind] = {
            "called": int(said.sum()),
            "right": int((truth[said] == kind).sum()),
            "any_error": int((truth[said] != "").sum()),
            "there": int((truth == kind).sum()),
        }
    return told


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--made", type=Path, nargs="+")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--inside", type=Path)
    parser.add_argument("--outside", type=Path)
    chosen = parser.parse_args()
    found = {}
    if chosen.made:
        found["made"] = judged(*made(chosen.made))
    if chosen.real:
        found["real"] = judged(*real(chosen.real))
    if chosen.inside:
        found["open"] = judged(*opened(chosen.inside, chosen.outside))
    before = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    kept = {**before, "command": "python -m benchmarks.kinds", **found}
    RESULT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    for name, kinds in found.items():
        print(name)
        for kind, numbers in kinds.items():
            print(f"  {KIND_IN_WORDS[kind]:28}", " ".join(f"{key} {value:4}" for key, value in numbers.items()))


if __name__ == "__main__":
    main()
