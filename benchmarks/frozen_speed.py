"""What DeFT as typed costs beside one pass of its encoder, from 10 to 10,000 classes.

    python -m benchmarks.frozen_speed                                   # 5,000 images
    python -m benchmarks.frozen_speed --count 1000 --classes 10 200     # a shorter look

The pass is label-match on random pictures of 32 pixels; what comes after it is timed on made features (a place for each
class, and noise; 20 % of the labels wrong), which cost what real ones do. cleanlab's road is the same pass and five
folds of logistic regression at one strength. Seconds are the processors' own, so that other jobs count for little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.settings import inputs_of
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.detectors.deft_weighing import frozen_features
from deft.detectors.label_match import LabelMatch
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.evidence.folds import content_keys
from deft.evidence.probe import probe
from deft.noise import symmetric
from deft.training.workspace import Workspace
from deft.tuning import Frozen

MOST_PRESET = 200  # classes up to which presets are measured: at 1,000 they take many minutes
SIDE, APART, WRONG = 32, 0.6, 0.2
FIRST = ("red", "blue", "old", "new", "big", "small", "oak", "pine", "steel", "glass", "left", "round", "flat", "dark")
SECOND = ("cat", "dog", "car", "ship", "bird", "chair", "lamp", "tree", "fish", "house", "coat", "boot", "horn", "ring")


@dataclass(frozen=True)
class Made:
    """Features with labels.

    Args:
        images: Given labels and the truth, N of them; the pictures are black.
        pooled: (N, P).
    """

    images: LabeledImages
    pooled: torch.Tensor

    @classmethod
    def of(cls, encoder: DualEncoder, count: int, classes: int) -> Made:
        """Return so many images of so many classes."""
        rng = np.random.default_rng(0)
        truth = rng.permutation(np.arange(count) % classes)
        places = APART * rng.normal(size=(classes, encoder.pooled_width))
        pooled = torch.from_numpy(places[truth] + rng.normal(size=(count, encoder.pooled_width))).float()
        images = load_images(
            np.zeros((count, 1, 1, 3), np.uint8),
            labels=symmetric(truth, WRONG, num_classes=classes, seed=0),
            classes=[f"{FIRST[k % 14]} {SECOND[k // 14 % 14]} {k // 196}" for k in range(classes)],
        )
        names = tuple(f"image {row}" for row in range(count))
        return cls(replace(images, clean_labels=truth, content=names), pooled)


def seconds_of(function: Callable[[], object]) -> float:
    """Return the processors' seconds that a call takes, those of its threads included."""
    start = time.process_time()
    function()
    return time.process_time() - start


def one_pass(encoder: DualEncoder, count: int) -> float:
    """Return what label-match takes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(count, SIDE, SIDE, 3), dtype=np.uint8)
    images = load_images(pixels, labels=np.arange(count) % 10, classes=list(SECOND[:10]))
    with tempfile.TemporaryDirectory() as folder:
        return seconds_of(lambda: LabelMatch(encoder).detect(images, workspace=Workspace(Path(folder), workers=1)))


def after_the_pass(detector: DeFT, made: Made) -> float:
    """Return what learning and judging take, once the features are there."""
    features = made.pooled
    if detector.recipe.features == "joint":
        with torch.no_grad():
            features = torch.nn.functional.normalize(detector.encoder.project(features), dim=-1)
    inputs, space = inputs_of(features, made.images, detector.encoder, detector.reading), Workspace()

    def learn() -> None:
        with frozen_features(
            detector.encoder, detector.tuning, detector.recipe, inputs, space, detector.reading
        ) as frozen:
            detector.learn(made.images, inputs, frozen, space)

    return seconds_of(learn)


def folds(made: Made) -> float:
    """Return what cleanlab's probe takes."""
    labels, keys = made.images.labels, content_keys(made.images.content_id)
    features, classes = made.pooled.numpy(), len(made.images.classes)
    return seconds_of(lambda: probe(features, labels, keys, classes=classes, strengths=(0.1,)))


def frozen_table(count: int, numbers: list[int], *, presets: bool, passed: int | None = None) -> None:
    """Print the table; the pass is timed on `passed` images, and counted up."""
    encoder = load_encoder("tiny", device="cpu")
    base = one_pass(encoder, passed or count) * count / (passed or count)
    print(f"\nFrozen detection of {count:,} images, tiny, {torch.get_num_threads()} threads; seconds of processors")
    print(f"one pass (label-match): {base:.1f} s\n")
    print("Seconds after the pass, and pass and all in passes; cleanlab: five folds of logistic regression on the same")
    print("     K      deft  ratio  cleanlab  ratio" + ("     paper  ratio      weak  ratio" if presets else ""))
    for classes in numbers:
        made = Made.of(encoder, count, classes)
        took = [after_the_pass(DeFT(encoder), made), folds(made)]
        if presets and classes <= MOST_PRESET:
            some = (DeFT.paper(encoder, tuning=Frozen()), DeFT.for_weak_model(encoder, tuning=Frozen()))
            took += [after_the_pass(one, made) for one in some]
        print(f"{classes:>6} " + " ".join(f"{own:>9.1f} {1 + own / base:>6.2f}" for own in took), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="images N")
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 200, 1000, 10_000], help="numbers of classes K")
    parser.add_argument("--pass", dest="passed", type=int, help="images that the pass is timed on; default: all")
    parser.add_argument("--presets", action="store_true", help="the paper's and the weak model's settings as well")
    options = parser.parse_args()
    frozen_table(options.count, options.classes, presets=options.presets, passed=options.passed)


if __name__ == "__main__":
    main()
