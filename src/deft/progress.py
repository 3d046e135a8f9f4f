"""How long actions tell a user that they are alive: an interface, and a silent default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class Progress(ABC):
    """What an action reports to while it runs; the command line draws it, the library is silent.

    Example:
        >>> class Log(Progress):
        ...     def track(self, steps, task, *, total=None):
        ...         logging.info("%s: %s steps", task, total)
        ...         yield from steps
        ...
        ...     def note(self, text):
        ...         logging.info(text)
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        """Yield the steps, reporting each as done.

        Args:
            steps: What is worked through.
            task: What a person reads beside the bar, such as "Reading images".
            total: Number of steps, where it is known.
        """

    def expect(self, shares: Mapping[str, float]) -> None:
        """Be told how long tasks to come will take.

        Args:
            shares: Time by the name of the task, where encoding all images once is 100.
        """
        return None

    def measure(self, name: str, value: float, step: int) -> None:
        """Be told a number that training measured.

        Args:
            name: What it is: `training/loss`, `training/learning_rate`, `training/epoch_loss` or
                `validation/accuracy`.
            value: The number.
            step: After how many steps; of the last two, after how many epochs.
        """
        return None

    def __enter__(self) -> Progress:
        """Begin a run of several tasks, which are shown as one until it ends."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    @abstractmethod
    def note(self, text: str) -> None:
        """Tell a person something that happened.

        Args:
            text: One sentence.
        """


class Silent(Progress):
    """Says nothing."""

    def track(self, steps: Iterable[T], task: str, *, total: int | None = None) -> Iterator[T]:
        return iter(steps)

    def note(self, text: str) -> None:
        return None
