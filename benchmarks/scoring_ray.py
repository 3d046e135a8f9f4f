"""What scoring on Ray takes: its processes, watched from outside, since Ray doesn't count them as children's time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY = 0.2
"""Seconds between two looks."""


@dataclass
class Seen:
    """What was seen of the processes below this one.

    Args:
        workers: Seconds of the processor by worker, by process id.
        others: The same of the cluster's own processes.
        worker_mb: Largest resident size of a worker.
    """

    workers: dict[int, float]
    others: dict[int, float]
    worker_mb: float = 0.0

    def look(self) -> None:
        """Look at all of them once."""
        for process in psutil.Process().children(recursive=True):
            try:
                used, name = process.cpu_times(), " ".join(process.cmdline())
                peak = _peak_mb(process.pid)
            except (psutil.Error, OSError):
                continue  # it has just ended
            is_worker = name.startswith("ray::MapWorker")
            (self.workers if is_worker else self.others)[process.pid] = used.user + used.system
            if is_worker:
                self.worker_mb = max(self.worker_mb, peak)
        for known in self.workers.keys() & self.others.keys():  # one that waited before it became a worker
            del self.others[known]


def watched(act: Callable[[], object]) -> Seen:
    """Do something, and return what its processes took.

    Args:
        act: What is done.
    """
    seen, over = Seen({}, {}), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            seen.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        act()
    finally:
        over.set()
        watcher.join()
    return seen


def measure_ray(score: Callable[[str], object], images: int, learned: int) -> dict[str, float]:
    """Return what one actor takes for an image, and what comes before the first.

    Args:
        score: Scores one of the two files on Ray.
        images: In the larger file.
        learned: In the smaller one.
    """
    few, many = (watched(lambda name=name: score(name)) for name in ("some.parquet", "all.parquet"))  # type: ignore[misc]
    least, most = sum(few.workers.values()), sum(many.workers.values())
    each = (most - least) / (images - learned)
    return {
        "ray: cluster's own s": round(sum(few.others.values()), 1),
        "ray: worker's start s": round(least - each * learned, 1),
        "ray: CPU s per image": round(each, 5),
        "ray: worker's peak MB": round(many.worker_mb, 1),
    }


def _peak_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM")), "0")
    return int(kilobytes) * 1024 / 1e6
