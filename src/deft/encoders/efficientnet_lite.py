"""EfficientNet-Lite0 without its classifier: pixels to a grid of 1280 channels, batch norm folded in.

Its last blocks are there twice: as published, for photos at full size, and taught on small pictures, for pictures that
were enlarged.
"""

from __future__ import annotations

from collections.abc import Iterable

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
LARGE_MAPS, AT_ONCE = 6, 8  # first blocks, which a CPU takes so many images through at a time
LATE = 12
"""First of the blocks that are there twice."""

LATE_CHANNELS = 192
"""Channels that enter it."""


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
        """Return convolved maps, (B, C', H / stride, W / stride), of maps (B, C, H, W)."""
        if self.uneven is not None and input.device.type == "cpu":
            # A padded copy of the map costs more than the convolution. A kernel with one more row and column of
            # noughts, in front, does the same under even padding.
            wider = F.pad(self.weight, (1, 0, 1, 0))
            return F.conv2d(input, wider, self.bias, self.stride, self.uneven[1], self.dilation, self.groups)
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
        """Return maps (B, C', H / stride, W / stride) of maps (B, C, H, W)."""
        # In place, since maps as large as these cost more to find memory for than to compute.
        hidden: Tensor = maps if self.expand is None else F.relu6(self.expand(maps), inplace=True)
        hidden = self.project(F.relu6(self.depthwise(hidden), inplace=True))
        return hidden.add_(maps) if self.residual else hidden


class Trunk(nn.Module):
    """The convolutional part of EfficientNet-Lite0 (Tan & Le 2019; Lite by Liu 2020), ready for inference.

    Written anew from the published architecture; batch norm is expected to be folded into the convolutions.

    A picture of 32 pixels that was enlarged to 192 has none of the detail that the published weights look for. What
    the first 12 blocks make of a picture shows which kind it is, so each picture takes the last four blocks that were
    taught on its kind. The first blocks and the convolution behind the last are common to both.

    Attributes:
        blocks: All 16 blocks; those from `LATE` on are for photos at full size.
        small: What takes the place of the blocks from `LATE` on for small pictures.
        size_judge: Reads off the mean of the maps between them, (B, 192), whether a picture was small (positive).
        head: The last convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConv(3, STEM_CHANNELS, 3, 2)
        self.blocks = _blocks()
        self.small = _blocks()[LATE:]
        self.size_judge = nn.Linear(LATE_CHANNELS, 1)
        self.head = SameConv(STAGES[-1][-1], TRUNK_CHANNELS, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features on a grid.

        Args:
            pixels: Normalised images, (B, 3, H, W), H and W multiples of 32.

        Returns:
            Features, (B, 1280, H / 32, W / 32), between 0 and 6.
        """
        features: Tensor = F.relu6(self.head(self.late(self.early(pixels))), inplace=True)
        return features

    def early(self, pixels: Tensor) -> Tensor:
        """Return the maps between the shared blocks and those that exist twice, (B, 192, H / 32, W / 32)."""
        # On a CPU the maps of more images outgrow what the allocator keeps, and getting memory anew for every
        # convolution costs more than the convolution (docs/speed.md).
        parts = pixels.split(AT_ONCE) if pixels.device.type == "cpu" else (pixels,)
        maps = [self._large_maps(part.contiguous(memory_format=torch.channels_last)) for part in parts]
        return through(self.blocks[LARGE_MAPS:LATE], maps[0] if len(maps) == 1 else torch.cat(maps))

    def _large_maps(self, pixels: Tensor) -> Tensor:
        """Return the maps behind the first blocks, whose maps are large."""
        return through(self.blocks[:LARGE_MAPS], F.relu6(self.first(pixels), inplace=True))

    def late(self, maps: Tensor) -> Tensor:
        """Return the maps that enter the last convolution, (B, 320, h, w), of the maps that `early` gives."""
        small = self.looks_small(maps)
        parts = ((~small, self.blocks[LATE:]), (small, self.small))
        found = [through(blocks, _pick(maps, rows)) for rows, blocks in parts if bool(rows.any())]
        if len(found) == 1:
            return found[0]
        order = torch.cat([rows.nonzero()[:, 0] for rows, _ in parts]).argsort()
        return torch.cat(found)[order]

    def looks_small(self, maps: Tensor) -> Tensor:
        """Return whether each picture was small before it was enlarged, (B,) bool, by the maps that `early` gives."""
        weight, bias = self.size_judge.weight.float(), self.size_judge.bias.float()
        # Not by the layer itself, which autocast would round to eight bits.
        return (maps.mean((2, 3)).float() * weight).sum(dim=1) + bias > 0


def through(blocks: Iterable[nn.Module], maps: Tensor) -> Tensor:
    """Return the maps after some blocks, one after the other."""
    for block in blocks:
        maps = block(maps)
    return maps


def _blocks() -> nn.ModuleList:
    """Return all blocks in their order, untrained."""
    blocks: list[nn.Module] = []
    channels = STEM_CHANNELS
    for repeats, kernel, stride, expansion, outputs in STAGES:
        for repeat in range(repeats):
            blocks.append(InvertedResidual(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
            channels = outputs
    return nn.ModuleList(blocks)


def _pick(maps: Tensor, rows: Tensor) -> Tensor:
    """Return the maps of some images; unchanged if that is all of them."""
    return maps if bool(rows.all()) else maps[rows].contiguous(memory_format=torch.channels_last)
