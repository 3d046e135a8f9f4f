"""How a run went: versions, time, memory, and what it was run on."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from deft.data.images import LabeledImages

PACKAGES = ("deft-labels", "torch", "transformers", "peft", "numpy", "pillow")


@dataclass(frozen=True)
class Stopwatch:
    """Started when made; tells what a summary says of the run."""

    started: float = field(default_factory=time.perf_counter)

    def info(self, images: LabeledImages, device: str) -> dict[str, Any]:
        """Return versions, device, wall seconds, peak memory in MB, fingerprints and the pixel rule."""
        return {
            "versions": {"python": sys.version.split()[0], **versions()},
            "device": device,
            "wall_seconds": round(time.perf_counter() - self.started, 2),
            "peak_memory_mb": peak_memory_mb(),
            "data_fingerprint": images.fingerprint,
            "label_fingerprint": images.label_fingerprint,
            "pixels": images.pixels.settings(),
        }


def versions() -> dict[str, str]:
    """Return the versions of deft and of what its results depend on, by package."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def peak_memory_mb() -> int | None:
    """Return the largest memory of this process so far; None where the system can't say."""
    try:
        import resource  # POSIX only
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))
