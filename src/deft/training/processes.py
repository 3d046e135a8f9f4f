"""The processes that work together, through accelerate: one is the rule, several share what costs most.

All of them hold the same weights, draw the same numbers and see the same batches; each computes its own part of a batch
(`share`), and all have the whole of what came out. So verdicts are those of one process, up to the rounding of sums.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.errors import AloneError, SettingsError

PATIENCE = timedelta(days=7)
"""How long a process waits for the others: while one decodes, they do. One that ends is noticed at once."""

COUNT, LOCAL_COUNT, RANK, LOCAL_RANK = "WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK", "LOCAL_RANK"
"""Variables of the environment by which `torchrun`, `accelerate launch` and `--processes` tell a process
how many there are, in all and on its machine, and which of them it is."""


@checked
@dataclass(frozen=True)
class Processes:
    """How many processes share the work, and which of them this is; one alone unless `current` says otherwise.

    Args:
        count: Number of processes.
        rank: Number of this one, from 0; process 0 writes the files.

    Example:
        >>> Processes(count=3, rank=1).own(7)
        slice(1, 7, 3)
    """

    count: int = 1
    rank: int = 0

    @classmethod
    def current(cls, device: torch.device) -> Processes:
        """Return the processes that `accelerate launch`, `torchrun` or `--processes` started.

        Args:
            device: Where this one computes.

        Raises:
            AloneError: The others can't be reached.
            SettingsError: They are on several machines.
        """
        if int(os.environ.get(COUNT, "1")) < 2:
            return cls()
        from accelerate import PartialState

        if os.environ.get(LOCAL_COUNT, os.environ[COUNT]) != os.environ[COUNT]:
            raise SettingsError("Processes of several machines can't share the work of one run: they share files.")
        with _talk():
            state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
        atexit.register(_part)
        return cls(count=int(state.num_processes), rank=int(state.process_index))

    @property
    def writes(self) -> bool:
        """Whether this process writes the files of all."""
        return self.rank == 0

    def own(self, count: int) -> slice:
        """Return which of so many things are this process's part.

        Args:
            count: Number of all.
        """
        return slice(self.rank, count, self.count)

    def sharing(self, compute: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Return a function that gives the same of a batch, with the work shared as by `share`.

        Args:
            compute: Gives (b, ...) of (b, ...), each row by itself.
        """
        return compute if self.count == 1 else functools.partial(self.share, compute)

    def share(self, compute: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Return what a function gives of a batch, of which each process computes its part.

        A gradient that comes back is this process's part of the sum over all, so that `join_gradients` makes the
        gradients those of one process that computes the whole batch.

        Args:
            compute: Gives (b, ...) of (b, ...), each row by itself.
            inputs: The whole batch, (B, ...), the same in every process.

        Returns:
            (B, ...), the same in every process.
        """
        if self.count == 1 or not len(inputs):
            return compute(inputs)
        part = inputs[self.own(len(inputs))]
        # Fewer samples than processes: one computes something all the same, for its weights must have a gradient.
        found = compute(part) if len(part) else compute(inputs[:1])[:0]
        shared: Tensor = _Gather.apply(found, self, len(inputs))  # type: ignore[no-untyped-call]
        return shared

    def join_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace each weight's gradient by the one that a single process would have.

        It is the sum over the processes, each times its `portion`. What comes after a shared result has the same
        gradient in all of them, of which the portions make one; what comes before it has that of a part of the batch,
        from which `share` has taken the portion away.

        Args:
            weights: The same on every process, in the same order.

        Raises:
            AloneError: Another process has ended.
        """
        trained = [weight for weight in weights if weight.grad is not None]
        if self.count == 1 or not trained:
            return
        from accelerate.utils import reduce

        flat = torch.cat([weight.grad.reshape(-1).float() for weight in trained if weight.grad is not None])
        with _talk():
            flat = reduce(flat * self.portion, reduction="sum")
        for weight, whole in zip(trained, flat.split([weight.numel() for weight in trained]), strict=True):
            weight.grad = whole.view_as(weight).to(weight.dtype)

    @property
    def portion(self) -> float:
        """What this process's gradients count for in the sum over all.

        Powers of two, which together make one: unlike a third, they multiply and divide without rounding in every
        number format.
        """
        parts = 1 << (self.count - 1).bit_length()
        return (2 if self.rank < parts - self.count else 1) / parts

    def tell(self, value: Any) -> Any:
        """Return what process 0 has, in all of them.

        Args:
            value: A plain value; that of the others plays no part.

        Raises:
            AloneError: Another process has ended.
        """
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        told = [value]
        with _talk():
            broadcast_object_list(told)
        return told[0]

    @contextlib.contextmanager
    def first(self) -> Iterator[None]:
        """Let process 0 do something before the others do: they find what it left on the disk.

        Yields:
            Nothing, once it is this process's turn.

        Raises:
            AloneError: Process 0 has ended.
        """
        if not self.writes:
            self.wait()
        yield
        if self.writes:
            self.wait()

    def wait(self) -> None:
        """Until all processes are here.

        Raises:
            AloneError: Another process has ended.
        """
        if self.count > 1:
            from accelerate import PartialState

            state = PartialState()
            with _talk():
                if state.device.type == "cpu":
                    # Accelerate would name a device by this process's number, and PyTorch takes that for a GPU's where
                    # the machine has one.
                    torch.distributed.barrier()
                else:
                    state.wait_for_everyone()


def own_accelerator(device: torch.device) -> torch.device:
    """Return the accelerator of this process: of several processes on a machine, each has one of its own.

    Args:
        device: What is asked for; anything but a GPU and the like comes back as it is.

    Raises:
        SettingsError: One is named for all of them, or there are fewer than processes.
    """
    count = _count_here()
    if count < 2 or device.type == "cpu":
        return device
    there = torch.accelerator.device_count()
    if there < count:
        raise SettingsError(
            f"{count} processes need {count} accelerators, one each, and this machine has {there}. Start as many "
            "processes as there are, or let them run on device cpu."
        )
    if device.index is not None:
        raise SettingsError(
            f"Each of {count} processes has an accelerator of its own, so the device can't be {device} for all of "
            f"them. Give {device.type}."
        )
    return torch.device(device.type, int(os.environ.get(LOCAL_RANK, os.environ.get(RANK, "0"))))


def _count_here() -> int:
    """Return how many processes this machine has; 1 where what says so is no number."""
    try:
        return int(os.environ.get(LOCAL_COUNT, os.environ.get(COUNT, "1")))
    except ValueError:
        return 1


def looks_at_batches(network: nn.Module) -> bool:
    """Return whether a network, while it learns, draws random numbers or looks at a batch as a whole.

    Its answer to a part of a batch would then be another than to the whole; batch norms and dropout are such.

    Args:
        network: Any.
    """
    return any(
        isinstance(part, nn.modules.batchnorm._BatchNorm) or any(_rate(part, name) > 0 for name in _RATES)
        for part in network.modules()
    )


_RATES = ("p", "drop_prob", "dropout", "dropout_prob", "attention_dropout")
"""What modules of PyTorch and transformers call the share that they drop."""


def _rate(part: nn.Module, name: str) -> float:
    value = getattr(part, name, None)
    return value if isinstance(value, float) else 0.0


class _Gather(torch.autograd.Function):
    """The whole of which each process has a part; backwards, its own part of the gradient, divided by its portion."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, processes: Processes, count: int) -> Tensor:
        from accelerate.utils import gather

        ctx.processes, ctx.count = processes, count
        longest = -(-count // processes.count)
        padded = torch.cat([own, own.new_zeros(longest - len(own), *own.shape[1:])]).contiguous()
        with _talk():
            parts: Tensor = gather(padded)
        # Row i was computed by process i mod P, as its row i div P.
        return parts.view(processes.count, longest, *own.shape[1:]).transpose(0, 1).flatten(0, 1)[:count].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        processes: Processes = ctx.processes
        return gradients[0][processes.own(ctx.count)] / processes.portion, None, None


@contextlib.contextmanager
def _talk() -> Iterator[None]:
    """What goes wrong between processes, as one sentence."""
    try:
        yield
    except (RuntimeError, ConnectionError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        _part()
        raise AloneError(
            "Another process of this run has ended, so this one ends too; what it said stands above."
        ) from error


def _part() -> None:
    """Take leave of the others: threads that still wait for them would abort this process at its end."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
