"""What the packaged model can do, on images it was not trained on."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scripts.tiny.features import decode, normalise, resize, squares
from scripts.tiny.glyphs import DIGITS
from scripts.tiny.texts import imagenet_tree
from scripts.tiny.words import Tree
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from deft.data.words import words_for
from deft.encoders.hybrid import HybridEncoder

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)  # inverse penalties of a probe
FOLDS = 5
PHOTO = "a photo of a {}."
PROBED = 10_000  # photos of CIFAR-10 that a probe is trained on
WARM = 8  # batches before time is taken
EACH = 20  # photos of a class of Caltech-101, flowers and cars

Row = tuple[str, float]


@dataclass
class Seen:
    """Images as the model sees them.

    They are the trunk's mean features (N, 1280), those before the projection (N, W), unit joint ones (N, D), classes.
    """

    trunk: Tensor
    pooled: Tensor
    joint: Tensor
    truth: Tensor


@torch.inference_mode()
def look(encoder: HybridEncoder, images: np.ndarray, truth: Tensor, batch: int = 32) -> Seen:
    """What the model makes of images, (N, H, W, 3) uint8 (float32)."""
    parts = (torch.from_numpy(images[i : i + batch].copy()) for i in range(0, len(images), batch))
    return _look(encoder, (part.permute(0, 3, 1, 2).float() for part in parts), truth)


@torch.inference_mode()
def look_at_files(encoder: HybridEncoder, files: Sequence[Path], truth: Tensor, through: int = 0) -> Seen:
    """What the model makes of photos in files; shrunk to a side first, if that is not 0."""
    parts = squares(files)
    return _look(encoder, (resize(part, through) for part in parts) if through else parts, truth)


def _look(encoder: HybridEncoder, parts: Iterator[Tensor], truth: Tensor) -> Seen:
    side, trunk, pooled = encoder.spec.size, [], []
    for part in parts:
        grid = encoder.visual.trunk(normalise(resize(part, side)))
        trunk.append(grid.mean((2, 3)))
        pooled.append(encoder.pool(encoder.visual.tokens(grid)))
    before = torch.cat(pooled)
    return Seen(torch.cat(trunk), before, F.normalize(encoder.project(before), dim=-1), truth)


@torch.inference_mode()
def zero_shot(encoder: HybridEncoder, seen: Seen, names: Sequence[str], template: str = PHOTO, best: int = 1) -> float:
    """Share of images whose right class name is among the nearest."""
    classes = encoder.encode_texts([template.format(name) for name in names])
    nearest = (seen.joint @ classes.T).topk(best, dim=1).indices
    return float((nearest == seen.truth[:, None]).any(dim=1).float().mean())


def probe(features: Tensor, truth: Tensor, train: np.ndarray, test: np.ndarray) -> float:
    """Accuracy of a logistic regression on some rows; a fifth of its training rows chooses its strength."""
    x, y = features.numpy(), truth.numpy()
    held = np.arange(len(train)) % 5 == 4
    kept, chosen_on = train[~held], train[held]
    best = max(STRENGTHS, key=lambda c: regression(x[kept], y[kept], c).score(x[chosen_on], y[chosen_on]))
    return float(regression(x[train], y[train], best).score(x[test], y[test]))


def cross_probe(features: Tensor, truth: Tensor, folds: int = FOLDS) -> float:
    """Mean accuracy of a probe over folds that hold as much of each class."""
    order = np.argsort(truth.numpy(), kind="stable")
    scores = [probe(features, truth, order[np.arange(len(order)) % folds != k], order[k::folds]) for k in range(folds)]
    return float(np.mean(scores))


def regression(features: np.ndarray, labels: np.ndarray, strength: float) -> Pipeline:
    """A fitted logistic regression; that it would gain from more steps is no concern here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        return probe.fit(features, labels)


def digit_images() -> tuple[np.ndarray, Tensor]:
    """Scikit-learn's digits, (1797, 8, 8, 3) uint8, white on black, and their labels."""
    digits = load_digits()
    grey = (digits.images / 16 * 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1), torch.from_numpy(digits.target)


def indexed(labels: Sequence[str], classes: Sequence[str]) -> Tensor:
    """Place of each label among the classes."""
    place = {name: number for number, name in enumerate(classes)}
    return torch.tensor([place[label] for label in labels])


def class_names(tree: Tree) -> list[str]:
    """The usual name of each of ImageNet's classes."""
    return [tree.names[leaf][0] for leaf in tree.leaves]


