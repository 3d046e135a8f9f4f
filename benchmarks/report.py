"""Time and memory of `deft report` over a folder of many photos, most of which nobody has to decode.

python benchmarks/report.py --images 50000
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from deft.data.load import load_images
from deft.runs.detection import Verdicts
from deft.runs.judged import new_detection
from deft.runs.source import Source

PHOTOS = 64  # different ones; the others are hard links to them
FLAGGED = 0.2


def make_photos(folder: Path, count: int, classes: int) -> None:
    """A folder of class folders with photos of 500 x 375 pixels, smooth with grain as a camera makes them."""
    rng = np.random.default_rng(0)
    originals = []
    for number in range(PHOTOS):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((500, 375), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (375, 500, 3))
        pixels = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)
        originals.append(folder / f"{number}.jpg")
        Image.fromarray(pixels).save(originals[-1], quality=88)
    for number in range(count):
        place = folder / "photos" / f"kind {number % classes}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(originals[number % PHOTOS], place / f"{number:06d}.jpg")


def make_run(folder: Path) -> None:
    """A run over them whose verdicts are drawn at random."""
    images = load_images(folder / "photos")
    rng = np.random.default_rng(0)
    count, classes = len(images), len(images.classes)
    flagged = rng.random(count) < FLAGGED
    other = (images.labels + rng.integers(1, classes, count)) % classes
    p_clean = np.where(flagged, rng.beta(0.5, 3, count) / 2, 1 - rng.beta(0.5, 3, count) / 2).astype(np.float32)
    predicted = np.where(flagged, other, images.labels)
    topk = (predicted[:, None] + np.arange(5)) % classes
    probs = np.tile(np.array([0.6, 0.2, 0.1, 0.05, 0.02], np.float32), (count, 1))
    verdicts = Verdicts(p_clean, ~flagged, predicted, topk, probs)
    new_detection(images, verdicts, read_errors={}, settings={"detector": "random"}, info={}).save(folder / "run")
    Source(str(folder / "photos")).save(folder / "run")


def main() -> None:
    """Prepare, measure `deft report` as a process of its own, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photos(folder, asked.images, asked.classes)
        make_run(folder)
        words = ["report", str(folder / "run"), "--quiet"]
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "from deft.cli import main; main()", *words], check=True)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        size = (folder / "run" / "report.html").stat().st_size / 1e6
    print(
        f"{asked.images} images, {asked.classes} classes: {seconds:.1f} s, {peak:.0f} MB at most, page of {size:.2f} MB"
    )


if __name__ == "__main__":
    main()
