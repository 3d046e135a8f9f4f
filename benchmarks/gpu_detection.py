"""Where the seconds of a detection as typed go: its parts, each without those inside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from deft.data.images import LabeledImages
from deft.detectors import deft_trained, deft_weighing
from deft.detectors.deft import DeFT
from deft.detectors.deft_trained import TrainedDeFT
from deft.encoders.base import DualEncoder
from deft.prompts.learned import DualPrompts
from deft.training import inputs

WATCHED: Sequence[tuple[str, Any, str]] = (
    ("decoding", inputs, "_decoded"),
    ("looking for duplicates", inputs, "_groups"),
    ("looking for duplicates", inputs, "with_similar"),
    ("frozen pass", inputs, "_kept"),
    ("learning prompts: text tower, forward", DualPrompts, "forward"),
    ("learning prompts: the rest", DeFT, "_train"),
    ("weighing: sentences about the classes", deft_weighing, "class_features"),
    ("weighing: scores of a sample", deft_weighing, "fair_sample"),
    ("weighing: the shrinkage", deft_weighing, "_shrunk"),
    ("weighing: noise by labels as they are", deft_weighing, "fit_noise"),
    ("weighing: doubted labels", deft_weighing, "clean"),
    ("weighing: noise and weights", deft_weighing, "weigh"),
    ("weighing: the border", deft_weighing, "_bordered"),
    ("weighing: the rest", TrainedDeFT, "observed"),
    ("judging", deft_trained, "judge_by_evidence"),
)


@dataclass
class Clock:
    """Seconds by part; while one runs inside another, the other's stand still.

    Args:
        wait: Waits for the card.
    """

    wait: Callable[[], None]
    seconds: dict[str, float] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.perf_counter)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._stop()
        self.running.append(name)
        try:
            yield
        finally:
            self._stop()
            self.running.pop()

    def _stop(self) -> None:
        self.wait()
        now = time.perf_counter()
        if self.running:
            self.seconds[self.running[-1]] = self.seconds.get(self.running[-1], 0.0) + now - self.since
        self.since = now

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Count the calls of `WATCHED`."""
        usual = [getattr(owner, name) for _, owner, name in WATCHED]
        try:
            for (label, owner, name), function in zip(WATCHED, usual, strict=True):
                setattr(owner, name, self._counted(label, function))
            yield
        finally:
            for (_, owner, name), function in zip(WATCHED, usual, strict=True):
                setattr(owner, name, function)

    def _counted(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def counted(*given: Any, **named: Any) -> Any:
            with self.part(label):
                return function(*given, **named)

        return counted


def parts_of(encoder: DualEncoder, images: LabeledImages, wait: Callable[[], None]) -> dict[str, float]:
    """Return the seconds of each part of `DeFT(encoder).detect(images)`, in their order, and of what is left.

    Args:
        encoder: The model.
        images: Images in files.
        wait: Waits for the card.
    """
    clock = Clock(wait)
    with clock.watch(), clock.part("the rest"):
        DeFT(encoder).detect(images)
    order = dict.fromkeys([*(label for label, _, _ in WATCHED), "the rest"])
    return {label: clock.seconds[label] for label in order if label in clock.seconds}
