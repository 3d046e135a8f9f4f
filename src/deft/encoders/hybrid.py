"""The hybrid of `tiny`: a convolutional trunk, a few transformer layers on its grid, a causal text tower."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from deft.data.image_spec import RGB, ImageSpec
from deft.encoders.base import DualEncoder
from deft.encoders.block import Block, class_token
from deft.encoders.efficientnet_lite import TRUNK_CHANNELS, TRUNK_STRIDE, Trunk
from deft.encoders.text import CausalTextTower
from deft.errors import ModelError
from deft.files import parse_json

MODEL_TYPE = "deft-hybrid"
CPU_IMAGES = 32  # that go through the trunk at a time on a CPU, at most; half of them at least, if there are more


@dataclass(frozen=True)
class HybridConfig:
    """Every size of a hybrid; what its `config.json` holds.

    Args:
        image_size: Side of the images in pixels, a multiple of 32.
        image_mean: Per-channel mean of the values in 0..1.
        image_std: Per-channel standard deviation of the values in 0..1.
        width: Width W of the image tokens.
        depth: Number of transformer layers on top of the trunk.
        heads: Attention heads of these layers.
        inner: Width inside their MLPs.
        dim: Width D of the joint space.
        text_width: Width of the text tokens.
        text_depth: Number of text layers.
        text_heads: Attention heads of the text layers.
        text_inner: Width inside the text layers' MLPs.
        vocabulary: Number of text tokens.
        max_length: Largest number of tokens in a prompt.
        start_id: Id of the start token.
        end_id: Id of the end token; not 2, which transformers reads as a mark of old checkpoints.
        logit_scale: Inverse temperature of the similarities.
    """

    image_size: int = 192
    image_mean: RGB = (0.498, 0.498, 0.498)
    image_std: RGB = (0.502, 0.502, 0.502)
    width: int = 256
    depth: int = 2
    heads: int = 4
    inner: int = 256
    dim: int = 256
    text_width: int = 192
    text_depth: int = 2
    text_heads: int = 4
    text_inner: int = 384
    vocabulary: int = 4096
    max_length: int = 77
    start_id: int = 0
    end_id: int = 1
    logit_scale: float = 100.0

    @property
    def grid(self) -> int:
        """Side of the trunk's grid."""
        return self.image_size // TRUNK_STRIDE

    @classmethod
    def read(cls, path: Path) -> HybridConfig:
        """Return the sizes in a `config.json`.

        Raises:
            ModelError: The file is of another model or lacks a size.
        """
        raw = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise ModelError(f"{path} is not a model's configuration.")
        if raw.pop("model_type", None) != MODEL_TYPE:
            raise ModelError(f"{path} does not describe a {MODEL_TYPE!r} model.")
        for key in ("image_mean", "image_std"):
            raw[key] = tuple(raw.get(key, ()))
        try:
            return cls(**raw)
        except TypeError as error:
            raise ModelError(f"{path} does not fit this version of deft: {error}.") from error

    def write(self, path: Path) -> None:
        """Write these sizes as a `config.json`."""
        settings = {"model_type": MODEL_TYPE, **asdict(self)}
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


