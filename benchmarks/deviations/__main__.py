"""How much each difference from the authors' code matters: ours and theirs, measured on a small task.

    python -m benchmarks.deviations --data ../shared/data --photos ../photos                  # ten minutes of one core
    python -m benchmarks.deviations --data ../shared/data --photos ../photos --only unicon    # names that begin so

What is printed goes to `benchmarks/results/deviations.json`, from which `python -m scripts.methods_docs` makes the
sections "Where it differs from the authors' code" of docs/methods.md, docs/detectors.md and docs/deft.md. Each measure
says by which code it was made. What this very code has measured stays, so a stopped run goes on where it was; what was
never measured comes first, then what other code has measured.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path

import torch

from benchmarks.deviations.detecting import DETECTING
from benchmarks.deviations.formulas import FORMULAS
from benchmarks.deviations.learning import LEARNING
from benchmarks.deviations.page import RESULTS, Measured, read_results, shown, write_results
from benchmarks.deviations.task import Task
from deft.bench.machine import machine
from deft.bench.results import Code
from deft.runs.provenance import versions

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


def measure(task: Task, only: str, place: Path = RESULTS) -> None:
    """Measure those whose names begin so, and write each as soon as it is there.

    Args:
        task: What they are measured on.
        only: How their names begin; all of them if empty.
        place: File of results. What isn't measured stays in it, and what is no longer measured leaves it.
    """
    code = Code()
    made = {
        "code": code.version,
        "measures": sources(),
        "commit": code.commit,
        "machine": machine(),
        "versions": versions(),
    }
    for name in due(read_results(place), only, code):
        start = time.process_time()
        numbers = {key: _rounded(value) for key, value in MEASURES[name](task).items()}
        told = {key: shown(value) for key, value in numbers.items()}
        print(f"{name} {told}, {time.process_time() - start:.0f} s of a core", flush=True)
        today = datetime.now(timezone.utc).isoformat(timespec="seconds")
        found = {old: one for old, one in read_results(place).items() if old in MEASURES}  # others may have written
        write_results(place, {**found, name: Measured(numbers, {**made, "date": today})})


def due(found: Mapping[str, Measured], only: str, code: Code) -> list[str]:
    """Return the names of what is to be measured: not what this code has measured, and first what none has.

    Args:
        found: What was measured.
        only: How the names begin.
        code: That would measure.
    """
    made = {"code": code.version, "measures": sources()}
    wanted = [name for name in MEASURES if name.startswith(only)]
    other = [name for name in wanted if name in found and {**found[name].made, **made} != found[name].made]
    return [*(name for name in wanted if name not in found), *other]


def sources() -> str:
    """Return a short hash of what measures; the file of results, which changes in a run, is no part of it."""
    digest = blake2b(digest_size=6)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _rounded(value: float | list[float]) -> float | list[float]:
    return [round(one, 4) for one in value] if isinstance(value, list) else float(f"{value:.6g}")


if __name__ == "__main__":
    main()
