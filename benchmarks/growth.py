"""How seconds and memory grow with images and classes: `python -m benchmarks.growth [--images 1000 5000 20000]`.

Data are made: pictures of 24 x 24 noise, as PNG in one Parquet file, on a CLIP of two layers with random weights, so
that what is measured is everything around a model. Each action runs in a process of its own; seconds are those of the
processor, user and system, so that other work on the machine counts little; memory is the largest resident size, of
which loading the library takes most where there are few images. An exponent is the slope between the two largest points
in double logarithmic scale: 1 where twice as much takes twice as long.

`--where 5000` prints instead where a detection of 5000 classes with one image each spends its time, by steps.

Without numbers after --images or --classes, what was measured of these stays. Results go to
benchmarks/results/growth.json, pictures to docs/growth-images.png and docs/growth-classes.png.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "growth.json"
PICTURES = {"images": ROOT / "docs" / "growth-images.png", "classes": ROOT / "docs" / "growth-classes.png"}
CLASSES, IMAGES = 10, 2000  # what stays as it is while the other grows
POSTERIOR_STEP = 1000
NOTHING = {"seconds": None, "mb": None}  # of an action that was given up
SIDE = 24


def make(place: Path, images: int, classes: int) -> None:
    """Write the data, and the model beside them."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image
    from tests.conftest import save_clip

    rng = np.random.default_rng(0)
    labels = [f"kind {number % classes}" for number in range(images)]
    content = []
    for number in range(images):
        colour = 40 + 170 * (number % classes) // classes
        file = io.BytesIO()
        noise = rng.integers(colour - 40, colour + 40, (SIDE, SIDE, 3)).astype(np.uint8)
        Image.fromarray(noise).save(file, "png", compress_level=1)
        content.append(file.getvalue())
    pq.write_table(pa.table({"image": content, "label": labels}), place / "data.parquet", row_group_size=1000)
    save_clip(place / "model")


def read(place: Path) -> None:
    """List images and labels, and name their contents."""
    import deft

    assert deft.load_images(place / "data.parquet").content_id


def decode(place: Path) -> None:
    """Decode all images, in this process."""
    import deft
    from deft.data.image_spec import ImageSpec
    from deft.training.pixel_store import PixelStore

    half = (0.5, 0.5, 0.5)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        PixelStore.build(deft.load_images(place / "data.parquet"), ImageSpec(32, half, half), Path(folder), workers=0)


def detect(place: Path) -> None:
    """Run `deft detect` with its defaults, but for the report."""
    import deft

    images = deft.load_images(place / "data.parquet")
    detector = deft.DeFT(deft.load_encoder(str(place / "model"), device="cpu"))
    detector.detect(images, workspace=deft.Workspace(workers=0)).save(place / "run")


def posterior(place: Path) -> None:
    """Estimate how labels go wrong from the scores of all images."""
    import torch

    import deft

    images = deft.load_images(place / "data.parquet")
    labels = torch.from_numpy(images.labels)
    scores = torch.randn(len(images), len(images.classes), generator=torch.Generator().manual_seed(0))
    scores[torch.arange(len(labels)), labels] += 3
    found = deft.estimate_transition(scores, labels)
    for rows in torch.arange(len(labels)).split(POSTERIOR_STEP):
        found.posterior(scores[rows], labels[rows])


def report(place: Path) -> None:
    """Make the page of a run."""
    import deft

    found, images = deft.open_run(place / "run")
    deft.build_report(images, found, name="made").write(place / "report.html")


def review(place: Path) -> None:
    """Open a run for review, and make its first page."""
    import deft
    from deft.reviewing.desk import Desk
    from deft.reviewing.query import Query

    found, _ = deft.open_run(place / "run")
    with deft.Decisions(place / "run") as log:
        Desk(found, log, "somebody").page(Query(), after=0, limit=50)


def export(place: Path) -> None:
    """Write corrected labels as a table."""
    import deft

    deft.write_export(deft.plan_run(place / "run"), place / "exported", "parquet")


ACTIONS: Mapping[str, Callable[[Path], None]] = {
    "read": read,
    "decode": decode,
    "posterior": posterior,
    "detect": detect,
    "report": report,
    "review": review,
    "export": export,
}


STEPS: Mapping[str, str] = {
    "inputs._decoded": "decoding",
    "inputs._groups": "looking for duplicates",
    "deft._train": "learning prompts",
    "deft_weighing._shrunk": "shrinking the discriminant",
    "weighing.fit_noise": "weighing by the labels as they are",
    "cleaned.clean": "doubting the labels",
    "weighing.weigh": "weighing again",
    "deft_trained.judge": "judging",
    "detection.save": "writing the run, with its evidence",
}
"""Functions of a detection that follow one another, as `module.function`."""


