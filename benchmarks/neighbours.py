"""What an index of neighbours finds and costs, beside comparing each suspect with all images.

    python -m benchmarks.neighbours RUN/features.npy --asked 2000

Takes features that a run kept, at any size. Prints seconds of the processor and the share of the five nearest images
that the index names.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from deft.runs import near
from deft.runs.disk_rows import DiskRows
from deft.runs.near import Space


def timed(space: Space, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the neighbours of some images, and the seconds of the processor that they took."""
    began = time.process_time()
    places, _ = space.nearest(rows)
    return places, time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("--asked", type=int, default=2000)
    chosen = parser.parse_args()
    values = np.load(chosen.features, mmap_mode="r")
    count = len(values)
    usable = np.isfinite(np.asarray(values[:, 0], np.float32))
    rows = np.sort(np.random.default_rng(0).choice(count, min(chosen.asked, count), replace=False))
    space = Space.of(DiskRows.of(values), usable, np.full(count, -1))
    near.EXACT_UP_TO = count
    exact, seconds = timed(space, rows)
    near.EXACT_UP_TO = near.WORTH_AN_INDEX = 0
    named, less = timed(space, rows)
    found = np.mean([len({*one} & {*other}) / len(other) for one, other in zip(named, exact, strict=True)])
    print(f"{count} images, {values.shape[1]} wide, {len(rows)} asked about")
    print(f"compared with all: {seconds:.1f} s; by an index: {less:.1f} s, {found:.3f} of the nearest found")


if __name__ == "__main__":
    main()
