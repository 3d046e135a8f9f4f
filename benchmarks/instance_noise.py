"""What instance-dependent noise looks like when features are standardised, and when raw pixels are projected.

Command: python -m benchmarks.instance_noise --data ../shared/data/cifar10n-train.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from deft.data.image_spec import ImageSpec
from deft.data.load import load_images
from deft.noise import instance_dependent
from deft.training.pixel_store import PixelStore

Scale = Literal["standardised", "raw"]


def spread(given: np.ndarray, truth: np.ndarray, classes: int) -> tuple[float, float]:
    """Return the share of a class's wrong labels that its largest wrong class has, and their entropy in nats.

    Args:
        given: Labels with noise, (N,).
        truth: True labels, (N,).
        classes: Number of classes K.

    Returns:
        Both as means over the classes.
    """
    counts = np.zeros((classes, classes))
    wrong = given != truth
    np.add.at(counts, (truth[wrong], given[wrong]), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return float(shares.max(axis=1).mean()), float(-(shares * logs).sum(axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of CIFAR-10N")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    images = load_images(asked.data, label_column="label_true").keep(np.arange(asked.count))
    spec = ImageSpec(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    with PixelStore.build(images, spec, None) as store:
        pixels = np.asarray(store.read(np.arange(len(images))))
    for scale in get_args(Scale):
        found = [
            spread(
                instance_dependent(
                    pixels, images.labels, asked.rate, num_classes=len(images.classes), seed=seed, scale=scale
                ),
                images.labels,
                len(images.classes),
            )
            for seed in range(asked.seeds)
        ]
        share, entropy = np.mean(found, axis=0)
        print(f"{scale:13} largest wrong class {share:.3f} of a class's wrong labels, entropy {entropy:.2f} nats")


if __name__ == "__main__":
    main()