def measure(act: Callable[[], None], limit: int) -> dict[str, float] | None:
    """Do something in a process of its own; what it took, or None if that was more than a limit, in CPU seconds."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        return None
    if status:
        raise RuntimeError("An action failed; what it said stands above.")
    unit = 1024 if sys.platform == "linux" else 1
    return {"seconds": round(used.ru_utime + used.ru_stime, 3), "mb": round(used.ru_maxrss * unit / 1e6, 1)}


def load() -> None:
    """Load the library and what it loads, so that no action is charged with that."""
    import matplotlib.pyplot
    import torch
    import transformers.models.clip

    import deft
    from deft.reviewing import desk

    assert all((matplotlib.pyplot, transformers.models.clip, desk))
    for name in ("load_images", "DeFT", "build_report", "write_export", "load_encoder", "open_run", "Decisions"):
        getattr(deft, name)
    torch.set_num_threads(1)


def run(images: Sequence[int], classes: Sequence[int], limit: int) -> list[dict[str, Any]]:
    """Measure all actions over numbers of images, and over numbers of classes."""
    points = [("images", count, CLASSES) for count in images]
    points += [("classes", max(IMAGES, kinds), kinds) for kinds in classes]
    again = {grows for grows, _, _ in points}
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    found: list[dict[str, Any]] = [one for one in stored if one["grows"] not in again]
    for grows, count, kinds in points:
        with tempfile.TemporaryDirectory() as name:
            if measure(functools.partial(make, Path(name), count, kinds), limit) is None:
                raise RuntimeError(f"Making {count} images took more than {limit} s.")
            for action, act in ACTIONS.items():
                if action in ("report", "review", "export") and not (Path(name) / "run").is_dir():
                    continue
                taken: Mapping[str, Any] = measure(functools.partial(act, Path(name)), limit) or NOTHING
                found.append({"grows": grows, "images": count, "classes": kinds, "action": action, **taken})
                sys.stdout.write(json.dumps(found[-1]) + "\n")
                RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def where(kinds: int) -> str:
    """Return how long each step of a detection takes, with one image of each class, as a share of the whole."""
    import cProfile
    import pstats

    with tempfile.TemporaryDirectory() as name:
        make(Path(name), kinds, kinds)
        profile = cProfile.Profile(time.process_time)
        profile.runcall(detect, Path(name))
        stats: Any = pstats.Stats(profile)
    times = {
        f"{Path(file).stem}.{function}": cumulative for (file, _, function), (*_, cumulative, _) in stats.stats.items()
    }
    whole = times["growth.detect"]
    shares = (f"| `{step}` | {what} | {times[step] / whole:.0%} |" for step, what in STEPS.items())
    return "\n".join([f"| step of {whole:.0f} s | what | share |", "|---|---|---|", *shares])


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Return the slope in double logarithmic scale, between the two largest points.

    Example:
        >>> round(exponent([(10, 1.0), (100, 10.0), (1000, 100.0)]), 2)
        1.0
    """
    (less, low), (more, high) = sorted(points)[-2:]
    return float(np.log(high / low) / np.log(more / less))


def lines(results: Sequence[Mapping[str, Any]], grows: str, value: str) -> dict[str, list[tuple[int, float]]]:
    """Return the points of each action."""
    some = [one for one in results if one["grows"] == grows and one[value]]
    return {
        action: [(one[grows], one[value]) for one in some if one["action"] == action]
        for action in ACTIONS
        if sum(one["action"] == action for one in some) > 1
    }


def draw(results: Sequence[Mapping[str, Any]]) -> None:
    """Draw seconds and memory, with the exponents."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    for grows, picture in PICTURES.items():
        figure, both = plt.subplots(1, 2, figsize=(9.6, 4), layout="constrained")
        for axes, value, name in zip(both, ("seconds", "mb"), ("CPU seconds", "peak memory, MB"), strict=True):
            for action, points in lines(results, grows, value).items():
                axes.loglog(*zip(*points, strict=True), "o-", label=f"{action} ({exponent(points):.2f})")
            axes.set(xlabel=grows, ylabel=name)
            axes.grid(alpha=0.3)
            axes.legend(frameon=False, fontsize=8)
        figure.savefig(picture, dpi=110)
        plt.close(figure)


def table(results: Sequence[Mapping[str, Any]], grows: str) -> str:
    """Return the measurements as Markdown: seconds / MB, and both exponents."""
    counts = sorted({one[grows] for one in results if one["grows"] == grows})
    head = ["| action |", *(f" {count} |" for count in counts), " exponents |"]
    rows = ["".join(head), "|---" * (len(counts) + 2) + "|"]
    seconds, memory = lines(results, grows, "seconds"), lines(results, grows, "mb")
    for action in ACTIONS:
        time, size = dict(seconds.get(action, [])), dict(memory.get(action, []))
        cells = [f"{time[count]:.1f} s, {size[count]:.0f} MB" if count in time else "–" for count in counts]
        fits = [f"{exponent(some[action]):.2f}" if len(some.get(action, [])) > 1 else "–" for some in (seconds, memory)]
        rows.append(f"| {action} | {' | '.join(cells)} | {', '.join(fits)} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, draw, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="*", default=[1000, 5000, 20_000, 50_000])
    parser.add_argument("--classes", type=int, nargs="*", default=[2, 100, 1000, 5000])
    parser.add_argument("--limit", type=int, default=1200, help="CPU seconds after which an action is given up")
    parser.add_argument("--where", type=int, metavar="K", help="only print the steps of K classes with one image each")
    parser.add_argument("--draw", action="store_true", help="only draw and print what was measured")
    given = parser.parse_args()
    if given.where is not None:
        load()
        sys.stdout.write(f"{where(given.where)}\n")
        return
    if not given.draw:
        load()
        run(given.images, given.classes, given.limit)
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    draw(results)
    sys.stdout.write(f"{table(results, 'images')}\n\n{table(results, 'classes')}\n")


if __name__ == "__main__":
    main()
