"""Which of a trunk's two sets of late blocks a picture takes: learned on photos that were shrunk to many sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scripts.tiny.features import SIDE, normalise, shrunk, square
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from deft.encoders.efficientnet_lite import LATE, Trunk, through

SIDES = (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, SIDE)
PHOTOS = 600  # of each side


@torch.inference_mode()
def teach_judge(trunk: Trunk, files: Sequence[Path], small: Sequence[np.ndarray], seed: int) -> dict[int, float]:
    """Set a trunk's judge of size so that each picture takes the late blocks that see more of it.

    Photos are shrunk to many sides. Of each size those blocks are the right ones whose mean features are nearer, on
    average, to what the published blocks make of the photos at full size.

    Args:
        trunk: Its judge is changed.
        files: Photos at full size.
        small: What left the common blocks for other small pictures, (N, 192, 6, 6) each.
        seed: Chooses the photos and pictures.

    Returns:
        By side, how much nearer the blocks for small pictures are (negative: farther), in mean squared error over the
        variance of the features.
    """
    rng = np.random.default_rng(seed)
    chosen = [files[row] for row in rng.permutation(len(files))[:PHOTOS]]
    pictures = [torch.from_numpy(square(file)).permute(2, 0, 1)[None].float() for file in chosen]
    maps = {side: _early(trunk, pictures, side) for side in SIDES}
    full = _features(trunk, maps[SIDE], small=False)
    variance = full.var(dim=0).mean()
    gains: dict[int, float] = {}
    for side in SIDES:
        errors = [(_features(trunk, maps[side], small=way) - full).square().mean() / variance for way in (False, True)]
        gains[side] = float(errors[0] - errors[1])
    rows: list[Tensor] = [maps[side].mean((2, 3)) for side in SIDES]
    truth = [np.full(len(chosen), gains[side] > 0) for side in SIDES]
    for part in small:
        some = part[np.sort(rng.permutation(len(part))[: 2 * PHOTOS])]
        rows.append(torch.from_numpy(some).float().mean((2, 3)))
        truth.append(np.ones(len(some), bool))
    _fit(trunk, torch.cat(rows).numpy(), np.concatenate(truth))
    return gains


def _fit(trunk: Trunk, means: np.ndarray, truth: np.ndarray) -> None:
    """Put a logistic regression into the judge."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(means, truth)
    scaler, regression = model[0], model[1]
    weight = regression.coef_[0] / scaler.scale_
    with torch.no_grad():
        trunk.size_judge.weight.copy_(torch.from_numpy(weight)[None])
        trunk.size_judge.bias.copy_(torch.from_numpy(regression.intercept_ - weight @ scaler.mean_))


def _early(trunk: Trunk, pictures: Sequence[Tensor], side: int) -> Tensor:
    parts = (torch.cat(list(pictures[i : i + 16])) for i in range(0, len(pictures), 16))
    return torch.cat([trunk.early(normalise(shrunk(part, side) if side < SIDE else part)) for part in parts])


def _features(trunk: Trunk, maps: Tensor, *, small: bool) -> Tensor:
    """Mean features, (N, 1280), by one of the two sets of late blocks."""
    blocks = trunk.small if small else trunk.blocks[LATE:]
    return torch.cat([F.relu6(trunk.head(through(blocks, part))).mean((2, 3)) for part in maps.split(64)])
