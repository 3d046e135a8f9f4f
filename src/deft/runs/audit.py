"""A random sample that people look at, so that the share of wrong labels is known and not only estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from statistics import NormalDist

import numpy as np

from deft.errors import DataError, SettingsError
from deft.files import parse_json, readable_json, replace_file
from deft.metrics import wilson_interval
from deft.runs.decisions import Decision, now
from deft.shown import short_repr

FILE = "audit.json"
POINTS = (0.03, 0.05, 0.10)
"""Distances from the truth, as shares, for which a size is offered."""

LEAST, LEAST_SHARE = 20, 0.02
_WRONG = ("corrected", "none_of_these")
_RIGHT = ("kept",)


@dataclass(frozen=True)
class Audit:
    """Images drawn at random from those that nobody had decided about.

    Args:
        drawn: sample_id of each, in the order of drawing.
        pool: How many they were drawn from.
        seed: Draws them.
        time: When they were drawn, ISO 8601 in UTC.

    Example:
        >>> audit = Audit.draw(found.sample_id, count=40)  # doctest: +SKIP
        >>> audit.rate(read_decisions("run/"))  # doctest: +SKIP
        Rate(wrong=3, seen=40, low=0.026, high=0.199)
    """

    drawn: tuple[str, ...]
    pool: int
    seed: int
    time: str

    __repr__ = short_repr

    @classmethod
    def draw(cls, pool: Sequence[str], *, count: int, seed: int = 0) -> Audit:
        """Draw images; each is as likely as any other, whatever is suspected of it.

        Args:
            pool: sample_id of the images that nobody has decided about.
            count: How many to draw.
            seed: Draws them; the order of the pool plays no part.

        Raises:
            SettingsError: There are fewer than that, or none are asked for.
        """
        if not 1 <= count <= len(pool):
            raise SettingsError(f"From {len(pool)} images that nobody has decided about, {count} can't be drawn.")

        def lot(name: str) -> bytes:
            return blake2b(f"audit {seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()

        return cls(tuple(sorted(pool, key=lot)[:count]), len(pool), seed, now())

    def rate(self, decisions: Mapping[str, Decision]) -> Rate:
        """Return the share of wrong labels in the pool, by what people said of the sample so far.

        Bad images and skipped ones say nothing of their label and don't count.

        Args:
            decisions: What stands about each image, by sample_id.
        """
        said = [decisions[name].status for name in self.drawn if name in decisions]
        wrong = sum(status in _WRONG for status in said)
        return Rate.of(wrong, wrong + sum(status in _RIGHT for status in said))

    def open(self, decisions: Mapping[str, Decision]) -> int:
        """Return how many of the images nobody has decided about yet.

        Args:
            decisions: What stands about each image, by sample_id.
        """
        return sum(name not in decisions for name in self.drawn)

    def save(self, run: str | Path) -> None:
        """Write the sample into a run folder, in place of an older one.

        Args:
            run: The folder.
        """
        with replace_file(Path(run) / FILE) as temporary:
            temporary.write_text(readable_json(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, run: str | Path) -> Audit | None:
        """Return the sample that was drawn in a run; None if none was.

        Args:
            run: The folder.

        Raises:
            DataError: The file is damaged.
        """
        path = Path(run) / FILE
        if not path.is_file():
            return None
        try:
            stored = parse_json(path.read_text(encoding="utf-8"))
            return cls(tuple(map(str, stored["drawn"])), int(stored["pool"]), int(stored["seed"]), str(stored["time"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} can't be read as a sample that was drawn: {error}. Delete it to draw anew."
            ) from error


@dataclass(frozen=True)
class Rate:
    """A share of wrong labels that was counted.

    Args:
        wrong: How many were wrong.
        seen: Of how many.
        low: Lower end of Wilson's interval (95 %).
        high: Upper end.
    """

    wrong: int
    seen: int
    low: float
    high: float

    @classmethod
    def of(cls, wrong: int, seen: int) -> Rate:
        """Return the share with its interval."""
        return cls(wrong, seen, *wilson_interval(wrong, seen))

    @property
    def share(self) -> float:
        """The share itself, 0..1; NaN where nothing was seen."""
        return self.wrong / self.seen if self.seen else math.nan


def sizes(share: float, pool: int, confidence: float = 0.95) -> list[tuple[int, float]]:
    """Return how many images to look at to know a share to within so much, the most exact first.

    The normal approximation, with the correction for a pool that isn't endless (Cochran, "Sampling Techniques", 1977,
    chapter 4).

    Args:
        share: What the share is thought to be, 0..1.
        pool: How many images there are to draw from.
        confidence: Chance that the truth is that near.

    Returns:
        Pairs of a number of images and the distance from the truth, a share.

    Example:
        >>> sizes(0.1, 10_000)
        [(370, 0.03), (137, 0.05), (35, 0.1)]
    """
    spread = max(min(share, 0.5), LEAST_SHARE)
    squared = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2 * spread * (1 - spread)
    needed = [(squared / points**2, points) for points in POINTS]
    rounded = [(max(math.ceil(count / (1 + (count - 1) / max(pool, 1))), LEAST), points) for count, points in needed]
    return [(count, points) for count, points in rounded if count <= pool]


def undecided(found_ids: Sequence[str], judged: np.ndarray, decisions: Mapping[str, Decision]) -> np.ndarray:
    """Return which judged images nobody has decided about, bool (N,); a skipped one counts as undecided.

    Args:
        found_ids: sample_id of each image, (N,).
        judged: Which were judged, bool (N,).
        decisions: What stands about each image, by sample_id.
    """
    settled = {name for name, one in decisions.items() if one.status != "skipped"}
    still: np.ndarray = judged & np.fromiter((name not in settled for name in found_ids), bool, len(found_ids))
    return still