def imagenet_sample(photos: Path, tree: Tree) -> tuple[list[Path], Tensor]:
    """One photo of each of ImageNet's classes, and its class."""
    files = sorted((photos / "imagenet-sample").glob("n*.JPEG"))
    return files, indexed([file.name.split("_")[0] for file in files], tree.leaves)


def calibrated_scale(encoder: HybridEncoder, photos: Path, tree: Tree) -> float:
    """Inverse temperature at which the classes of ImageNet's sample, its even half, are likeliest; as is without it."""
    files, truth = imagenet_sample(photos, tree)
    if not files:
        return float(encoder.logit_scale)
    seen = look_at_files(encoder, files[::2], truth[::2])
    with torch.inference_mode():
        alike = seen.joint @ encoder.encode_texts([PHOTO.format(name) for name in class_names(tree)]).T
    scales = [float(scale) for scale in np.geomspace(5, 100, 61)]
    return min(scales, key=lambda scale: float(F.cross_entropy(scale * alike, truth[::2])))


def evaluate(encoder: HybridEncoder, data: Path, photos: Path) -> Iterator[Row]:
    """All figures of the model card, those of full-size photos first.

    Args:
        encoder: The model.
        data: Folder of the Parquet files.
        photos: Folder of the sets at full size.

    Yields:
        Accuracies between 0 and 1 with their names, and the images per second.
    """
    tree = imagenet_tree()
    yield "images/s, float32", images_per_second(encoder)
    for name, rows in {
        "imagenet-sample": imagenet_rows(encoder, photos, tree),
        "imagenette": imagenette_rows(encoder, photos, tree),
        "caltech": caltech_rows(encoder, photos),
        "flowers": flower_rows(encoder, photos),
        "cars": car_rows(encoder, photos),
    }.items():
        if (photos / name).is_dir():
            yield from rows
        else:
            print(f"(no folder {photos / name}: its rows are left out)", flush=True)
    yield from cifar_rows(encoder, data)
    yield from tiny_imagenet_rows(encoder, data)
    yield from digit_rows(encoder)


