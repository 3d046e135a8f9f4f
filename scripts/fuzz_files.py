"""Mutated files of a run, of its decisions and of label tables: what is opened is whole, or refused with a sentence.

    python scripts/fuzz_files.py [--minutes 5] [--seed 0]      (also: make fuzz)

Each round breaks one file (cut, flipped, zeroed, doubled or foreign bytes) and opens what it belongs to. A manifest,
which would find every change, is taken away in half of the rounds, so that the readers themselves are tried. A round
fails if anything but one of deft's own errors is raised.
"""

from __future__ import annotations

import argparse
import json
import runpy
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deft.data.load import load_images
from deft.errors import DeftError
from deft.export.patch import Patch
from deft.manifest import MANIFEST
from deft.runs.decisions import Decision, Decisions, now, read_log
from deft.runs.detection import Detection, Verdicts
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.source import Source

Random = np.random.Generator
MUTATE: Callable[[bytes, list[tuple[str, bytes]], Random], bytes] = runpy.run_path(
    str(Path(__file__).with_name("fuzz_images.py"))
)["mutate"]
CLASSES = ("cat", "dog", "=1+1")


def make(folder: Path) -> None:
    """Write photos, tables of labels, a patch, and a run with decisions.

    Args:
        folder: Empty.
    """
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{number}.png")
    images = load_images(folder / "photos")
    count = len(images)
    verdicts = Verdicts(
        p_clean=rng.random(count).astype(np.float32),
        is_clean=rng.random(count) > 0.5,
        predicted=images.labels,
        topk=np.stack([images.labels, (images.labels + 1) % len(CLASSES)], axis=1),
        topk_probs=np.tile(np.array([0.75, 0.25], np.float32), (count, 1)),
    )
    run = folder / "run"
    new_detection(images, verdicts, read_errors={}, settings={"model": "tiny"}, info={}).save(run)
    Source(str(folder / "photos")).save(run)
    with Decisions(run) as log:
        for sample in images.sample_id:
            log.record(Decision(sample, "skipped", "", None, "Ada", now()), expected=0)
    paths = sorted((folder / "photos").rglob("*.png"))
    rows = [{"file_name": str(path), "label": path.parent.name} for path in paths]
    (folder / "labels.json").write_text(json.dumps(rows))
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "labels.csv").write_text("file_name,label\n" + "\n".join(f"{one.name},cat" for one in paths))
    change = {"sample_id": "a", "content": "0", "from": "cat", "to": "dog", "file_name": "a"}
    (folder / "patch.json").write_text(json.dumps({"kind": "deft label patch", "format": 1, "changes": [change]}))


def opens(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what each file is opened by.

    Args:
        folder: Made by `make`.
    """
    run = folder / "run"
    tables = {f"labels.{kind}": partial(load_images, folder / f"labels.{kind}") for kind in ("csv", "json", "jsonl")}
    return {
        **tables,
        "run/labels.parquet": lambda: (Detection.load(run).summary(), Detection.load(run).table),
        "run/run.json": lambda: open_run(run),
        f"run/{MANIFEST}": lambda: open_run(run),
        "run/reviews.sqlite": lambda: read_log(run),
        "patch.json": lambda: Patch.load(folder / "patch.json"),
    }


def check_round(folder: Path, random: Random) -> tuple[str, bool]:
    """Break a file, open what it belongs to, and put the file back.

    Args:
        folder: Made by `make`.
        random: Draws the file and what is done to it.

    Returns:
        The file, and whether it was refused.
    """
    known = opens(folder)
    name = sorted(known)[int(random.integers(len(known)))]
    path, manifest = folder / name, folder / "run" / MANIFEST
    before, checks = path.read_bytes(), manifest.read_bytes()
    path.write_bytes(MUTATE(before, [(name, checks)], random))
    if name != f"run/{MANIFEST}" and random.random() < 0.5:
        manifest.unlink()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            known[name]()
    except DeftError as error:
        return name, bool(str(error))
    finally:
        path.write_bytes(before)
        manifest.write_bytes(checks)
    return name, False


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="deft-fuzz-"))
    make(folder)
    until, rounds, refused = time.monotonic() + 60 * given.minutes, 0, Counter[str]()
    while time.monotonic() < until:
        try:
            name, no = check_round(folder, np.random.default_rng([given.seed, rounds]))
        except Exception as error:
            sys.exit(f"Round {rounds} of --seed {given.seed} fails: {error!r}; the files are in {folder}.")
        refused[name] += no
        rounds += 1
    shutil.rmtree(folder)
    told = ", ".join(f"{name} {count}" for name, count in sorted(refused.items()))
    print(f"{rounds} files broken; refused with a sentence: {told}; the others opened.")


if __name__ == "__main__":
    main()
