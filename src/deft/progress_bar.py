"""One bar for a whole run, with the time left: in a terminal, or in a notebook."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from html import escape
from types import TracebackType
from typing import Any, TypeVar

from deft.progress import Progress
from deft.stages import DETECTION, Stages
from deft.wording import printable

T = TypeVar("T")

SECONDS = 0.1
"""Between two drawings of the bar."""


class ProgressBar(Progress):
    """Draws one bar for all tasks of a run, in a terminal or a notebook; nothing elsewhere, as in a log.

    Args:
        stages: The tasks in their order, with the time that each is expected to take; with none, every task has the
            bar for itself.
        words: Turns what is said into what is shown.
        screen: Where it is drawn; found out if not given.

    Example:
        >>> with deft.ProgressBar() as bar:  # doctest: +SKIP
        ...     found = deft.DeFT(encoder).detect(images, workspace=deft.Workspace(progress=bar))
    """

    def __init__(
        self,
        stages: Mapping[str, float] = DETECTION,
        *,
        words: Callable[[str], str] = printable,
        screen: Screen | None = None,
    ) -> None:
        self._stages = Stages(stages)
        self._words = words
        self._screen = _screen() if screen is None else screen
        self._runs = self._tasks = 0  # that are going on
        self._drawn = 0.0

    def __enter__(self) -> ProgressBar:
        self._runs += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runs -= 1
        if self._runs == 0:  # also where a task was broken off and isn't collected yet
            self._screen.close()

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        size = len(steps) if total is None and isinstance(steps, Sized) else total
        self._tasks += 1
        try:
            self._stages.begin(task)
            self._show(task, now=True)
            for number, step in enumerate(steps, start=1):
                yield step
                if size:
                    self._stages.done(task, min(number / size, 1.0))
                self._show(task)
            self._stages.done(task, 1.0)
            self._stages.rest()
        finally:
            self._tasks -= 1
            if self._runs == self._tasks == 0:
                self._screen.close()

    def note(self, text: str) -> None:
        self._screen.say(self._words(text))

    def expect(self, shares: Mapping[str, float]) -> None:
        self._stages.expect(shares)

    def _show(self, task: str, *, now: bool = False) -> None:
        if now or time.monotonic() - self._drawn > SECONDS:
            self._screen.show(self._words(task), self._stages.fraction, self._stages.seconds_left)
            self._drawn = time.monotonic()


class Screen(ABC):
    """Where a bar is drawn."""

    @abstractmethod
    def show(self, task: str, fraction: float, left: float | None) -> None:
        """Draw the bar.

        Args:
            task: What is going on.
            fraction: How much of the whole is done, 0 to 1.
            left: Seconds that it will still take; None where nobody knows.
        """

    @abstractmethod
    def say(self, text: str) -> None:
        """Write a line that stays."""

    @abstractmethod
    def close(self) -> None:
        """Take the bar away."""


class Nowhere(Screen):
    """Draws nothing and says nothing."""

    def show(self, task: str, fraction: float, left: float | None) -> None:
        return None

    def say(self, text: str) -> None:
        return None

    def close(self) -> None:
        return None


class Terminal(Screen):
    """One line on standard error, which is gone when the run has ended."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bar: Any = None
        self._since = time.monotonic()

    def show(self, task: str, fraction: float, left: float | None) -> None:
        bar = self._open()
        text = "" if left is None else f"{in_minutes(left)} left"
        bar.update(bar.task_ids[0], description=task, completed=fraction, left=text)

    def say(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(text))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self) -> Any:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.table import Column

        if self._bar is None:
            one_line = Column(no_wrap=True, overflow="ellipsis")
            self._bar = Progress(
                TextColumn("{task.description}", markup=False, table_column=one_line),
                BarColumn(bar_width=30),
                TaskProgressColumn(),
                TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True)),
                console=self._console,
                transient=True,
            )
            self._bar.add_task("", total=1.0, left="")
            self._bar.start()
        return self._bar


class Notebook(Screen):
    """One line below the cell, which at the end says how long it took."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._since = time.monotonic()

    def show(self, task: str, fraction: float, left: float | None) -> None:
        rest = "" if left is None else f", {in_minutes(left)} left"
        bar = f'<progress max="1" value="{fraction:.3f}" aria-label="{escape(task)}"></progress>'
        self._draw(f"{bar} {fraction:.0%} {escape(task)}{rest}")

    def say(self, text: str) -> None:
        print(text)  # noqa: T201 (a notebook's own place for lines)

    def close(self) -> None:
        self._draw(f"Took {in_minutes(time.monotonic() - self._since)}.")

    def _draw(self, html: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(html), display_id=True)
        else:
            self._handle.update(HTML(html))


def in_minutes(seconds: float) -> str:
    """Return a time as people read it.

    Args:
        seconds: How long.

    Example:
        >>> in_minutes(83.2), in_minutes(4000)
        ('1:23', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _screen() -> Screen:
    if _in_notebook():
        return Notebook()
    return Terminal() if sys.stderr is not None and sys.stderr.isatty() else Nowhere()


def _in_notebook() -> bool:
    """Return whether this runs in a notebook's kernel, which shows HTML; IPython in a terminal doesn't."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config
