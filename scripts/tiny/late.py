"""The second set of the trunk's late blocks learns small, blurred photos; all other blocks stay as ImageNet made them.

EfficientNet-Lite0 was trained on sharp photos of 224 pixels. What its common blocks make of photos that were only 32 or
64 pixels wide is kept on disk, so that teaching the late ones takes minutes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scripts.tiny.train import SPREAD, set_rate, share_of_rate
from torch import Tensor, nn

from deft.encoders.efficientnet_lite import TRUNK_CHANNELS, Trunk

PHOTOS, GLYPHS = 112, 16  # in a batch
MIXED = 0.4  # Beta(a, a) of the mixup
RATE, DECAY = 1e-3, 0.02
LABELS, DRAWN = 0.5, 0.25  # weights of the labels and of the glyphs

Classifier = tuple[Tensor, Tensor]


@dataclass
class Early:
    """What left the common blocks.

    Args:
        views: Of the photos, the first view being the clear one, (N, 192, 6, 6) each.
        labels: Class of each photo, (N,).
        glyphs: The same of glyph pictures, (G, 192, 6, 6).
        glyph_labels: Glyph of each picture, (G,).
    """

    views: list[np.ndarray]
    labels: Tensor
    glyphs: np.ndarray
    glyph_labels: Tensor

    @property
    def classes(self) -> int:
        """How many classes the photos have."""
        return int(self.labels.max()) + 1


def read_early(work: Path) -> Early:
    """What `prepare_images` left in the work folder, mapped from disk."""
    names = json.loads((work / "photos-labels.json").read_text())
    place = {name: number for number, name in enumerate(sorted(set(names)))}
    return Early(
        views=[np.load(file, mmap_mode="r") for file in sorted(work.glob("early-[0-9].npy"))],
        labels=torch.tensor([place[name] for name in names]),
        glyphs=np.load(work / "early-glyphs.npy"),
        glyph_labels=torch.from_numpy(np.load(work / "glyphs-labels.npy")),
    )


class Late(nn.Module):
    """The late blocks with three heads: the photos' classes, the 1000 of ImageNet, and glyphs.

    Args:
        trunk: Its late blocks for small pictures and its last convolution, which stays as it is, are borrowed.
        classifier: What sat on the trunk, weights (1000, 1280) and biases (1000,).
        classes: Number of the photos' classes.
    """

    def __init__(self, trunk: Trunk, classifier: Classifier, classes: int) -> None:
        super().__init__()
        self.blocks, self.head = trunk.small, trunk.head.requires_grad_(False)
        self.classes = nn.Linear(TRUNK_CHANNELS, classes)
        self.glyphs = nn.Linear(TRUNK_CHANNELS, 36)
        self.imagenet = nn.Linear(TRUNK_CHANNELS, len(classifier[1]))
        with torch.no_grad():
            self.imagenet.weight.copy_(classifier[0])
            self.imagenet.bias.copy_(classifier[1])

    def pooled(self, maps: Tensor) -> Tensor:
        """Mean features, (B, 1280), of what left the common blocks, (B, 192, 6, 6)."""
        with torch.autocast("cpu", torch.bfloat16):
            features = F.relu6(self.head(as_products(self.blocks, maps))).mean((2, 3))
        return features.float()


def as_products(blocks: Iterable[nn.Module], maps: Tensor) -> Tensor:
    """What `through` gives, computed by matrix products alone: on a CPU the way back is twice as fast.

    On a grid of 6 x 6 cells a depthwise convolution is a matrix of 36 x 36 for each channel.
    """
    size = maps.shape[2:]
    cells: Tensor = maps.flatten(2).transpose(1, 2)
    block: Any
    for block in blocks:
        wide = F.relu6(F.linear(cells, block.expand.weight.flatten(1), block.expand.bias))
        kernel = block.depthwise.weight.flatten(1)
        reach = neighbours(block.depthwise.kernel_size[0], *size)
        filtered = torch.bmm(wide.permute(2, 0, 1), (kernel @ reach.flatten(1)).unflatten(1, reach.shape[1:]))
        filtered = F.relu6((filtered.permute(1, 2, 0) + block.depthwise.bias).contiguous())
        narrow = F.linear(filtered, block.project.weight.flatten(1), block.project.bias)
        cells = narrow + cells if block.residual else narrow
    found: Tensor = cells.transpose(1, 2).unflatten(2, size)
    return found


@cache
def neighbours(kernel: int, height: int, width: int) -> Tensor:
    """Which cell each weight of an odd kernel reads for each cell, (kernel², height * width, height * width)."""
    found, middle = torch.zeros(kernel, kernel, height, width, height, width), kernel // 2
    for y, x, dy, dx in product(range(height), range(width), range(kernel), range(kernel)):
        row, column = y + dy - middle, x + dx - middle
        if 0 <= row < height and 0 <= column < width:
            found[dy, dx, row, column, y, x] = 1
    return found.flatten(4, 5).flatten(2, 3).flatten(0, 1)


@dataclass
class Teacher:
    """The published trunk's view of the photos.

    Args:
        features: Mean features of the clear view, (N, 1280).
        spread: Standard deviation of each feature, (1280,).
        classifier: What sits on them.
    """

    features: Tensor
    spread: Tensor
    classifier: Classifier


def teach_trunk(trunk: Trunk, classifier: Classifier, early: Early, *, steps: int, seed: int) -> Classifier:
    """Train a trunk's late blocks for small pictures on all views of the photos.

    Whatever the view, the published trunk's features of the clear one are to come out, and its classifier's opinion of
    them; so nothing that it knows of other classes is forgotten. The photos' own classes are learned beside.

    Args:
        trunk: Its late blocks for small pictures are changed; they are exact in float16 afterwards.
        classifier: What sat on it.
        early: The training data.
        steps: How many batches.
        seed: Seed of everything drawn.

    Returns:
        The classifier of ImageNet's classes that fits the new trunk.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    late = Late(trunk.requires_grad_(False), classifier, early.classes)
    clear = clear_features(late, early.views[0])  # by the published blocks, which these are until they have learned
    teacher = Teacher(clear, clear[::10].float().std(dim=0) + SPREAD, classifier)
    late.requires_grad_(True)
    late.head.requires_grad_(False)
    adam = _optimiser(late)
    running = 0.0
    for step in range(steps):
        set_rate(adam, share_of_rate(step, step / steps))
        loss = late_loss(late, early, teacher, rng)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in late.parameters() if p.requires_grad], 2.0)
        adam.step()
        running += max(0.02, 1 / (step + 1)) * (loss.item() - running)
        if (step + 1) % 100 == 0:
            print(f"  trunk: step {step + 1}, loss {running:.3f}", flush=True)
    for parameter in trunk.parameters():
        parameter.data = parameter.data.half().float()
    late.requires_grad_(False)
    return late.imagenet.weight.detach(), late.imagenet.bias.detach()


