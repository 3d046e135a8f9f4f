"""Whether the number of threads moves verdicts: `python -m benchmarks.threads cifar10n-train.parquet label_human`.

The same images are judged by `deft detect` on the bundled `tiny` in processes with one thread and with two, in each
number format, and once more with one thread. Printed are, against one thread: flags that differ, and the largest
difference of a `label_score`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

THREADS = (1, 2)


def verdicts(data: str, column: str, images: int, precision: str, threads: int) -> pd.DataFrame:
    """Return the table of a run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        line = ["-m", "deft", "detect", data, "--label-col", column, "-o", f"{folder}/run", "--model", "tiny", "-q"]
        line += ["--limit", str(images), "--precision", precision, "--device", "cpu", "--workers", "0"]
        own = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, *line], check=True, env=own, stdout=subprocess.DEVNULL)
        return pd.read_parquet(Path(folder) / "run" / "labels.parquet").set_index("sample_id")


def main() -> None:
    """Print one line for each number format and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("column", help="of labels")
    parser.add_argument("--images", type=int, default=1000)
    given = parser.parse_args()
    print("| number format | threads | flagged | flags that differ | largest difference of a score |")
    print("|---|---|---|---|---|")
    for precision in ("bfloat16", "float32"):
        first = verdicts(given.data, given.column, given.images, precision, THREADS[0])
        for threads in THREADS:
            found = verdicts(given.data, given.column, given.images, precision, threads).loc[first.index]
            differing = int((found["is_label_issue"] != first["is_label_issue"]).sum())
            most = float(np.abs(found["label_score"] - first["label_score"]).max())
            flagged = int(found["is_label_issue"].sum())
            print(f"| {precision} | {threads} | {flagged} | {differing} | {most:.2g} |", flush=True)


if __name__ == "__main__":
    main()
