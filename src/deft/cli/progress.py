"""How far a command is, on standard error: bars in a terminal, a line per task elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Drawn

from deft.cli.output import plain, printable
from deft.cli.own_words import in_options
from deft.progress import Progress, Silent

T = TypeVar("T")


def choose_progress(*, quiet: bool) -> Progress:
    """Return bars for a person at a terminal, lines for a log, nothing if asked to be quiet."""
    if quiet:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


class Bars(Progress):
    """Draws one bar per task, with the time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._drawn: Drawn | None = None
        self._open = 0

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        drawn = self._start()
        bar = drawn.add_task(printable(task), total=_total(steps, total))
        try:
            for step in steps:
                yield step
                drawn.advance(bar)
        finally:
            self._stop(drawn)

    def note(self, text: str) -> None:
        self._console.print(plain(in_options(text)))

    def _start(self) -> Drawn:
        """Start the display, which nested tasks share: rich can only have one at a time."""
        self._open += 1
        if self._drawn is None:
            self._drawn = Drawn(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._drawn.start()
        return self._drawn

    def _stop(self, drawn: Drawn) -> None:
        self._open -= 1
        if self._open == 0:
            drawn.stop()
            self._drawn = None


class Lines(Progress):
    """Writes one line when a task starts."""

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        size = _total(steps, total)
        self.note(task if size is None else f"{task} ({size} steps)")
        yield from steps

    def note(self, text: str) -> None:
        print(printable(in_options(text)), file=sys.stderr, flush=True)


def _total(steps: Iterable[object], total: int | None) -> int | None:
    if total is None and isinstance(steps, Sized):
        return len(steps)
    return total