class HybridVision(nn.Module):
    """The image tower: trunk, projection of its grid to tokens, transformer layers, projection.

    The class token starts as the mean of the projected grid, so that what is linear in the pooled features
    of the trunk needs no attention to reach the output.

    Args:
        config: The sizes.
    """

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.project = nn.Linear(TRUNK_CHANNELS, config.width)
        self.positions = nn.Parameter(torch.zeros(1 + config.grid**2, config.width))
        layer = CLIPVisionConfig(
            hidden_size=config.width,
            intermediate_size=config.inner,
            num_attention_heads=config.heads,
            num_hidden_layers=config.depth,
            hidden_act="gelu",
            attn_implementation="sdpa",
        )
        self.layers = nn.ModuleList([Block(CLIPEncoderLayer(layer)) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.dim, bias=False)

    def tokens(self, grid: Tensor) -> Tensor:
        """Return class token and grid tokens, (B, 1 + h * w, W), of the trunk's features, (B, 1280, h, w)."""
        return self.embed(grid.flatten(2).transpose(1, 2))

    def embed(self, features: Tensor) -> Tensor:
        """Return class token and grid tokens, (B, 1 + L, W), of features in reading order, (B, L, 1280)."""
        projected = self.project(features)
        return torch.cat([projected.mean(1, keepdim=True), projected], dim=1) + self.positions

    def pool(self, tokens: Tensor, layer: int = 0) -> Tensor:
        """Return the class token after the last norm, (B, W), of the tokens that enter a layer, (B, L, W)."""
        pooled: Tensor = self.norm(class_token(list(self.layers)[layer:], tokens))
        return pooled

    def features(self, tokens: Tensor) -> Tensor:
        """Return unit features, (B, D), of the tokens that enter the first layer, (B, L, W)."""
        return F.normalize(self.head(self.pool(tokens)), dim=-1)


class HybridEncoder(DualEncoder):
    """A convolutional trunk with transformer layers on top, and a causal text tower: the bundled `tiny`.

    The trunk costs far more than the layers, so it belongs to the stem, whose tokens can be kept.

    Args:
        config: The sizes.
        tokenizer: Tokenizer of the text tower.
        name: What it is called.

    Example:
        >>> from deft.encoders.load import TINY
        >>> encoder = load_hybrid(TINY)
        >>> encoder.encode_texts(["a photo of a cat."]).shape
        torch.Size([1, 256])
    """

    text: CausalTextTower

    def __init__(self, config: HybridConfig, tokenizer: Any, name: str = "tiny") -> None:
        super().__init__()
        self.name = name
        self.config = config
        self.spec = ImageSpec(config.image_size, config.image_mean, config.image_std)
        self._vision = HybridVision(config)
        self.text = CausalTextTower(CLIPTextModelWithProjection(_text_config(config)), tokenizer)
        self.register_buffer("_logit_scale", torch.tensor(config.logit_scale), persistent=False)

    @property
    def visual(self) -> HybridVision:
        return self._vision

    @property
    def layers(self) -> nn.ModuleList:
        return self._vision.layers

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def patch_size(self) -> int:
        return TRUNK_STRIDE

    @property
    def logit_scale(self) -> Tensor:
        return self.get_buffer("_logit_scale")

    @property
    def heavy_stem(self) -> bool:
        return True

    def stem(self, pixels: Tensor) -> Tensor:
        # In parts of much the same size: of a few images the kernels depend on the number of threads.
        count = -(-len(pixels) // CPU_IMAGES) if pixels.device.type == "cpu" else 1
        parts = pixels.tensor_split(max(count, 1))
        return torch.cat([self._vision.tokens(self._vision.trunk(part)) for part in parts])

    def pool(self, tokens: Tensor, layer: int = 0) -> Tensor:
        return self._vision.pool(tokens, layer)

    @property
    def pooled_width(self) -> int:
        return self.config.width

    def project(self, pooled: Tensor) -> Tensor:
        projected: Tensor = self._vision.head(pooled)
        return projected


def load_hybrid(folder: str | Path) -> HybridEncoder:
    """Load a hybrid from its folder, frozen, in float32 and evaluation mode.

    Args:
        folder: Where `config.json`, `model.safetensors` and the tokenizer's files lie.

    Raises:
        ModelError: A file is missing or does not fit the others.
    """
    folder = Path(folder)
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / file).is_file():
            raise ModelError(f"The folder {folder} lacks {file}, so no model can be loaded from it.")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder))
    encoder = HybridEncoder(HybridConfig.read(folder / "config.json"), tokenizer, name=str(folder))
    try:
        encoder.load_state_dict(load_file(folder / "model.safetensors"))
    except RuntimeError as error:
        raise ModelError(f"The weights in {folder} do not fit its config.json: {error}") from error
    return encoder.float().eval().requires_grad_(False)


def _text_config(config: HybridConfig) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.text_width,
        intermediate_size=config.text_inner,
        projection_dim=config.dim,
        num_hidden_layers=config.text_depth,
        num_attention_heads=config.text_heads,
        max_position_embeddings=config.max_length,
        hidden_act="gelu",
        bos_token_id=config.start_id,
        eos_token_id=config.end_id,
        pad_token_id=config.end_id,
        attn_implementation="sdpa",
    )
