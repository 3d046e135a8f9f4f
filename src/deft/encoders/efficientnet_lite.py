"""EfficientNet-Lite0 without its classifier: pixels to a grid of 1280 channels, batch norm folded in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (repeats, kernel, stride, expansion, channels out), as in the TensorFlow release of EfficientNet-Lite0.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
TRUNK_CHANNELS = 1280
TRUNK_STRIDE = 32


class SameConv(nn.Conv2d):
    """Convolution with bias and TensorFlow's padding for sides that the stride divides.

    Such padding is uneven when the stride is 2: the odd pixel goes to the right and to the bottom.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel.
        stride: Stride, 1 or 2.
        groups: Groups of the convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        even = (kernel - stride) % 2 == 0
        super().__init__(inputs, outputs, kernel, stride, padding=(kernel - stride) // 2 if even else 0, groups=groups)
        before = (kernel - stride) // 2
        self.uneven = None if even else (before, before + 1, before, before + 1)

    def forward(self, input: Tensor) -> Tensor:
        """Convolved maps, (B, C', H / stride, W / stride), of maps (B, C, H, W)."""
        output: Tensor = super().forward(F.pad(input, self.uneven) if self.uneven else input)
        return output


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; the input is added where the shapes allow.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the depthwise kernel.
        stride: Stride of the depthwise kernel.
        expansion: Factor of the inner width; 1 leaves the first convolution out.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = SameConv(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = SameConv(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C', H / stride, W / stride) of maps (B, C, H, W)."""
        hidden: Tensor = maps if self.expand is None else F.relu6(self.expand(maps))
        hidden = self.project(F.relu6(self.depthwise(hidden)))
        return hidden + maps if self.residual else hidden


class Trunk(nn.Module):
    """The convolutional part of EfficientNet-Lite0 (Tan & Le 2019; Lite by Liu 2020), ready for inference.

    Written anew from the published architecture; batch norm is expected to be folded into the convolutions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConv(3, STEM_CHANNELS, 3, 2)
        blocks: list[nn.Module] = []
        channels = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for repeat in range(repeats):
                blocks.append(InvertedResidual(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(channels, TRUNK_CHANNELS, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features on a grid.

        Args:
            pixels: Normalised images, (B, 3, H, W), H and W multiples of 32.

        Returns:
            Features, (B, 1280, H / 32, W / 32), between 0 and 6.
        """
        maps = F.relu6(self.first(pixels.contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            maps = block(maps)
        features: Tensor = F.relu6(self.head(maps))
        return features
