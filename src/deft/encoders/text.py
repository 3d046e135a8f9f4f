"""Text towers: from sentences, or from learned context vectors and class names, to unit features.

Shapes: S sets of contexts, K prompts, M context vectors, P shared slots, T packed slots of their own,
L slots of the longest own part, W width of the tower, H heads, D width of the joint space.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deft.encoders.block import feed_forward
from deft.encoders.cast_cache import NarrowCopies
from deft.encoders.prompt_plan import PromptPlan, Slots, split_name
from deft.errors import ModelError
from deft.one_thread import softmax

NamePosition = Literal["end", "middle", "front"]


class TextTower(nn.Module, ABC):
    """Encodes prompts that mix words with learned vectors."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Width W of a token's embedding, so of a context vector."""

    @property
    @abstractmethod
    def max_length(self) -> int:
        """Largest number of tokens in a prompt."""

    @abstractmethod
    def tokenize(self, text: str) -> list[int]:
        """Return token ids of a text, without start and end tokens."""

    @property
    @abstractmethod
    def start(self) -> tuple[int, ...]:
        """Token ids that every prompt begins with."""

    @property
    @abstractmethod
    def end(self) -> int:
        """Id of the token that closes a prompt."""

    @abstractmethod
    def embed_tokens(self, ids: Tensor) -> Tensor:
        """Return embeddings of token ids, (..., W), without positions."""

    @abstractmethod
    def encode_plan(self, plan: PromptPlan, context: Tensor) -> Tensor:
        """Return unit features of planned prompts.

        Args:
            plan: The slots of K prompts.
            context: S sets of context vectors: (S, M, W) shared by all classes, or (S, K, M, W).

        Returns:
            Features of length one, (S, K, D).
        """

    def plan_prompts(
        self, names: Sequence[str], *, length: int, position: NamePosition = "end", shared: bool = True
    ) -> PromptPlan:
        """Lay out prompts of `length` context vectors and a class name each.

        Args:
            names: Class names, K of them.
            length: Number of context vectors M; 0 gives the bare names.
            position: Where the class name stands among the context vectors.
            shared: Whether one context serves all classes.

        Raises:
            ModelError: A prompt is longer than the tower can hold.
        """
        stop = self.tokenize(".")
        prompts = [
            split_name(self.tokenize(name), stop, start=self.start, end=self.end, length=length, position=position)
            for name in names
        ]
        self._check_lengths(names, prompts)
        return PromptPlan(tuple(prompts), shared_context=shared)

    def plan_texts(self, texts: Sequence[str]) -> PromptPlan:
        """Lay out whole sentences, without any learned vector.

        Raises:
            ModelError: A sentence is longer than the tower can hold.
        """
        prompts: list[Slots] = [(*self.start, *self.tokenize(text), self.end) for text in texts]
        self._check_lengths(texts, prompts)
        return PromptPlan(tuple(prompts))

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Return unit features of sentences, (K, D)."""
        plan = self.plan_texts(texts)
        device = next(self.parameters()).device
        return self.encode_plan(plan, torch.zeros(1, 0, self.width, device=device))[0]

    def embed_plan(self, slots: Tensor, owners: Tensor, context: Tensor) -> Tensor:
        """Return embeddings of slots, learned vectors in their places, (S, len(slots), W).

        Args:
            slots: Token ids and context slots, (X,).
            owners: Prompt of each slot, (X,).
            context: (S, M, W) or (S, K, M, W).
        """
        any_learned = bool((slots < 0).any())  # asked before the slots move, so that no GPU has to be waited for
        device = context.device
        slots, owners = slots.to(device), owners.to(device)
        tokens = self.embed_tokens(slots.clamp(min=0)).expand(len(context), -1, -1)
        if not any_learned:
            return tokens
        learned, index = slots < 0, (-slots - 1).clamp(min=0)
        vectors = context[:, index] if context.ndim == 3 else context[:, owners, index]
        return torch.where(learned[None, :, None], vectors.to(tokens.dtype), tokens)

    def _check_lengths(self, names: Sequence[str], prompts: Sequence[Slots]) -> None:
        for name, slots in zip(names, prompts, strict=True):
            if len(slots) > self.max_length:
                raise ModelError(
                    f"The prompt of {name[:60]!r} has {len(slots)} tokens, but the text tower holds "
                    f"{self.max_length}. Give the class shorter words with words=, or use a shorter context."
                )


class CausalTextTower(TextTower):
    """CLIP's text transformer, computing the tokens that all prompts share only once.

    The mask is causal, so the start token and the shared context vectors have the same activations for every
    class: they go through the layers once, and only each class's own tokens attend to them. Nothing is
    computed behind an end token, and the last layer only computes the end tokens. The result equals the
    77-token encoding (the design's second idea; `tests/encoders/test_text.py` proves it to 1e-5).

    Args:
        model: A `transformers.CLIPTextModelWithProjection`, or an object with the same two modules.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self._tokenizer = tokenizer
        self._narrow = NarrowCopies()

    @property
    def width(self) -> int:
        return int(self.model.text_model.config.hidden_size)

    @property
    def max_length(self) -> int:
        return int(self.model.text_model.config.max_position_embeddings)

    @property
    def start(self) -> tuple[int, ...]:
        return (int(self._tokenizer.bos_token_id),)

    @property
    def end(self) -> int:
        return int(self._tokenizer.eos_token_id)

    def tokenize(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def embed_tokens(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.model.text_model.embeddings.token_embedding(ids)
        return embedded

    def encode_plan(self, plan: PromptPlan, context: Tensor) -> Tensor:
        text = self.model.text_model
        hidden = self.embed_plan(plan.packed, plan.owners, context)
        hidden = hidden + text.embeddings.position_embedding(plan.positions.to(hidden.device))
        *layers, last = text.encoder.layers
        attend = _SharedPrefixAttention(plan, hidden.device, self._narrow)
        for layer in layers:
            hidden = hidden + attend.all_tokens(layer, hidden)
            hidden = hidden + feed_forward(layer.mlp, layer.layer_norm2(hidden), self._narrow)
        # Only the end tokens are read from the last layer, so it computes no other.
        ends = hidden[:, plan.ends.to(hidden.device)]
        ends = ends + attend.end_tokens(last, hidden)
        ends = ends + feed_forward(last.mlp, last.layer_norm2(ends), self._narrow)
        with torch.autocast(hidden.device.type, enabled=False):
            features = self.model.text_projection(text.final_layer_norm(ends.float()))
        return F.normalize(features, dim=-1)


class _SharedPrefixAttention:
    """Causal attention over a prefix that is computed once and K own parts that see it.

    Projections follow autocast; the attention between them is float32, since its many small products gain nothing from
    a narrower format.

    Args:
        plan: The slots of the prompts.
        device: Where they are encoded.
        narrow: The tower's frozen weights in the format of autocast.
    """

    def __init__(self, plan: PromptPlan, device: torch.device, narrow: NarrowCopies) -> None:
        self._narrow = narrow
        self.prefix = plan.prefix_length
        self.classes, self.longest = plan.grid.shape
        self.grid = plan.grid.to(device).flatten()
        self.unpad = plan.unpad.to(device)
        self.ends = plan.ends.to(device)
        self.hidden_from_end = ~plan.visible.to(device)
        triangle = torch.ones(self.longest, self.longest, dtype=torch.bool, device=device)
        self.later = triangle.triu(diagonal=1)

    def all_tokens(self, layer: Any, hidden: Tensor) -> Tensor:
        """Return what the attention adds to each packed token, (S, P + T, W)."""
        attention, normed = layer.self_attn, self._narrow.cast(layer.layer_norm1(hidden))
        queries = self._heads(attention.q_proj, normed, attention)
        keys, values = self._seen(attention, normed)
        p = self.prefix
        with torch.autocast(hidden.device.type, enabled=False):
            shared = F.scaled_dot_product_attention(
                queries[..., :p, :], keys[..., :p, :], values[..., :p, :], is_causal=True
            )
            own = self._own(queries[..., self.grid, :], keys, values, self.later, self.longest)
        return self._merge(torch.cat([shared, own[..., self.unpad, :]], dim=-2), attention)

    def end_tokens(self, layer: Any, hidden: Tensor) -> Tensor:
        """Return what the attention adds to each end token, (S, K, W)."""
        attention, normed = layer.self_attn, self._narrow.cast(layer.layer_norm1(hidden))
        queries = self._heads(attention.q_proj, normed[:, self.ends], attention)
        keys, values = self._seen(attention, normed)
        with torch.autocast(hidden.device.type, enabled=False):
            gathered = self._own(queries, keys, values, self.hidden_from_end[:, None, :], 1)
        return self._merge(gathered, attention)

    def _seen(self, attention: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, (S, H, P + T, d) each."""
        keys, values = (self._heads(part, normed, attention) for part in (attention.k_proj, attention.v_proj))
        return keys, values

    def _heads(self, projection: nn.Module, normed: Tensor, attention: Any) -> Tensor:
        """Split (S, X, W) into heads, (S, H, X, d), in float32."""
        projected = self._narrow.linear(projection, normed).float()
        split: Tensor = projected.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        return split

    def _merge(self, gathered: Tensor, attention: Any) -> Tensor:
        """Merge heads (S, H, X, d) into (S, X, W), through the output projection."""
        merged = self._narrow.cast(gathered.transpose(1, 2).flatten(2))
        return self._narrow.linear(attention.out_proj, merged)

    def _own(self, queries: Tensor, keys: Tensor, values: Tensor, hide: Tensor, per_class: int) -> Tensor:
        """Return attention of `per_class` queries per class to the prefix and to the class's own tokens.

        Args:
            queries: (S, H, K * per_class, d).
            keys: Packed, (S, H, P + T, d).
            values: Packed, (S, H, P + T, d).
            hide: Own keys that a query must not see, broadcastable to (K, per_class, L).
            per_class: Queries per class.

        Returns:
            (S, H, K * per_class, d).
        """
        sets, heads, _, size = queries.shape
        own_keys = keys[..., self.grid, :].unflatten(2, (self.classes, self.longest))
        own_values = values[..., self.grid, :].unflatten(2, (self.classes, self.longest))
        queries = queries * size**-0.5
        to_prefix = queries @ keys[..., : self.prefix, :].mT
        split = queries.unflatten(2, (self.classes, per_class))
        to_own = (split @ own_keys.mT).masked_fill(hide, float("-inf")).flatten(2, 3)
        weights = softmax(torch.cat([to_prefix, to_own], dim=-1))
        from_prefix = weights[..., : self.prefix] @ values[..., : self.prefix, :]
        own_weights = weights[..., self.prefix :].unflatten(2, (self.classes, per_class))
        from_own: Tensor = (own_weights @ own_values).flatten(2, 3)
        gathered: Tensor = from_prefix + from_own.view(sets, heads, -1, size)
        return gathered
