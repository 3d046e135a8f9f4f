"""Time and memory of decoding photos into the pixel store, for 5 000 and for 50 000 of them.

    python benchmarks/memory.py /path/to/cifar10n-train.parquet --label-column label_human

Each size runs in a process of its own, so that one doesn't inherit the other's peak; "peak" is the largest
resident memory of that process, and of the largest of the processes it started to decode.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from deft.data.image_spec import ImageSpec
from deft.data.load import load_images
from deft.training.pixel_store import PixelStore


def measure(source: str, label_column: str, count: int, workers: int) -> dict[str, float]:
    """Build a store of `count` images, read all of it once in random order, and build it again."""
    spec = ImageSpec(224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    began = time.perf_counter()
    images = load_images(source, label_column=label_column)
    images = images.keep(np.arange(min(count, len(images))))
    loaded = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        store = PixelStore.build(images, spec, Path(folder), workers=workers)
        built = time.perf_counter()
        order = np.random.default_rng(0).permutation(len(images))
        for start in range(0, len(order), 256):
            store.read(order[start : start + 256])
        read = time.perf_counter()
        store.close()
        PixelStore.build(images, spec, Path(folder), workers=workers).close()
        again = time.perf_counter()
    unit = 1024 if sys.platform == "linux" else 1
    peaks = [resource.getrusage(who).ru_maxrss * unit / 1e6 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "images": len(images),
        "side": store.side,
        "workers": workers,
        "load s": loaded - began,
        "build s": built - loaded,
        "read s": read - built,
        "reuse s": again - read,
        "peak MB": peaks[0],
        "worker peak MB": peaks[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a Parquet file, table or folder of labelled images")
    parser.add_argument("--label-column", default="label_human")
    parser.add_argument("--counts", type=int, nargs="+", default=[5000, 50000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.source, options.label_column, options.one, options.workers)))
        return
    for place, count in enumerate(options.counts):
        command = [sys.executable, __file__, options.source, "--label-column", options.label_column]
        command += ["--workers", str(options.workers), "--one", str(count)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if place == 0:
            print(" | ".join(found))
        print(" | ".join(f"{value:{max(len(name), 6)}.5g}" for name, value in found.items()))


if __name__ == "__main__":
    main()