def _optimiser(late: Late) -> torch.optim.AdamW:
    """AdamW; new heads learn faster, the old one slower."""
    fast, slow = [late.classes, late.glyphs], [late.imagenet]
    middle = [late.blocks]
    groups = [
        {"params": [p for part in parts for p in part.parameters()], "lr": rate}
        for parts, rate in ((middle, RATE), (fast, 2 * RATE), (slow, RATE / 3))
    ]
    return torch.optim.AdamW(groups, weight_decay=DECAY, fused=True)


@torch.no_grad()
def clear_features(late: Late, clear: np.ndarray) -> Tensor:
    """Mean features of every photo in the clear view, (N, 1280) float16."""
    return torch.cat([late.pooled(_maps(clear[i : i + 64])).half() for i in range(0, len(clear), 64)])


def late_loss(late: Late, early: Early, teacher: Teacher, rng: np.random.Generator) -> Tensor:
    """Distance to the teacher's features and opinions over mixed photos, and to the labels of photos and glyphs."""
    rows = np.sort(rng.integers(len(early.labels), size=PHOTOS))
    which = rng.integers(len(early.views), size=PHOTOS)
    photos = _maps(np.stack([early.views[view][row] for view, row in zip(which, rows, strict=True)]))
    photos = torch.where(torch.from_numpy(rng.random(PHOTOS) < 0.5)[:, None, None, None], photos.flip(-1), photos)
    share, other = float(rng.beta(MIXED, MIXED)), torch.from_numpy(rng.permutation(PHOTOS))
    drawn = rng.integers(len(early.glyphs), size=GLYPHS)
    maps = torch.cat([share * photos + (1 - share) * photos[other], _maps(early.glyphs[drawn])])
    features = late.pooled(maps.contiguous(memory_format=torch.channels_last))
    seen = F.dropout(features, 0.2)
    wanted = teacher.features[rows].float()
    wanted = share * wanted + (1 - share) * wanted[other]
    apart = ((features[:PHOTOS] - wanted) / teacher.spread).square().mean()
    told = F.linear(teacher.features[rows].float(), *teacher.classifier).softmax(dim=-1)
    kept = F.cross_entropy(late.imagenet(seen[:PHOTOS]), share * told + (1 - share) * told[other])
    labels, logits = early.labels[rows], late.classes(seen[:PHOTOS])
    own = share * F.cross_entropy(logits, labels) + (1 - share) * F.cross_entropy(logits, labels[other])
    drawn_as = F.cross_entropy(late.glyphs(seen[PHOTOS:]), early.glyph_labels[drawn])
    return apart + kept + LABELS * own + DRAWN * drawn_as


def _maps(kept: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(kept)).float().contiguous(memory_format=torch.channels_last)
