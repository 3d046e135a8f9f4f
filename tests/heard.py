"""A progress that remembers what it is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from deft.progress import Progress

T = TypeVar("T")


class Heard(Progress):
    """Remembers tasks and notes, and everything in its order."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.notes: list[str] = []
        self.told: list[object] = []

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        self.tasks.append(task)
        self.told.append(task)
        return iter(steps)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.told.append(text)

    def measure(self, name: str, value: float, step: int) -> None:
        self.told.append((name, value, step))

    def __contains__(self, text: str) -> bool:
        return any(text in note for note in self.notes)
