"""SigLIP's text tower: every token sees every other, so little can be shared between prompts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deft.encoders.prompt_plan import PromptPlan
from deft.encoders.text import TextTower


class BidirectionalTextTower(TextTower):
    """SigLIP's text transformer (Zhai et al. 2023), which reads its result from the last of its 64 places.

    It was trained on prompts padded to their full length with the padding visible, so leaving padding out
    changes the features. What can be left out exactly is all but one token in the last layer, whose only
    reader is the pooled last place.

    Args:
        model: A `transformers.SiglipTextModel` or `Siglip2TextModel`.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self._tokenizer = tokenizer

    @property
    def width(self) -> int:
        return int(self.model.config.hidden_size)

    @property
    def max_length(self) -> int:
        return int(self.model.config.max_position_embeddings)

    @property
    def start(self) -> tuple[int, ...]:
        return ()

    @property
    def end(self) -> int:
        return int(self._tokenizer.eos_token_id)

    def tokenize(self, text: str) -> list[int]:
        # The SigLIP checkpoints were trained on lower-cased text.
        return list(self._tokenizer(text.lower(), add_special_tokens=False)["input_ids"])

    def embed_tokens(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.model.embeddings.token_embedding(ids)
        return embedded

    def encode_plan(self, plan: PromptPlan, context: Tensor) -> Tensor:
        slots, owners = self._padded(plan)
        sets, classes = len(context), len(plan)
        hidden = self.embed_plan(slots, owners, context).view(sets * classes, self.max_length, self.width)
        hidden = hidden + self.model.embeddings.position_embedding.weight
        *layers, last = self.model.encoder.layers
        for layer in layers:
            hidden = layer(hidden, None)
        pooled = self.model.head(self.model.final_layer_norm(_last_place(last, hidden)))
        return F.normalize(pooled, dim=-1).view(sets, classes, -1)

    def _padded(self, plan: PromptPlan) -> tuple[Tensor, Tensor]:
        """Return slots of all prompts padded to full length, and the prompt of each, (K * max_length,)."""
        pad = self._tokenizer.pad_token_id
        pad = self.end if pad is None else int(pad)
        rows = [[*slots, *[pad] * (self.max_length - len(slots))] for slots in plan.prompts]
        owners = torch.arange(len(plan)).repeat_interleave(self.max_length)
        return torch.tensor(rows).flatten(), owners


def _last_place(layer: Any, hidden: Tensor) -> Tensor:
    """Return what a transformer layer gives at the last place, (N, W), without computing the other places."""
    attention = layer.self_attn
    normed = layer.layer_norm1(hidden)
    heads = attention.num_heads
    queries = attention.q_proj(normed[:, -1:]).unflatten(-1, (heads, -1)).transpose(1, 2)
    keys = attention.k_proj(normed).unflatten(-1, (heads, -1)).transpose(1, 2)
    values = attention.v_proj(normed).unflatten(-1, (heads, -1)).transpose(1, 2)
    gathered = F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2)
    place = hidden[:, -1:] + attention.out_proj(gathered)
    place = place + layer.mlp(layer.layer_norm2(place))
    last: Tensor = place[:, 0]
    return last
