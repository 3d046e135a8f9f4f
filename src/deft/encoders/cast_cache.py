"""Frozen weights in the number format of autocast, converted once instead of at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class _Copy:
    """A narrow copy, and the state of the weight that it was made of."""

    value: Tensor
    weight: Tensor
    state: tuple[int, int]

    def fits(self, weight: Tensor, dtype: torch.dtype) -> bool:
        return self.weight is weight and self.state == _state(weight) and self.value.dtype == dtype


class NarrowCopies:
    """Linear layers under autocast without converting their frozen weights anew in every call.

    Autocast keeps converted weights only if they need a gradient. One copy of each frozen weight is kept here: two
    bytes beside its four. It is made anew as soon as the weight has been written to, moved or replaced, and none is
    made outside autocast or of a weight that is being trained.
    """

    def __init__(self) -> None:
        self._copies: dict[int, _Copy] = {}

    def __deepcopy__(self, memo: dict[int, object]) -> NarrowCopies:
        return NarrowCopies()  # a copied module makes its own when it needs them

    def cast(self, values: Tensor) -> Tensor:
        """Return the values as autocast would hand them to a product, once for all its readers."""
        dtype = _narrow_type(values.device)
        return values if dtype is None else values.to(dtype)

    def linear(self, layer: nn.Module, inputs: Tensor) -> Tensor:
        """Return a layer's output; a plain frozen linear layer under autocast uses its copies."""
        dtype = _narrow_type(inputs.device)
        if dtype is None or not _is_plain(layer) or layer.weight.requires_grad:
            output: Tensor = layer(inputs)
            return output
        bias: Tensor | None = layer.bias
        if bias is not None and not bias.requires_grad:
            bias = self._copy(bias, dtype)
        return F.linear(inputs, self._copy(layer.weight, dtype), bias)

    def _copy(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        copy = self._copies.get(id(weight))
        if copy is None or not copy.fits(weight, dtype):
            copy = _Copy(weight.detach().to(dtype), weight, _state(weight))
            self._copies[id(weight)] = copy
        return copy.value


def _narrow_type(device: torch.device) -> torch.dtype | None:
    """Number format of products under the autocast that is on, if any is."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None


def _is_plain(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Return whether a layer does nothing but multiply and add: no LoRA around it, no hook on it."""
    return type(layer) is nn.Linear and not layer._forward_hooks and not layer._forward_pre_hooks


def _state(weight: Tensor) -> tuple[int, int]:
    """Return a value that changes when a weight is written to in place or moves to other memory."""
    return weight._version, weight.data_ptr()
