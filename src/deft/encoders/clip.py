"""CLIP (Radford et al. 2021) of any size, from Hugging Face's modules."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from deft.data.image_spec import ImageSpec
from deft.encoders.base import DualEncoder
from deft.encoders.block import as_blocks, class_token
from deft.encoders.checkpoint import read_checkpoint
from deft.encoders.text import CausalTextTower


class _TextHalf(nn.Module):
    def __init__(self, text_model: nn.Module, text_projection: nn.Module) -> None:
        super().__init__()
        self.text_model = text_model
        self.text_projection = text_projection


class ClipEncoder(DualEncoder):
    """CLIP: a vision transformer that reads its class token, and a causal text tower.

    Args:
        model: A `transformers.CLIPModel`.
        tokenizer: Its tokenizer.
        spec: The pixels it wants.
        name: What it is called.

    Example:
        >>> encoder = load_encoder("openai/clip-vit-base-patch16")  # doctest: +SKIP
        >>> encoder.encode_texts(["a photo of a cat."]).shape  # doctest: +SKIP
        torch.Size([1, 512])
    """

    def __init__(self, model: Any, tokenizer: Any, spec: ImageSpec, name: str) -> None:
        super().__init__()
        self.name = name
        self.spec = spec
        self.text = CausalTextTower(_TextHalf(model.text_model, model.text_projection), tokenizer)
        as_blocks(model.vision_model.encoder.layers)
        self._visual = nn.ModuleDict({"model": model.vision_model, "projection": model.visual_projection})
        self.register_buffer("_logit_scale", model.logit_scale.detach().float().exp().reshape(()))

    @property
    def visual(self) -> nn.Module:
        return self._visual

    @property
    def layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._visual["model"].encoder.layers  # type: ignore[union-attr, assignment]
        return layers

    @property
    def width(self) -> int:
        return int(self._visual["model"].config.hidden_size)  # type: ignore[union-attr, arg-type]

    @property
    def patch_size(self) -> int:
        return int(self._visual["model"].config.patch_size)  # type: ignore[union-attr, arg-type]

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.get_buffer("_logit_scale")
        return scale

    @property
    def heavy_stem(self) -> bool:
        return False

    def stem(self, pixels: Tensor) -> Tensor:
        model: Any = self._visual["model"]
        tokens: Tensor = model.pre_layrnorm(model.embeddings(pixels))
        return tokens

    def pool(self, tokens: Tensor, layer: int = 0) -> Tensor:
        model: Any = self._visual["model"]
        pooled: Tensor = model.post_layernorm(class_token(list(self.layers)[layer:], tokens))
        return pooled

    @property
    def pooled_width(self) -> int:
        return self.width

    def project(self, pooled: Tensor) -> Tensor:
        projected: Tensor = self._visual["projection"](pooled)
        return projected


def load_clip(name: str) -> ClipEncoder:
    """Return a CLIP model from a hub id or a folder.

    Args:
        name: Its id or folder.

    Raises:
        ModelError: It can't be found, reached or read.
    """
    return ClipEncoder(*read_checkpoint(name), name)
