"""What it does to the verdict that a step of training shows a group of the classes, where there are many.

    python -m benchmarks.class_groups --data ../shared/data

Of more than 256 classes each step shows one random group with the images that bear its labels (`Recipe(classes=256)`).
Here the group is made smaller than the 200 classes of Tiny-ImageNet, so that it can be compared with steps over all of
them: 2,000 photos of the file that settings were chosen on, a fifth of the labels made wrong, three seeds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.settings import Bank, Case
from benchmarks.verdicts import deft, measured
from deft.detectors.deft import DeFT
from deft.encoders.load import load_encoder
from deft.noise import symmetric

GROUPS = (None, 100, 64)  # classes of a step; None for all
WRONG = 0.2


def noisy(case: Case, count: int, seed: int) -> Case:
    """Return so many photos, drawn by the seed, with a fifth of their labels wrong."""
    rows = np.sort(np.random.default_rng([seed, 1]).permutation(len(case.images))[:count])
    some = case.keep(rows)
    assert some.images.clean_labels is not None
    labels = symmetric(some.images.clean_labels, WRONG, num_classes=len(some.images.classes), seed=seed)
    return some.relabel(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deft-benchmarks", help="of embeddings")
    parser.add_argument("--count", type=int, default=2000, help="photos of a run")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    encoder = load_encoder("tiny", device="cpu")
    whole = Bank(options.data, options.data, options.cache, encoder, rows="tuning").case("tiny_imagenet")
    classes = len(whole.images.classes)
    print(
        f"{options.count:,} photos of {classes} classes, {WRONG:.0%} of the labels wrong; F1, and seconds of processors"
    )
    print(
        "classes a step  " + "  ".join(f"seed {seed}" for seed in range(options.seeds)) + "    mean  AP mean  seconds"
    )
    for group in GROUPS:
        began, scores = time.process_time(), []
        for seed in range(options.seeds):
            case, base = noisy(whole, options.count, seed), DeFT(encoder, seed=seed)
            detector = replace(base, recipe=replace(base.recipe, classes=group))
            scores.append(measured(case, deft(lambda *_, own=detector: own)(encoder, case, seed)))
        seconds = (time.process_time() - began) / options.seeds
        f1 = [one["f1"] for one in scores]
        precision = sum(one["average_precision"] for one in scores) / len(scores)
        cells = "  ".join(f"{one:6.3f}" for one in f1)
        print(
            f"{group or classes:>14}  {cells}  {sum(f1) / len(f1):6.3f}  {precision:7.3f}  {seconds:7.1f}", flush=True
        )


if __name__ == "__main__":
    main()
