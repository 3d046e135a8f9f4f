"""How far a run is, for the logging of the standard library: services and schedulers read that, and no bar."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from types import TracebackType
from typing import TypeVar

from deft.arguments import checked
from deft.errors import SettingsError
from deft.progress import Progress, Silent

T = TypeVar("T")


class LoggedProgress(Progress):
    """Writes what a run does to a logger: tasks and notes as information, measured numbers for debugging.

    Args:
        beside: Draws progress as well; nothing if not given.
        logger: Where it is written; the logger `deft` if not given.
        seconds: Between two records of how far a task is.
        clock: Seconds.

    Raises:
        SettingsError: The seconds are less than nothing.

    Example:
        >>> logging.basicConfig(level=logging.INFO)  # doctest: +SKIP
        >>> log = deft.LoggedProgress()  # doctest: +SKIP
        >>> found = deft.DeFT(encoder).detect(images, workspace=deft.Workspace(progress=log))  # doctest: +SKIP
        INFO:deft:Encoding images: 79 steps
    """

    @checked
    def __init__(
        self,
        beside: Progress | None = None,
        *,
        logger: logging.Logger | None = None,
        seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if seconds < 0:
            raise SettingsError(f"Records can't be {seconds} seconds apart.")
        self._beside = Silent() if beside is None else beside
        self._logger = logging.getLogger("deft") if logger is None else logger
        self._seconds, self._clock = seconds, clock

    def __enter__(self) -> LoggedProgress:
        self._beside.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._beside.__exit__(kind, error, at)

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        size = len(steps) if total is None and isinstance(steps, Sized) else total
        if size is None:
            self._logger.info("%s", task)
        else:
            self._logger.info("%s: %d steps", task, size)
        began = said = self._clock()
        for number, step in enumerate(self._beside.track(steps, task, total=total), start=1):
            yield step
            now = self._clock()
            if size is not None and now - said >= self._seconds:
                self._logger.info("%s: %d of %d steps", task, number, size)
                said = now
        self._logger.info("%s: done after %.1f s", task, self._clock() - began)

    def note(self, text: str) -> None:
        self._logger.info("%s", text)
        self._beside.note(text)

    def expect(self, shares: Mapping[str, float]) -> None:
        self._beside.expect(shares)

    def measure(self, name: str, value: float, step: int) -> None:
        self._logger.debug("%s %g at %d", name, value, step)
        self._beside.measure(name, value, step)
