"""Pre-norm transformer layers of the image towers, which compute only what is read of them.

Shapes: B images, L tokens, n prompts, W width, H heads, d = W / H.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deft.encoders.cast_cache import NarrowCopies

QUICK = 1.702  # of the quick GELU
SCORES_PER_TOKEN = 4  # times the width: as much as the MLP holds


class Block(nn.Module):
    """A pre-norm transformer layer (CLIP's and SigLIP's alike) whose attention can read extra tokens.

    The extra tokens have keys and values but no queries, so all others attend to them and the layer has no output at
    their places. Visual prompts need no more: the output at their places would be replaced by the next layer's
    prompts. As they are the same for all images, they are normed and projected once per batch. All of it is exact
    (`tests/tuning/test_vpt.py`).

    Args:
        layer: A layer of Hugging Face's CLIP or SigLIP; its parts are taken over under their names.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        for name, part in layer.named_children():
            self.add_module(name, part)
        self._narrow = NarrowCopies()

    def forward(self, tokens: Tensor, prompts: Tensor | None = None, first: int | None = None) -> Tensor:
        """Return tokens of the next layer.

        Args:
            tokens: (B, L, W).
            prompts: Extra tokens, (n, W) for all images or (B, n, W).
            first: How many of the first tokens are computed; the others only serve as keys and values.

        Returns:
            (B, L, W), or (B, first, W).
        """
        parts: Any = self
        attention, linear = parts.self_attn, self._narrow.linear
        normed = self._narrow.cast(parts.layer_norm1(tokens))
        queries = linear(attention.q_proj, normed[:, :first])
        keys, values = linear(attention.k_proj, normed), linear(attention.v_proj, normed)
        if prompts is not None:
            extra = self._narrow.cast(parts.layer_norm1(prompts.to(tokens.dtype)))
            keys = _append(keys, linear(attention.k_proj, extra))
            values = _append(values, linear(attention.v_proj, extra))
        tokens = tokens[:, :first] + linear(attention.out_proj, _attend(queries, keys, values, attention.num_heads))
        return tokens + feed_forward(parts.mlp, parts.layer_norm2(tokens), self._narrow)


def feed_forward(mlp: Any, normed: Tensor, narrow: NarrowCopies) -> Tensor:
    """Return what the MLP of a layer of Hugging Face's CLIP or SigLIP adds, (..., W).

    CLIP's quick GELU x·σ(1.702 x) is computed as a scaled SiLU: fewer passes over the widest tensor, and one of its
    size less to keep for the way back.

    Args:
        mlp: The two linear layers and the function between them.
        normed: What enters it, (..., W).
        narrow: The frozen weights in the format of autocast.
    """
    from transformers.activations import QuickGELUActivation  # here, for it takes longer than the rest to import

    inner = narrow.linear(mlp.fc1, narrow.cast(normed))
    if isinstance(mlp.activation_fn, QuickGELUActivation):
        inner = F.silu(inner * QUICK).mul_(1 / QUICK)
    else:
        inner = mlp.activation_fn(inner)
    return narrow.linear(mlp.fc2, inner)


def as_blocks(layers: nn.ModuleList) -> None:
    """Put a block in the place of every layer; names, order and weights of the parameters stay."""
    for depth, layer in enumerate(layers):
        layers[depth] = Block(layer)


def class_token(layers: Iterable[nn.Module], tokens: Tensor) -> Tensor:
    """Return what the last layer gives at the first place, (B, W), without computing its other places.

    Args:
        layers: Blocks.
        tokens: What enters the first of them, (B, L, W).
    """
    *before, last = layers
    for layer in before:
        tokens = layer(tokens)
    first: Tensor = last(tokens, first=1)
    return first[:, 0]


def _append(own: Tensor, extra: Tensor) -> Tensor:
    """Return tokens with more tokens appended, (B, L + n, W), from (B, L, W) and (n, W) or (B, n, W)."""
    return torch.cat([own, extra.expand(len(own), -1, -1)], dim=1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Return the attention, (B, Q, W), of queries (B, Q, W) and keys and values (B, L, W)."""
    queries, keys, values = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (queries, keys, values))
    size = queries.shape[-1]
    if queries.shape[2] == 1 or _prefers_products(keys):
        gathered = (queries * size**-0.5 @ keys.mT).softmax(dim=-1) @ values
    else:
        gathered = F.scaled_dot_product_attention(queries, keys, values)
    merged: Tensor = gathered.transpose(1, 2).flatten(2)
    return merged


def _prefers_products(keys: Tensor) -> bool:
    """Return whether two batched products beat torch's fused attention, (B, H, L, d).

    In bfloat16 on a CPU they do, mostly on the way back (docs/speed.md); they keep the scores, so they are used
    only while these are small beside what the MLP keeps.
    """
    _, _, length, size = keys.shape
    return keys.device.type == "cpu" and keys.dtype == torch.bfloat16 and length <= SCORES_PER_TOKEN * size
