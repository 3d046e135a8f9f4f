"""How wide the joint space has to be: what its axes keep of the published trunk, before anything is taught.

Command: python -m scripts.tiny.axes --photos ../photos    (needs the extra `train`)
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from scripts.tiny.evaluate import caltech, cross_probe, imagenet_sample
from scripts.tiny.features import calm_malloc, normalise, squares
from scripts.tiny.fold import folded_trunk, published
from scripts.tiny.targets import class_targets, joint_axes
from scripts.tiny.texts import imagenet_tree
from torch import Tensor

from deft.encoders.efficientnet_lite import LATE, Trunk, through

WIDTHS = (256, 320, 384, 512)


@torch.inference_mode()
def pooled(trunk: Trunk, files: Sequence[Path]) -> Tensor:
    """Mean features, (N, 1280), of photos by the published blocks."""
    early = (trunk.early(normalise(part)) for part in squares(files))
    return torch.cat([F.relu6(trunk.head(through(trunk.blocks[LATE:], part))).mean((2, 3)) for part in early])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the sets at full size")
    photos: Path = parser.parse_args().photos
    calm_malloc()
    trunk, weights, biases = folded_trunk(published())
    files, truth = imagenet_sample(photos, imagenet_tree())
    others, kinds, _ = caltech(photos)
    sample, strange = pooled(trunk, files), pooled(trunk, others)
    right = (F.linear(sample, weights, biases).argmax(1) == truth).float().mean()
    print(f"classifier {right:.1%}, probe of its features {cross_probe(strange, kinds):.1%}", flush=True)
    for width in WIDTHS:
        axes = joint_axes(weights, width)
        alike = F.normalize(sample @ axes.T, dim=-1) @ class_targets(weights, axes).T
        right = (alike.argmax(1) == truth).float().mean()
        probed = cross_probe(F.normalize(strange @ axes.T, dim=-1), kinds)
        print(f"{width} axes: zero-shot {right:.1%}, probe {probed:.1%}", flush=True)


if __name__ == "__main__":
    main()
