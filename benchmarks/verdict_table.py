"""The table of DeFT as typed beside the best of all other methods, from benchmarks/results/verdict--*.json."""

from __future__ import annotations

import json
import math
import textwrap
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

Results = list[dict[str, Any]]
ABOUT = """## DeFT as typed, beside everything else

`DeFT(encoder)` without any flag and the best of the other methods in each setting, on equal embeddings of the bundled
`tiny` (15.9 MB): cleanlab by each of its rules, the arg-max of its probe, neighbours, label-match, small-loss told the
true rate, a CLIPCleaner-style selection, and DeFT with the paper's settings and with those for a weak model, frozen.
Rows for tuning were CIFAR-10N 0 to 9 999 and halves of the others; these are others (`benchmarks/settings.py`). They
are a small model's numbers: a full CLIP is another matter. AP is average precision, ECE the calibration error of
`label_score`, "clean flagged" the share of right labels that DeFT flags; all are means over the seeds. Where nothing is
wrong there is no F1. A tenth of the pictures of the two open sets shows none of the classes and is labelled at random:
things that CIFAR-10 doesn't have, and cars among Imagenette's photos (a crowd that looks like itself). "asymmetric" are
the mistakes of Patrini et al. (trucks called automobiles, cats dogs), "instance" those by each photo's own pixels, made
as the paper's code makes them. Small sets are drawn by the seed (of Caltech-101 from half of its classes): twenty
photos of each class ("20-a-class"), sixty of each of six, 25 of each of three, thirty of each of three Imagenette
classes, forty of each of five cars, twenty of each of ten and of 90, and 500 and 1 000 photos with people's labels. Of
three of them three draws leave open which method is ahead, and ten were made. "one-way" calls four of ten cats dogs.
"""
COMMANDS = """    python -m benchmarks.detection --data DATA --photos PHOTOS --seeds 0,1,2
    python -m benchmarks.detection --data DATA --photos PHOTOS --seeds 3,4,5,6,7,8,9 --settings \\
        human-majority-1000,imagenette-three-classes-0.4,caltech-three-classes-0.1
"""


def verdict_page(folder: Path) -> list[str]:
    """Return the lines of the table; none where there are no results.

    Args:
        folder: Of the results.
    """
    found: dict[str, dict[str, Results]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("verdict--*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[result["setting"]][result["method"]].append(result)
    rows = [_row(name, methods) for name, methods in sorted(found.items()) if "deft" in methods]
    head = "| setting | wrong | DeFT F1 | best other F1 | DeFT AP | its AP | ECE | rate est. | clean flagged | seeds |"
    own = [result for methods in found.values() for result in methods.get("deft", [])]
    lines = [ABOUT, head, "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|", *rows, "", *_covered(own), COMMANDS]
    return lines if rows else []


def _covered(results: Results) -> list[str]:
    """How often the interval of the noise rate holds the true one."""
    told = [result for result in results if "rate_low" in result]
    if not told:
        return []
    missed = [one for one in told if not one["rate_low"] <= one["true_rate"] <= one["rate_high"]]
    counts = Counter(one["setting"] for one in missed)
    names = ", ".join(f"{name} ({count} of its runs)" for name, count in sorted(counts.items()))
    text = f"The interval of the noise rate holds the true one in {len(told) - len(missed)} of {len(told)} runs"
    return [*textwrap.wrap(text + (f"; not in {names}." if missed else "."), 120, break_on_hyphens=False), ""]


def _row(name: str, methods: dict[str, Results]) -> str:
    own = methods["deft"]
    others = {method: found for method, found in methods.items() if method != "deft" and len(found) == len(own)}
    best = max(others, key=lambda method: _mean(others[method], "f1"), default="")
    known = _mean(own, "true_rate") > 0
    met = known and bool(best)
    peer = f"{_mean(others[best], 'f1'):.3f} ({best})" if met else "—"
    return " | ".join(
        [
            f"| {name}",
            f"{_mean(own, 'true_rate'):.1%}",
            f"{_mean(own, 'f1'):.3f}" if known else "—",
            peer,
            f"{_mean(own, 'average_precision'):.3f}" if known else "—",
            f"{_mean(others[best], 'average_precision'):.3f}" if met else "—",
            f"{_mean(own, 'calibration_error'):.3f}",
            f"{_mean(own, 'estimated_rate'):.1%}",
            f"{_mean(own, 'false_alarms'):.1%}",
            f"{len(own)} |",
        ]
    )


def _mean(results: Results, key: str) -> float:
    values = [float(result[key]) for result in results if not math.isnan(result[key])]
    return mean(values) if values else -math.inf