def images_per_second(encoder: HybridEncoder, count: int = 512) -> float:
    """Images that are embedded in a second, half of them at full size (noise) and half small."""
    generator = torch.Generator().manual_seed(0)
    coarse = resize(255 * torch.rand(16, 3, 32, 32, generator=generator), encoder.spec.size)
    batch = normalise(torch.cat([255 * torch.rand(16, 3, *coarse.shape[2:], generator=generator), coarse]))
    with torch.inference_mode():
        for _ in range(WARM):  # the first batches look for memory
            encoder.encode_images(batch)
        began = time.time()
        for _ in range(count // len(batch)):
            encoder.encode_images(batch)
    return count / (time.time() - began)


def imagenet_rows(encoder: HybridEncoder, photos: Path, tree: Tree) -> Iterator[Row]:
    """Zero-shot over the 1000 names; the temperature was chosen on the even rows, no weight on any."""
    files, truth = imagenet_sample(photos, tree)
    seen = look_at_files(encoder, files, truth)
    for best in (1, 5):
        yield (
            f"ImageNet sample, 1000 photos, zero-shot, top {best}",
            zero_shot(encoder, seen, class_names(tree), best=best),
        )
    odd = Seen(seen.trunk[1::2], seen.pooled[1::2], seen.joint[1::2], truth[1::2])
    yield "ImageNet sample, its odd half, zero-shot, top 1", zero_shot(encoder, odd, class_names(tree))


def imagenette_rows(encoder: HybridEncoder, photos: Path, tree: Tree) -> Iterator[Row]:
    """Zero-shot over the 10 names."""
    files = sorted((photos / "imagenette" / "val").glob("*/*"))
    ids = sorted({file.parent.name for file in files})
    names = [tree.names[node][0] for node in ids]
    truth = indexed([file.parent.name for file in files], ids)
    for side, how in ((160, "shrunk to 160 px"), (0, "as it is, 224 px")):
        seen = look_at_files(encoder, files, truth, side)
        yield f"Imagenette val, {how}, zero-shot", zero_shot(encoder, seen, names)
    yield "Imagenette val, as it is, linear probe joint space, 5 folds", cross_probe(seen.joint, truth)


def caltech(photos: Path) -> tuple[list[Path], Tensor, list[str]]:
    """The first photos of each class of Caltech-101 but the background, their classes, and the folders' names."""
    folders = sorted((photos / "caltech" / "101_ObjectCategories").glob("*/"))
    return _first_of_each([folder for folder in folders if "BACKGROUND" not in folder.name])


def caltech_rows(encoder: HybridEncoder, photos: Path) -> Iterator[Row]:
    """Probe and zero-shot."""
    yield from _probe_and_names(encoder, "Caltech-101", *caltech(photos))


def flower_rows(encoder: HybridEncoder, photos: Path) -> Iterator[Row]:
    """Five flowers."""
    folders = sorted((photos / "flowers" / "flowers").glob("*/"))
    yield from _probe_and_names(encoder, "flowers (5 kinds)", *_first_of_each(folders, 10 * EACH))


def _first_of_each(folders: Sequence[Path], count: int = EACH) -> tuple[list[Path], Tensor, list[str]]:
    files = [file for folder in folders for file in sorted(folder.glob("*.jpg"))[:count]]
    truth = indexed([file.parent.name for file in files], [folder.name for folder in folders])
    return files, truth, [words.lower() for words in words_for([folder.name for folder in folders])]


def _probe_and_names(
    encoder: HybridEncoder, name: str, files: Sequence[Path], truth: Tensor, names: Sequence[str]
) -> Iterator[Row]:
    each = f"{name}, {len(files) // len(names)} a class"
    seen = look_at_files(encoder, files, truth)
    yield f"{each}, linear probe joint space, 5 folds", cross_probe(seen.joint, truth)
    yield f"{each}, linear probe trunk, 5 folds", cross_probe(seen.trunk, truth)
    yield f"{each}, zero-shot", zero_shot(encoder, seen, names)


def car_rows(encoder: HybridEncoder, photos: Path) -> Iterator[Row]:
    """Stanford Cars' training photos, which the model has seen without their labels."""
    files = sorted((photos / "cars" / "cars_train").glob("*.jpg"))
    labels = np.loadtxt(photos / "cars" / "train_perfect_preds.txt", dtype=int) - 1
    chosen = np.concatenate([np.flatnonzero(labels == k)[:EACH] for k in range(labels.max() + 1)])
    seen = look_at_files(encoder, [files[row] for row in chosen], torch.from_numpy(labels[chosen]))
    yield f"cars (196 models), {EACH} a class, linear probe joint space, 5 folds", cross_probe(seen.joint, seen.truth)


def cifar_rows(encoder: HybridEncoder, data: Path) -> Iterator[Row]:
    """Zero-shot and probes on CIFAR-10."""
    images, labels = decode([data / "cifar10-test.parquet"], "label_true")
    classes = sorted(set(labels))
    test = look(encoder, images, indexed(labels, classes))
    yield "CIFAR-10 test, zero-shot", zero_shot(encoder, test, classes)
    images, labels = decode([data / "cifar10n-train.parquet"], "label_true")
    train = look(encoder, images[:PROBED], indexed(labels[:PROBED], classes))
    truth = torch.cat([train.truth, test.truth])
    for space, features in {
        "joint space": torch.cat([train.joint, test.joint]),
        "before it": torch.cat([train.pooled, test.pooled]),
        "trunk": torch.cat([train.trunk, test.trunk]),
    }.items():
        value = probe(features, truth, np.arange(PROBED), np.arange(PROBED, len(truth)))
        yield f"CIFAR-10 test, linear probe {space}, {PROBED // 1000}k train", value


def tiny_imagenet_rows(encoder: HybridEncoder, data: Path) -> Iterator[Row]:
    """Zero-shot over the 200 names, and a probe."""
    ids = json.loads((data / "tiny-imagenet-classes.json").read_text())
    images, labels = decode([data / "tiny-imagenet-val.parquet"], "label")
    seen = look(encoder, images, indexed(labels, list(ids)))
    names = [words.split(",")[0] for words in ids.values()]
    yield "Tiny-ImageNet val, zero-shot", zero_shot(encoder, seen, names)
    yield "Tiny-ImageNet val, linear probe on its other half", cross_probe(seen.joint, seen.truth, folds=2)


def digit_rows(encoder: HybridEncoder) -> Iterator[Row]:
    """Zero-shot under two templates, and a probe."""
    seen = look(encoder, *digit_images())
    yield "digits, zero-shot, zero..nine", zero_shot(encoder, seen, DIGITS, "{}")
    yield "digits, zero-shot, a photo of a zero..nine.", zero_shot(encoder, seen, DIGITS)
    yield "digits, linear probe on the other half", cross_probe(seen.joint, seen.truth, folds=2)
