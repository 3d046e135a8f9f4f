"""SigLIP (Zhai et al. 2023) and SigLIP 2 (Tschannen et al. 2025), from Hugging Face's modules."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deft.data.image_spec import ImageSpec
from deft.encoders.base import DualEncoder
from deft.encoders.block import as_blocks
from deft.encoders.checkpoint import read_checkpoint
from deft.encoders.siglip_text import BidirectionalTextTower


class SiglipEncoder(DualEncoder):
    """SigLIP: a vision transformer with attention pooling and a bidirectional text tower.

    Its logit bias is left out: it moves all similarities alike, so it cancels in the softmax over classes and in
    the comparison of the positive with the negative prompt.

    Args:
        model: A `transformers.SiglipModel`, or a `Siglip2Model` (used at its square resolution).
        tokenizer: Its tokenizer.
        spec: The pixels it wants.
        name: What it is called.
    """

    def __init__(self, model: Any, tokenizer: Any, spec: ImageSpec, name: str) -> None:
        super().__init__()
        self.name = name
        self.spec = spec
        self.text = BidirectionalTextTower(model.text_model, tokenizer)
        as_blocks(model.vision_model.encoder.layers)
        self._visual = model.vision_model
        self.register_buffer("_logit_scale", model.logit_scale.detach().float().exp().reshape(()))

    @property
    def visual(self) -> nn.Module:
        visual: nn.Module = self._visual
        return visual

    @property
    def layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._visual.encoder.layers
        return layers

    @property
    def width(self) -> int:
        return int(self._visual.config.hidden_size)

    @property
    def patch_size(self) -> int:
        return int(self._visual.config.patch_size)

    @property
    def logit_scale(self) -> Tensor:
        return self.get_buffer("_logit_scale")

    @property
    def heavy_stem(self) -> bool:
        return False

    def stem(self, pixels: Tensor) -> Tensor:
        if self._visual.config.model_type == "siglip2_vision_model":
            patches, shape = _patches(pixels, int(self._visual.config.patch_size))
            packed: Tensor = self._visual.embeddings(patches, shape)
            return packed
        tokens: Tensor = self._visual.embeddings(pixels)
        return tokens

    def pool(self, tokens: Tensor, layer: int = 0) -> Tensor:
        for block in list(self.layers)[layer:]:
            tokens = block(tokens)
        pooled: Tensor = self._visual.head(self._visual.post_layernorm(tokens))
        return pooled

    @property
    def pooled_width(self) -> int:
        return self.width

    def project(self, pooled: Tensor) -> Tensor:
        return pooled  # its attention pooling already ends in the joint space


def _patches(pixels: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return images as rows of patches, (B, h * w, side * side * 3), and their grid (B, 2), as SigLIP 2 reads them."""
    grid = pixels.unfold(2, side, side).unfold(3, side, side)  # (B, 3, h, w, side, side)
    batch, _, high, wide = grid.shape[:4]
    rows = grid.permute(0, 2, 3, 4, 5, 1).reshape(batch, high * wide, -1)
    return rows, torch.tensor([[high, wide]] * batch, device=pixels.device)


def load_siglip(name: str) -> SiglipEncoder:
    """Return a SigLIP or SigLIP 2 model from a hub id or a folder.

    Args:
        name: Its id or folder.

    Raises:
        ModelError: It can't be found, reached or read.
    """
    return SiglipEncoder(*read_checkpoint(name), name)
