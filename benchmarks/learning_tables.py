"""The part of docs/benchmarks.md about classifiers, from benchmarks/results/learning*.json and paradigms.json."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

RESULTS = Path(__file__).parent / "results"
NOTES = Path(__file__).parent / "learning_notes.md"
NOISES = {
    "human": "human",
    "symmetric0.2": "20 % sym.",
    "symmetric0.4": "40 % sym.",
    "symmetric0.6": "60 % sym.",
    "instance0.4": "40 % inst.",
}
NAMES = {
    "ce": "CE",
    "gce": "GCE",
    "truncated-gce": "GCE, truncated",
    "sce": "SCE",
    "elr": "ELR",
    "elr-corrected": "the same, targets corrected for their start",
    "gmm": "GMM",
    "co-teaching-1": "small-loss, one network, told the rate",
    "co-teaching-2": "co-teaching, two networks, told the rate",
    "rolt": "RoLT",
    "turn": "TURN",
    "unicon": "UNICON, two networks",
    "unicon-gentle": "UNICON with λ_u = 1 in place of 30",
    "longremix": "LongReMix, two networks",
    "promix": "ProMix, two networks",
    "deft": "**DeFT, second phase (CE on what it kept)**",
    "phase1": "**DeFT, first phase by itself (prompts)**",
}

Runs = dict[str, dict[str, list[dict[str, Any]]]]


def learning_page() -> list[str]:
    """Lines of the page; none if there are no results."""
    runs = _read()
    if not runs:
        return []
    first = next(iter(next(iter(runs.values())).values()))[0]
    lines = [
        f"## Classifiers from noisy labels: {first['images']:,} photos of CIFAR-10N, {first['epochs']} epochs",
        "",
        f"Accuracy on the first {first['test_images']:,} test photos of CIFAR-10, in %, after the last epoch / after "
        "the best one. Backbone: the image half of `tiny`, stem kept, transformer layers and a linear head trained; "
        f"the same learning rate, batch and views for every method. {_seeds(runs)}",
        "",
        *_accuracies(runs),
        "",
        "    python -m benchmarks.learning --data ../shared/data --noise human  # symmetric, instance with --rate",
        "    python -m benchmarks.learning --data ../shared/data --noise human --costs --epochs 4 --count 1000",
        "",
        *_kept(runs),
        *_paradigms(),
    ]
    return [*lines, *(NOTES.read_text(encoding="utf-8").splitlines() if NOTES.is_file() else []), ""]


def _seeds(runs: Runs) -> str:
    """Over how many seeds the means are, and how far one seed's accuracy typically is from its mean."""
    cells = [results for method in runs.values() for results in method.values()]
    counts = sorted({len(results) for results in cells})
    spread = [stdev(run["accuracy"][-1] for run in results) for results in cells if len(results) > 1]
    number = " or ".join(map(str, counts))
    if not spread:
        return f"Seeds: {number}."
    return f"Means over {number} seeds, whose standard deviation is {100 * mean(spread):.1f} points on average."


def _read() -> Runs:
    found: Runs = defaultdict(lambda: defaultdict(list))
    for path in sorted(RESULTS.glob("learning--*.json")):
        result = json.loads(path.read_text())
        found[result["method"]][result["setting"].split("-", 2)[2]].append(result)
    return found


def _accuracies(runs: Runs) -> list[str]:
    costs_file = RESULTS / "learning-costs.json"
    costs = json.loads(costs_file.read_text())["relative"] if costs_file.is_file() else {}
    rows = ["| method | " + " | ".join(NOISES.values()) + " | epoch, times CE | peak MB |"]
    rows.append("|---|" + "--:|" * (len(NOISES) + 2))
    for name, title in NAMES.items():
        source = runs.get("deft" if name == "phase1" else name)
        if not source:
            continue
        cells = [_cell(source.get(noise, []), name) for noise in NOISES]
        cost = f"{costs[name]:.1f}" if name in costs else ""
        every = [result for results in source.values() for result in results]
        memory = "" if name == "phase1" else f"{max(result['peak_memory_mb'] for result in every):,}"
        rows.append(f"| {title} | {' | '.join(cells)} | {cost} | {memory} |")
    return rows


def _cell(results: list[dict[str, Any]], name: str) -> str:
    if not results:
        return ""
    if name == "phase1":
        return f"{100 * mean(result['phase1_accuracy'] for result in results):.1f}"
    last = mean(result["accuracy"][-1] for result in results)
    best = mean(max(result["accuracy"]) for result in results)
    return f"{100 * last:.1f} / {100 * best:.1f}"


def _kept(runs: Runs) -> list[str]:
    """What DeFT kept, as the paper's first table has it: the clean labels are the positive class."""
    deft = runs.get("deft", {})
    if not deft:
        return []
    rows = ["What DeFT's first phase keeps (clean labels as the positive class, as in the paper's Table 1):", ""]
    rows += ["| | " + " | ".join(NOISES.values()) + " |", "|---|" + "--:|" * len(NOISES)]
    for key, title in (
        ("true_noise_rate", "wrong labels"),
        ("clean_precision", "precision of the kept"),
        ("clean_recall", "recall of the clean"),
    ):
        cells = [f"{100 * mean(run[key] for run in deft[noise]):.1f}" if noise in deft else "" for noise in NOISES]
        rows.append(f"| {title}, % | {' | '.join(cells)} |")
    return [*rows, ""]


def _paradigms() -> list[str]:
    path = RESULTS / "paradigms.json"
    if not path.is_file():
        return []
    result = json.loads(path.read_text())
    rows = [
        "## Fine-tuning paradigms and wrong labels (the paper's first finding)",
        "",
        f"Cross-entropy on all labels of {result['images']:,} photos, symmetric noise, {result['epochs']} epochs; test "
        "accuracy in % after the last.",
        "",
        "| paradigm | " + " | ".join(f"{rate:.0%} wrong" for rate in result["noise"]) + " | learning rate |",
        "|---|" + "--:|" * (len(result["noise"]) + 1),
    ]
    for name, scores in result["accuracy"].items():
        cells = " | ".join(f"{100 * score:.1f}" for score in scores)
        rows.append(f"| {name} | {cells} | {result['learning_rates'][name]} |")
    picture = ["", "![Accuracy against noise rate](pictures/paradigms.png)", ""]
    return [*rows, *picture, f"    {result['command']}", ""]
