"""Which tokens a set of prompts consists of, and which of them all prompts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

# A slot is a token id when it is not negative; context vector m stands as -(m + 1).
Slots = tuple[int, ...]


def context_slot(index: int) -> int:
    """Return the slot in which context vector `index` stands."""
    return -(index + 1)


@dataclass(frozen=True)
class PromptPlan:
    """The slots of K prompts, split into the prefix that all of them begin with and what is each one's own.

    In a causal text tower the prefix has the same activations in every prompt, so it is computed once.
    The own parts are packed one after another without padding.

    Args:
        prompts: Slots of each prompt, from the start token to the end token.
        shared_context: Whether one context serves all classes; if not, nothing after the first context
            slot can be shared.

    Example:
        >>> plan = PromptPlan(((49406, -1, -2, 320, 49407), (49406, -1, -2, 1929, 269, 49407)))
        >>> plan.prefix_length, plan.own_lengths
        (3, (2, 3))
    """

    prompts: tuple[Slots, ...]
    shared_context: bool = True

    def __len__(self) -> int:
        return len(self.prompts)

    def part(self, rows: Sequence[int]) -> PromptPlan:
        """Return the plan of some of the prompts.

        Args:
            rows: Which ones, in the order wanted; at least one.
        """
        return PromptPlan(tuple(self.prompts[row] for row in rows), self.shared_context)

    @cached_property
    def prefix_length(self) -> int:
        """Number of slots P that all prompts begin with; each keeps at least its end token to itself."""
        limit = min(len(slots) for slots in self.prompts) - 1
        first = self.prompts[0]
        for position in range(limit):
            slot = first[position]
            own_context = slot < 0 and not self.shared_context
            if own_context or any(slots[position] != slot for slots in self.prompts):
                return position
        return limit

    @cached_property
    def own_lengths(self) -> tuple[int, ...]:
        """Number of slots of each prompt behind the prefix, (K,)."""
        return tuple(len(slots) - self.prefix_length for slots in self.prompts)

    @cached_property
    def packed(self) -> Tensor:
        """Prefix once, then every prompt's own slots, (P + T,)."""
        prefix = self.prompts[0][: self.prefix_length]
        own = [slot for slots in self.prompts for slot in slots[self.prefix_length :]]
        return torch.tensor([*prefix, *own])

    @cached_property
    def positions(self) -> Tensor:
        """Place of each packed slot in its own prompt, (P + T,)."""
        start = self.prefix_length
        own = [start + offset for length in self.own_lengths for offset in range(length)]
        return torch.tensor([*range(start), *own])

    @cached_property
    def owners(self) -> Tensor:
        """Prompt that each packed slot belongs to, (P + T,); the prefix counts as prompt 0's."""
        own = [k for k, length in enumerate(self.own_lengths) for _ in range(length)]
        return torch.tensor([0] * self.prefix_length + own)

    @cached_property
    def grid(self) -> Tensor:
        """Packed place of each prompt's own slots, right-padded with its last one, (K, L)."""
        longest = max(self.own_lengths)
        rows, start = [], self.prefix_length
        for length in self.own_lengths:
            rows.append([start + min(offset, length - 1) for offset in range(longest)])
            start += length
        return torch.tensor(rows)

    @cached_property
    def ends(self) -> Tensor:
        """Packed place of each prompt's end token, (K,)."""
        return self.grid[:, -1]

    @cached_property
    def unpad(self) -> Tensor:
        """Place in the flattened grid of each packed slot behind the prefix, (T,)."""
        longest = self.grid.shape[1]
        places = [k * longest + offset for k, n in enumerate(self.own_lengths) for offset in range(n)]
        return torch.tensor(places)

    @cached_property
    def visible(self) -> Tensor:
        """Which own slots an end token sees, (K, L): those that are no padding."""
        longest = self.grid.shape[1]
        return torch.arange(longest) < torch.tensor(self.own_lengths).unsqueeze(1)


def split_name(
    name: Sequence[int], stop: Sequence[int], *, start: Sequence[int], end: int, length: int, position: str
) -> Slots:
    """Return slots of one prompt: start token, context, class name, full stop and end token.

    Args:
        name: Token ids of the class name.
        stop: Token ids of the full stop.
        start: Token ids that every prompt begins with (none for SigLIP).
        end: Id of the end token.
        length: Number of context vectors M.
        position: Where the class name stands: "end" (behind the context), "middle" or "front".
    """
    context = [context_slot(m) for m in range(length)]
    before = {"front": 0, "middle": length // 2, "end": length}[position]
    return (*start, *context[:before], *name, *context[before:], *stop, end)
