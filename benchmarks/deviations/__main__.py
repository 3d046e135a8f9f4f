"""How much each difference from the authors' code matters: ours and theirs, measured on a small task.

    python -m benchmarks.deviations --data ../shared/data --photos ../photos                  # some minutes of one core
    python -m benchmarks.deviations --data ../shared/data --photos ../photos --only unicon    # names that begin so

What is printed goes to `benchmarks/results/deviations.json`, from which `python -m scripts.methods_docs` makes the
sections "Where it differs from the authors' code" of docs/methods.md, docs/detectors.md and docs/deft.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch

from benchmarks.deviations.detecting import DETECTING
from benchmarks.deviations.formulas import FORMULAS
from benchmarks.deviations.learning import LEARNING
from benchmarks.deviations.page import RESULTS, shown
from benchmarks.deviations.task import Task

MEASURES = {**FORMULAS, **LEARNING, **DETECTING}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the Parquet files of CIFAR-10N")
    parser.add_argument("--photos", type=Path, required=True, help="folder with caltech")
    parser.add_argument("--only", default="", help="how the names of those that are measured begin")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        measure(Task.read(asked.data, asked.photos, Path(folder)), asked.only)


def measure(task: Task, only: str) -> None:
    """Measure those whose names begin so, and write each as soon as it is there."""
    for name in (name for name in MEASURES if name.startswith(only)):
        numbers = {key: _rounded(value) for key, value in MEASURES[name](task).items()}
        print(name, {key: shown(value) for key, value in numbers.items()}, flush=True)
        found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}  # others may have written
        RESULTS.write_text(
            json.dumps(dict(sorted({**found, name: numbers}.items())), indent=1) + "\n", encoding="utf-8"
        )


def _rounded(value: float | list[float]) -> float | list[float]:
    return [round(one, 4) for one in value] if isinstance(value, list) else float(f"{value:.6g}")


if __name__ == "__main__":
    main()
