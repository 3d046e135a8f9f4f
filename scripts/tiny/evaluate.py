"""What the packaged model can do, on images it was not trained on."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scripts.tiny.features import decode, normalise, resize
from scripts.tiny.glyphs import DIGITS
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from deft.encoders.hybrid import HybridEncoder

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)  # inverse penalties of a probe


@torch.inference_mode()
def pooled(encoder: HybridEncoder, images: np.ndarray, batch: int = 32) -> tuple[Tensor, float]:
    """Features before the projection, (N, W), and how many images went through per second (float32)."""
    found, began = [], time.time()
    for start in range(0, len(images), batch):
        pixels = torch.from_numpy(images[start : start + batch].copy()).permute(0, 3, 1, 2).float()
        found.append(encoder.pool(encoder.stem(normalise(resize(pixels, encoder.spec.size)))))
    return torch.cat(found), len(images) / (time.time() - began)


@torch.inference_mode()
def joint(encoder: HybridEncoder, features: Tensor) -> Tensor:
    """Unit features of the joint space, (N, D), of features before the projection."""
    return F.normalize(encoder.project(features), dim=-1)


@torch.inference_mode()
def zero_shot(encoder: HybridEncoder, features: Tensor, truth: Tensor, names: list[str], template: str) -> float:
    """Share of images whose nearest class name is the right one."""
    classes = encoder.encode_texts([template.format(name) for name in names])
    return float(((features @ classes.T).argmax(1) == truth).float().mean())


def probe(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Accuracy of a logistic regression on the features; a fifth of the training part chooses its strength."""
    features, labels = (part.numpy() for part in train)
    held = np.arange(len(labels)) % 5 == 4
    best = max(
        STRENGTHS, key=lambda c: regression(features[~held], labels[~held], c).score(features[held], labels[held])
    )
    return float(regression(features, labels, best).score(*(part.numpy() for part in test)))


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


def indexed(labels: list[str], classes: list[str]) -> Tensor:
    """Place of each label among the classes."""
    place = {name: number for number, name in enumerate(classes)}
    return torch.tensor([place[label] for label in labels])


def cifar(encoder: HybridEncoder, data: Path, template: str) -> dict[str, float]:
    """Zero-shot and probes on CIFAR-10, a data set that the model has not seen."""
    images, labels = decode([data / "cifar10-test.parquet"], "label_true")
    classes = sorted(set(labels))
    test, speed = pooled(encoder, images)
    truth = indexed(labels, classes)
    images, labels = decode([data / "cifar10n-train.parquet"], "label_true")
    train, _ = pooled(encoder, images)
    answers, unit = indexed(labels, classes), (joint(encoder, train), joint(encoder, test))
    found = {"images/s, float32": speed}
    found["CIFAR-10 test, zero-shot"] = zero_shot(encoder, unit[1], truth, classes, template)
    for space, (known, unseen) in {"joint space": unit, "before it": (train, test)}.items():
        for count in (10_000, 50_000):
            name = f"CIFAR-10 test, linear probe {space}, {count // 1000}k train"
            found[name] = probe((known[:count], answers[:count]), (unseen, truth))
    return found


def evaluate(encoder: HybridEncoder, data: Path) -> dict[str, float]:
    """All figures of the model card.

    Args:
        encoder: The model.
        data: Folder of the Parquet files.

    Returns:
        Accuracies between 0 and 1 by name, and the images per second.
    """
    photo = "a photo of a {}."
    found = cifar(encoder, data, photo)
    ids = json.loads((data / "tiny-imagenet-classes.json").read_text())
    images, labels = decode([data / "tiny-imagenet-val.parquet"], "label")
    test = joint(encoder, pooled(encoder, images)[0])
    truth = indexed(labels, list(ids))
    names = [words.split(",")[0] for words in ids.values()]
    found["Tiny-ImageNet val, zero-shot"] = zero_shot(encoder, test, truth, names, photo)
    half = len(test) // 2
    found["Tiny-ImageNet val, linear probe on its other half"] = np.mean(
        [probe((a, x), (b, y)) for a, x, b, y in _halves(test, truth, half)]
    ).item()
    images_, truth = digit_images()
    test = joint(encoder, pooled(encoder, images_)[0])
    found["digits, zero-shot, zero..nine"] = zero_shot(encoder, test, truth, list(DIGITS), "{}")
    found["digits, zero-shot, a photo of a zero..nine."] = zero_shot(encoder, test, truth, list(DIGITS), photo)
    half = len(test) // 2
    found["digits, linear probe on the other half"] = np.mean(
        [probe((a, x), (b, y)) for a, x, b, y in _halves(test, truth, half)]
    ).item()
    return found


def _halves(features: Tensor, truth: Tensor, half: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    first, second = (features[:half], truth[:half]), (features[half:], truth[half:])
    return [(*first, *second), (*second, *first)]
