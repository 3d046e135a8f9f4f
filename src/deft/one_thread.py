"""Work whose rounding would depend on the number of threads, done so that it doesn't.

Where several threads share one sum, each adds up a part, so another number of threads rounds otherwise. A millionth is
enough to change verdicts near the border, since the training of prompts makes it larger. Most operations split their
results among threads and never a sum; those here do, or take other kernels for the parts that they split into.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

FEW_ROWS = 64  # of a matrix product, below which float32 sums of it may be shared among threads


@contextmanager
def one_thread(where: bool = True) -> Iterator[None]:
    """Let torch work on the CPU with one thread meanwhile.

    Args:
        where: Whether to do so at all: much work takes too long on one thread, and is split otherwise anyway.

    Example:
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    if not where or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over the last dimension, with a gradient that one thread computes.

    Args:
        scores: (..., L).
    """
    weights: Tensor = _Softmax.apply(scores)  # type: ignore[no-untyped-call]
    return weights


def products(features: Tensor, texts: Tensor) -> Tensor:
    """Return all scalar products of two sets of vectors, (N, K), computed by one thread on the way forth and back.

    Args:
        features: (N, D).
        texts: (K, D).
    """
    found: Tensor = _Products.apply(features, texts)  # type: ignore[no-untyped-call]
    return found


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        weights = scores.softmax(dim=-1)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        with one_thread():
            found: Tensor = torch._softmax_backward_data(gradient, weights, -1, weights.dtype)
        return found


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, texts: Tensor) -> Tensor:
        ctx.save_for_backward(features, texts)
        with one_thread():
            return features @ texts.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        features, texts = ctx.saved_tensors
        of_features, of_texts = ctx.needs_input_grad
        with one_thread():
            return gradient @ texts if of_features else None, gradient.T @ features if of_texts else None
