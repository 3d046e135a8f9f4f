"""Writes docs/benchmarks.md from the JSON files of benchmarks/results/.

python -m benchmarks.tables
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.learning_tables import learning_page
from benchmarks.verdict_table import verdict_page
from deft.bench.tables import page_text

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
NOTES = Path(__file__).parent / "notes.md"
BENCH_NOTES = Path(__file__).parent / "bench_notes.md"

NAMES = {
    "deft-vpt-weak": "**DeFT, VPT, for a weak model**",
    "deft-frozen-weak": "**DeFT, frozen, for a weak model**",
    "deft-vpt-weak-negative": "DeFT, VPT, for a weak model, verdict by the negative prompts",
    "deft-frozen-weak-both": "DeFT, frozen, for a weak model, published L_dp",
    "deft-vpt": "**DeFT, VPT, the paper's settings**",
    "deft-vpt-posterior": "DeFT, VPT, the paper's settings, verdict by the posterior",
    "deft-frozen": "**DeFT, frozen, the paper's settings**",
    "deft-frozen-both": "DeFT, frozen, the paper's settings, published L_dp",
    "label-match": "label-match",
    "small-loss": "small-loss, VPT, told the rate",
    "small-loss-estimated": "small-loss, VPT, rate estimated",
    "small-loss-frozen": "small-loss, frozen, told the rate",
    "cleanlab": "cleanlab, confident learning",
    "disagreement": "5-fold logistic regression, argmax ≠ label",
    "neighbours": "10-nearest-neighbour vote",
}
TITLES = {"human": "Human labels (CIFAR-10N, one annotator)", "symmetric0.4": "40 % symmetric noise"}
COUNT = 10_000  # photos in the two large tables; the small one has fewer
OTHERS = {
    "symmetric0": "no noise",
    "symmetric0.1": "10 % sym.",
    "symmetric0.2": "20 % sym.",
    "symmetric0.6": "60 % sym.",
    "pair0.3": "30 % pair flip",
}


def read() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Results by setting and method."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(RESULTS.glob("detection--*.json")):
        result = json.loads(path.read_text())
        found[result["setting"]][result["method"]].append(result)
    return found


def average(results: list[dict[str, Any]], name: str) -> float:
    """Mean of one score over the seeds."""
    return mean(float(result["scores"][name]) for result in results)


def table(methods: dict[str, list[dict[str, Any]]]) -> list[str]:
    """One row per method, best F1 first."""
    head = (
        "| method | F1 | precision | recall | AUROC | AP | rate est. | suggestion right | seconds | peak MB | seeds |"
    )
    rows = [head, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    order = sorted(methods, key=lambda name: -average(methods[name], "f1"))
    for name in order:
        results = methods[name]
        cells = [f"{average(results, key):.3f}" for key in ("f1", "precision", "recall", "auroc", "average_precision")]
        cells += [f"{average(results, 'estimated_noise_rate'):.3f}", f"{average(results, 'suggestion_accuracy'):.3f}"]
        cells += [f"{mean(result[key] for result in results):.0f}" for key in ("wall_seconds", "peak_memory_mb")]
        rows.append(f"| {NAMES.get(name, name)} | {' | '.join(cells)} | {len(results)} |")
    return rows


def large(setting: str, methods: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The table of one setting, with its heading."""
    data, count, noise = setting.split("-", 2)
    first = next(iter(methods.values()))[0]
    return [
        f"## {TITLES.get(noise, noise)}: {int(count):,} photos of {data.upper()}, model `{first['model']}`",
        "",
        f"{first['scores']['true_noise_rate']:.1%} of the labels are wrong.",
        "",
        *table(methods),
        "",
        f"    {command(count, noise)}",
        "",
    ]


def command(count: int | str, noise: str) -> str:
    """What printed the results of so many photos with one kind of noise, such as "pair0.3"."""
    kind = noise.rstrip("0123456789.")
    rate = f" --rate {noise.removeprefix(kind)}" if noise != kind else ""
    return f"python -m benchmarks.detection --data cifar10n-train.parquet --count {count} --noise {kind}{rate}"


def small(found: dict[str, dict[str, list[dict[str, Any]]]]) -> list[str]:
    """F1 and the share flagged under other noise, a column per kind."""
    columns = {}
    for setting, methods in found.items():
        _, count, noise = setting.split("-", 2)
        if int(count) != COUNT and noise in OTHERS:
            columns[noise] = methods
    if not columns:
        return []
    images = next(iter(next(iter(columns.values())).values()))[0]["images"]
    shown = [noise for noise in OTHERS if noise in columns]
    rows = ["| method | " + " | ".join(OTHERS[noise] for noise in shown) + " |", "|---|" + "--:|" * len(shown)]
    for name in [name for name in NAMES if all(name in columns[noise] for noise in shown)]:
        rows.append(f"| {NAMES[name]} | {' | '.join(_both(columns[noise][name]) for noise in shown)} |")
    return [
        f"## Other noise: {images:,} photos",
        "",
        "F1 / share flagged; where no label is wrong, only the second means something.",
        "",
        *rows,
        "",
        *(f"    {command(images, noise)}" for noise in shown),
        "",
    ]


def _both(results: list[dict[str, Any]]) -> str:
    flagged = f"{average(results, 'estimated_noise_rate'):.1%}"
    return f"{average(results, 'f1'):.3f} / {flagged}" if average(results, "true_noise_rate") else f"— / {flagged}"


def bench_page(folder: Path) -> list[str]:
    """The lines of the tables of `deft bench`; none where it has no results."""
    lines = page_text(folder)
    notes = BENCH_NOTES.read_text(encoding="utf-8") if BENCH_NOTES.is_file() else ""
    head = ["## The paper's tables, and the peers'", "", "By [`deft bench`](bench.md).", *lines]
    return [*head, "", *notes.splitlines(), ""] if lines else []


def page() -> str:
    """The page's text."""
    found = read()
    parts = [
        "# Benchmarks",
        "",
        "Made from `benchmarks/results/*.json` by `python -m benchmarks.tables`;",
        "each of these files names the command that printed it.",
        "A wrong label is the positive class. Every method sees the same photos through the same encoder.",
        "",
        *verdict_page(RESULTS),
        *bench_page(RESULTS / "bench"),
        "**All tables below were printed with an earlier `tiny` of 12 MB** and with the settings that they name; they",
        "wait to be printed anew.",
        "",
    ]
    for setting, methods in sorted(found.items()):
        if setting.split("-")[1] == str(COUNT):
            parts += large(setting, methods)
    notes = NOTES.read_text(encoding="utf-8") if NOTES.is_file() else ""
    return "\n".join([*parts, *small(found), notes, *learning_page()])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
