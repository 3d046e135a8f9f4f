"""The processes that train together, through accelerate: one is the rule, `accelerate launch` makes it several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """How many processes share the work, and which of them this is; one alone unless `current` says otherwise.

    Args:
        count: Number of processes.
        rank: Number of this one, from 0; process 0 writes the files.
    """

    count: int = 1
    rank: int = 0

    @classmethod
    def current(cls, device: torch.device) -> Processes:
        """Return the processes that `accelerate launch` or `torchrun` started.

        Args:
            device: Where this one computes.
        """
        from accelerate import PartialState

        state = PartialState(cpu=device.type == "cpu")
        return cls(count=int(state.num_processes), rank=int(state.process_index))

    @property
    def writes(self) -> bool:
        """Whether this process writes the files of all."""
        return self.rank == 0

    def gather(self, values: Tensor) -> Tensor:
        """Return what all processes hold, one after the other along the first axis.

        Args:
            values: (n, ...), where n may differ between the processes.

        Returns:
            (sum of n, ...), the same on every process.
        """
        if self.count == 1:
            return values
        from accelerate.utils import gather, pad_across_processes

        sizes = gather(torch.tensor([len(values)], device=values.device)).tolist()
        padded = gather(pad_across_processes(values.contiguous()))
        longest = max(sizes)
        return torch.cat([padded[rank * longest : rank * longest + size] for rank, size in enumerate(sizes)])

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace each weight's gradient by its mean over the processes.

        Args:
            weights: The same on every process, in the same order.
        """
        if self.count == 1:
            return
        from accelerate.utils import reduce

        trained = list(weights)
        # A slice may leave a weight without a gradient here that has one elsewhere; all must ask alike.
        known = torch.tensor([float(weight.grad is not None) for weight in trained], device=trained[0].device)
        anywhere = reduce(known, reduction="sum").tolist()
        for weight, holders in zip(trained, anywhere, strict=True):
            if holders:
                gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
                weight.grad = reduce(gradient, reduction="mean")

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()
