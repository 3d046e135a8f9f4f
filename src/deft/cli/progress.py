"""How far a command is, on standard error: one bar in a terminal, a line per task elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from deft.cli.launch import rank_here
from deft.cli.own_words import in_options
from deft.progress import Progress, Silent
from deft.progress_bar import ProgressBar
from deft.training_log import TensorBoard
from deft.wording import printable

T = TypeVar("T")


def choose_progress(*, quiet: bool, stages: Mapping[str, float] | None = None) -> Progress:
    """Return a bar for a person at a terminal, lines for a log, nothing if asked to be quiet or not the first process.

    Args:
        quiet: Whether to be.
        stages: The tasks of the command in their order, with the time that each is expected to take; without, each
            has a bar of its own.
    """
    if quiet or rank_here():
        return Silent()
    return ProgressBar(stages or {}, words=_shown) if sys.stderr.isatty() else Lines()


def logged(progress: Progress, folder: Path | None) -> Progress:
    """Return progress that also writes what training measures for TensorBoard, where a folder was named.

    Args:
        progress: Draws.
        folder: For event files, which only the first of several processes writes.

    Raises:
        SettingsError: TensorBoard isn't installed, or the folder is a file.
    """
    return progress if folder is None or rank_here() else TensorBoard(folder, progress)


@contextmanager
def during(progress: Progress, task: str) -> Iterator[None]:
    """Show a task of one step while something is done, such as the seconds in which libraries are imported.

    Args:
        progress: Draws.
        task: What a person reads beside the bar.
    """
    shown = progress.track([None], task)
    try:
        next(shown)
        yield
        next(shown, None)
    finally:
        if isinstance(shown, Generator):
            shown.close()


class Lines(Progress):
    """Writes one line when a task starts."""

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        size = len(steps) if total is None and isinstance(steps, Sized) else total
        self.note(task if size is None or size == 1 else f"{task} ({size} steps)")
        yield from steps

    def note(self, text: str) -> None:
        print(_shown(text), file=sys.stderr, flush=True)


def _shown(text: str) -> str:
    return printable(in_options(text))
