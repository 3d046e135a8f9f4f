"""How seconds and memory grow with images and classes: `python -m benchmarks.growth [--images 1000 5000 20000]`.

Data are made: pictures of 24 x 24 noise, as PNG in one Parquet file, on a CLIP of two layers with random weights, so
that what is measured is everything around a model. Each action runs in a process of its own; seconds are those of the
processor, user and system, so that other work on the machine counts little; memory is the largest resident size, of
which loading the library takes most where there are few images. An exponent is the slope between the two largest points
in double logarithmic scale: 1 where twice as much takes twice as long. Of `vpt`, learning with visual prompts as in the
paper, seconds are those of its second epoch, memory that of all.

`--scores` measures the posterior of as many images as it is learned from at most, and tells where 24 GB end. `--where
5000` prints instead where a detection of 5000 classes with one image each spends its time, by steps.

`--only vpt posterior` measures these actions; without numbers after --images, --classes or --scores nothing is measured
of these. What isn't measured stays as it was. Results go to benchmarks/results/growth.json, pictures to
docs/growth-images.png and docs/growth-classes.png.
"""

from __future__ import annotations

import argparse
import functools
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

from benchmarks.growth_actions import ACTIONS, detect, load, make
from deft.detectors.deft_verdicts import MOST_IMAGES

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "growth.json"
PICTURES = {"images": ROOT / "docs" / "growth-images.png", "classes": ROOT / "docs" / "growth-classes.png"}
CLASSES, IMAGES = 10, 2000  # what stays as it is while the other grows
NOTHING = {"seconds": None, "mb": None}  # of an action that was given up
OF_RUNS = ("report", "review", "export")
"""Actions that need what a detection left."""
MEMORY_MB = 24_000

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


def measure(act: Callable[[], float | None], limit: int) -> dict[str, float] | None:
    """Do something in a process of its own; return what it took, or None if that was more than a limit.

    Args:
        act: What is done; returns the seconds that count, or None if all do.
        limit: Seconds of the processor.
    """
    sys.stdout.flush()
    here, there = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        try:
            os.write(there, json.dumps(act()).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(there)
    _, status, used = os.wait4(child, 0)
    with os.fdopen(here, "rb") as said:
        part = said.read()
    if os.WIFSIGNALED(status):
        return None
    if status:
        raise RuntimeError("An action failed; what it said stands above.")
    unit = 1024 if sys.platform == "linux" else 1
    seconds = json.loads(part)
    whole = used.ru_utime + used.ru_stime
    return {
        "seconds": round(whole if seconds is None else seconds, 3),
        "mb": round(used.ru_maxrss * unit / 1e6, 1),
    }


def run(points: Sequence[tuple[str, int, int]], only: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Measure actions; what was measured of others, and at other points, stays.

    Args:
        points: What grows, images and classes.
        only: Names of the actions; of scores, only the posterior is measured.
        limit: Seconds of the processor after which an action is given up.
    """
    found: list[dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    for grows, count, kinds in points:
        actions = [name for name in only if name == "posterior"] if grows == "scores" else only
        with tempfile.TemporaryDirectory() as name:
            if measure(functools.partial(make, Path(name), count, kinds), limit) is None:
                raise RuntimeError(f"Making {count} images took more than {limit} s.")
            for action in actions:
                if action in OF_RUNS and not (Path(name) / "run").is_dir():
                    continue
                taken: Mapping[str, Any] = measure(functools.partial(ACTIONS[action], Path(name)), limit) or NOTHING
                point = {"grows": grows, "images": count, "classes": kinds, "action": action}
                found = [one for one in found if {**one, **point} != one] + [{**point, **taken}]
                sys.stdout.write(json.dumps(found[-1]) + "\n")
                RESULTS.write_text(json.dumps(in_order(found), indent=1) + "\n", encoding="utf-8")
    return found


def in_order(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was measured by what grows, how far, and the actions in their order."""
    grows, actions = ("images", "classes", "scores"), list(ACTIONS)
    return sorted(
        found,
        key=lambda one: (grows.index(one["grows"]), one["images"], one["classes"], actions.index(one["action"])),
    )


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
    whole = times["growth_actions.detect"]
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


def memory(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the posterior's memory by classes as Markdown, and where 24 GB end if it goes on in a straight line."""
    points = [one for one in results if one["grows"] == "scores" and one["mb"]]
    if len(points) < 2:
        return ""
    rows = [f"| {one['classes']:,} | {one['seconds']:.0f} s, {one['mb']:,.0f} MB |" for one in points]
    less, more = points[-2:]
    each = (more["mb"] - less["mb"]) / (more["classes"] - less["classes"])
    end = more["classes"] + (MEMORY_MB - more["mb"]) / each
    told = (
        f"{1e6 * each / more['images']:.0f} bytes for each of {more['images']:,} images and a class; "
        f"24 GB end at {end:,.0f} classes."
    )
    return "\n".join(["| classes | posterior |", "|---|---|", *rows, "", told])


def main() -> None:
    """Measure, draw, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="*", default=[1000, 5000, 20_000, 50_000])
    parser.add_argument("--classes", type=int, nargs="*", default=[2, 100, 1000, 5000])
    parser.add_argument("--scores", type=int, nargs="*", default=[500, 1000, 2000], help="classes")
    parser.add_argument("--only", nargs="*", choices=ACTIONS, default=list(ACTIONS), help="actions")
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
        points = [("images", count, CLASSES) for count in given.images]
        points += [("classes", max(IMAGES, kinds), kinds) for kinds in given.classes]
        points += [("scores", MOST_IMAGES, kinds) for kinds in given.scores]
        run(points, given.only, given.limit)
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    draw(results)
    sys.stdout.write(f"{table(results, 'images')}\n\n{table(results, 'classes')}\n\n{memory(results)}\n")


if __name__ == "__main__":
    main()
