"""How far a run of several tasks is as a whole, and how long it will still take."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

DETECTION: Mapping[str, float] = MappingProxyType(
    {
        "Finding images": 1,
        "Loading the model": 3,
        "Telling images apart": 3,
        "Looking at sizes": 1,
        "Checking decoded images": 1,
        "Reading images": 20,
        "Looking for duplicates": 1,
        "Encoding images": 100,
        "Training": 10,
        "Weighing labels": 1,
        "Judging labels": 1,
        "Making thumbnails": 5,
        "Gathering evidence": 5,
    }
)
"""The tasks of a detection in their order, with the share of its time that each is expected to take."""

ADAPTATION: Mapping[str, float] = MappingProxyType(dict(list(DETECTION.items())[:9]))
"""The same of training a classifier."""

_EPOCH = 300
"""Share of an epoch in which the images pass through the model and back."""

_PART = re.compile(r"(.+), \w+ (\d+)/(\d+)")  # as in "Training, epoch 3/10"


def of_training(epochs: int, *, changes_images: bool) -> dict[str, float]:
    """Return the shares of tasks whose time depends on what is trained, for `Progress.expect`.

    Args:
        epochs: How often each image is seen.
        changes_images: Whether the images pass through the model in every epoch, or what it saw in them is kept.
    """
    seen = 100.0 if changes_images else 1.0
    training = _EPOCH * epochs if changes_images else DETECTION["Training"]
    return {"Training": training, "Weighing labels": seen, "Judging labels": seen}


class Stages:
    """Measures the tasks of a run and foretells the rest.

    Before a task has begun, its time is its share of what is expected, at the speed of the tasks before it; once it
    has begun, it is what was measured. The whole never goes backwards.

    Args:
        shares: The tasks in their order, with the time that each is expected to take, in any unit. With none, every
            task is a whole of its own.
        clock: Seconds.

    Example:
        >>> stages = Stages({"Reading": 1, "Training": 3})
        >>> stages.begin("Reading")
        >>> stages.done("Reading", 1.0)
        >>> stages.fraction
        0.25
    """

    def __init__(self, shares: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._shares = dict(shares)
        self._alone = not shares
        self._clock = clock
        self._done: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._from: dict[str, float] = {}  # what was done of a task when it began, as in a run that is resumed
        self._now: str | None = None
        self._since = clock()
        self._reached = 0.0

    def expect(self, shares: Mapping[str, float]) -> None:
        """Take other shares for tasks that are to come; one that isn't among the tasks comes after all of them."""
        if not self._alone:
            self._shares |= shares

    def begin(self, task: str) -> None:
        """Note that a task begins: those before it, which were left out, are over.

        Args:
            task: Its name; `name, part k/n` is one of n parts of a task.
        """
        name, part, parts = _parts(task)
        if self._alone:
            self._shares, self._done, self._spent, self._from, self._reached = {name: 1.0}, {}, {}, {}, 0.0
        if name not in self._shares:
            return
        self._measure()
        for before in self._shares:
            if before == name:
                break
            self._done[before] = 1.0
        self._now = name
        self._from.setdefault(name, (part - 1) / parts)

    def done(self, task: str, fraction: float) -> None:
        """Note how much of a task is done.

        Args:
            task: As it began.
            fraction: Of this task, 0 to 1.
        """
        name, part, parts = _parts(task)
        if name in self._shares:
            self._measure()
            self._done[name] = max(self._done.get(name, 0.0), (part - 1 + fraction) / parts)

    def rest(self) -> None:
        """Note that no task is going on; the time until the next one begins belongs to none."""
        self._measure()
        self._now = None

    @property
    def fraction(self) -> float:
        """How much of the whole is done, 0 to 1."""
        left = self._times_left()
        spent = sum(self._spent.values())
        share = sum(self._shares[name] * done for name, done in self._done.items()) / sum(self._shares.values())
        here = share if left is None or spent <= 0 else spent / (spent + left)
        self._reached = max(self._reached, min(here, 1.0))
        return self._reached

    @property
    def seconds_left(self) -> float | None:
        """What is expected of the time to come; None as long as nothing was measured."""
        return self._times_left()

    def _times_left(self) -> float | None:
        seen = {name: self._done.get(name, 0.0) - start for name, start in self._from.items()}
        seen = {name: done for name, done in seen.items() if done > 0 and self._spent.get(name, 0.0) > 0}
        if not seen:
            return None
        known = sum(self._shares[name] * done for name, done in seen.items())
        pace = sum(self._spent[name] for name in seen) / known
        left = 0.0
        for name, share in self._shares.items():
            whole = self._spent[name] / seen[name] if name in seen else pace * share
            left += whole * (1 - self._done.get(name, 0.0))
        return left

    def _measure(self) -> None:
        now = self._clock()
        if self._now is not None:
            self._spent[self._now] = self._spent.get(self._now, 0.0) + now - self._since
        self._since = now


def _parts(task: str) -> tuple[str, int, int]:
    """Return the name of a task, which part of it this is, and how many parts it has."""
    found = _PART.fullmatch(task)
    return (task, 1, 1) if found is None else (found[1], int(found[2]), int(found[3]))
