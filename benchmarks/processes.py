"""How far verdicts of several processes lie from those of one: `python -m benchmarks.processes`.

A CLIP of two layers with random weights learns with VPT from 13 images, two epochs in batches of five, in one to four
processes on this machine; printed is the largest difference of `label_score` in float32 and in bfloat16.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tests.conftest import save_clip

PROCESSES = (2, 3, 4)


def main() -> None:
    """Print one line for each number format and number of processes."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _write_images(place / "photos")
        save_clip(place / "clip")
        for precision in ("float32", "bfloat16"):
            alone = _scores(place, precision, 1)
            for count in PROCESSES:
                several = _scores(place, precision, count)
                apart = (several["label_score"] - alone["label_score"]).abs().max()
                same = bool((several["is_label_issue"] == alone["is_label_issue"]).all())
                print(f"{precision:9} {count} processes: {apart:.1e}, {'the same' if same else 'other'} flags")


def _write_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, colour, count in (("cat", 60, 6), ("dog", 190, 7)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(colour - 50, colour + 50, size=(24, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def _scores(place: Path, precision: str, count: int) -> pd.DataFrame:
    run = place / f"{precision}-{count}"
    command = [
        sys.executable,
        "-m",
        "deft",
        "detect",
        place / "photos",
        "-o",
        run,
        "--model",
        place / "clip",
        "--paper",
    ]
    settings = {"--epochs": 2, "--context": 4, "--batch-size": 5, "--device": "cpu", "--processes": count}
    words = [str(word) for pair in settings.items() for word in pair]
    subprocess.run([*map(str, command), *words, "--precision", precision, "-q"], check=True, capture_output=True)
    return pd.read_parquet(run / "labels.parquet")


if __name__ == "__main__":
    main()
