"""Writes docs/benchmarks.md from benchmarks/results/*.json.

python -m benchmarks.tables
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.learning_tables import learning_page

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
NOTES = Path(__file__).parent / "notes.md"

NAMES = {
    "deft-vpt-weak": "**DeFT, VPT, for a weak model**",
    "deft-frozen-weak": "**DeFT, frozen, for a weak model**",
    "deft-frozen-weak-negative": "DeFT, frozen, for a weak model, the authors' L_dp",
    "deft-vpt": "**DeFT, VPT, the paper's settings**",
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


def page() -> str:
    """The page's text."""
    parts = [
        "# Benchmarks",
        "",
        "Made from `benchmarks/results/*.json` by `python -m benchmarks.tables`;",
        "each of these files names the command that printed it.",
        "A wrong label is the positive class. Every method sees the same photos through the same encoder.",
        "",
    ]
    for setting, methods in sorted(read().items()):
        data, count, noise = setting.split("-", 2)
        first = next(iter(methods.values()))[0]
        rate = first["scores"]["true_noise_rate"]
        parts += [
            f"## {TITLES.get(noise, noise)}: {int(count):,} photos of {data.upper()}, model `{first['model']}`",
            "",
        ]
        parts += [f"{rate:.1%} of the labels are wrong.", "", *table(methods), ""]
        option = "--noise human" if noise == "human" else f"--noise symmetric --rate {noise.removeprefix('symmetric')}"
        parts += [f"    python -m benchmarks.detection --data cifar10n-train.parquet --count {count} {option}", ""]
    notes = NOTES.read_text(encoding="utf-8") if NOTES.is_file() else ""
    return "\n".join([*parts, notes, *learning_page()])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
