"""One batch ahead: what the next step reads is read in a thread, while a card works on this one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor

Part = TypeVar("Part")
Found = TypeVar("Found")


def one_ahead(parts: Iterable[Part], read: Callable[[Part], Found]) -> Iterator[tuple[Part, Found]]:
    """Yield each part with what was read of it, while the next one is being read.

    A thread lasts as long as one reading, so none is left behind where an error or an interrupt ends the work. What
    goes wrong in it is raised here, when the turn of its part comes.

    Args:
        parts: What there is to read, in order.
        read: Reads one of them; one call at a time, and never in the caller's thread.
    """
    readings = (_Reading(part, read) for part in parts)
    coming = next(readings, None)
    try:
        while coming is not None:
            part, found = coming.part, coming.found()
            coming = next(readings, None)
            yield part, found
    finally:
        if coming is not None:
            coming.join()


class _Reading(threading.Thread, Generic[Part, Found]):
    """One part, which is being read from the moment that it is made."""

    def __init__(self, part: Part, read: Callable[[Part], Found]) -> None:
        super().__init__(name="deft-ahead", daemon=True)
        self.part = part
        self._read = read
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found = self._read(self.part)
        except BaseException as error:  # whatever it is, it belongs to the thread that waits
            self._error = error

    def found(self) -> Found:
        """Return what was read, once it has been; raise what went wrong."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._found


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Return values on a device; to a CUDA card they are under way: what it does later waits for them, nobody else.

    Args:
        values: On the processor.
        device: Where they go.
    """
    if device.type != "cuda" or not values.numel():
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
