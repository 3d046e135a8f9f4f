"""Tables made of results: Markdown, beside the paper's numbers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from textwrap import wrap
from typing import Any

from deft.bench.experiment import SCALES, Column, Library, Table
from deft.bench.results import read_results

Result = Mapping[str, Any]
HEADS = {
    "clean_precision": "kept: precision",
    "clean_recall": "kept: recall",
    "precision": "flagged: precision",
    "recall": "flagged: recall",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "AP",
    "estimated_rate": "rate est.",
    "suggestion_right": "suggestion right",
    "calibration_error": "ECE",
    "false_alarms": "clean flagged",
    "best": "best epoch",
    "last": "last epoch",
    "seconds": "seconds",
    "cpu_seconds": "CPU seconds",
    "peak_memory_mb": "peak MB",
}
OUTSIDE = frozenset(["seconds", "cpu_seconds", "peak_memory_mb"])
"""Numbers that stand beside the metrics in a result, and are no shares."""
COMMAND = "deft"
"""Program that makes results, as they name it."""
WHAT_THEY_ARE = {
    "paper": "The paper's setting.",
    "small": (
        "These are **small** runs: the bundled `tiny` model on some photos of each data set.\n"
        "They show how the methods compare there; they aren't the paper's setting, and no claim about it."
    ),
    "smoke": "Smoke runs on generated squares: the numbers mean nothing.",
}


def table_text(table: Table, scale: str, results: Sequence[Result]) -> str:
    """Return a table as Markdown, a block for each column that has results.

    Args:
        table: What it is of.
        scale: Of the results.
        results: Its results, of all rows, columns and seeds.
    """
    by_place: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        by_place[result["column"]][result["row"]].append(result)
    order = {column.name: place for place, column in enumerate(table.columns(scale))}  # type: ignore[arg-type]
    lines = [f"### {table.head['title']}", "", str(table.head["about"]).strip(), ""]
    for name in sorted(by_place, key=lambda one: (order.get(one, len(order)), one)):
        lines += _block(table, Column.parse(name), by_place[name])
    places = _run_on(results)
    lines += [
        *(made := _by_code(results)),
        *([""] if len(made) > 1 and places else []),
        *places,
        *_by_program(results),
        *_unlike(by_place),
        "",
        f"    deft bench {table.name} --scale {scale}",
        "",
    ]
    return "\n".join(lines)


def page_text(folder: Path) -> list[str]:
    """Return the lines of all tables that have results in a folder, the paper's scale first; smoke runs are no results.

    Args:
        folder: Of all results.
    """
    lines: list[str] = []
    for scale in SCALES:
        parts = []
        for name in Library().names:
            results = read_results(folder, name, scale)
            if results and scale != "smoke":
                parts.append(table_text(Library().table(name), scale, results))
        if parts:
            lines += ["", WHAT_THEY_ARE[scale], "", *"\n".join(parts).splitlines()]
    return lines


def average(results: Sequence[Result], metric: str) -> tuple[float, float]:
    """Return mean and standard deviation of a metric over the seeds; NaN where none has it.

    Args:
        results: Of one row on one column.
        metric: Its name.
    """
    found = [result.get(metric) if metric in OUTSIDE else result["metrics"].get(metric) for result in results]
    known = [float(value) for value in found if value is not None]
    if not known:
        return math.nan, math.nan
    return mean(known), stdev(known) if len(known) > 1 else math.nan


def _block(table: Table, column: Column, rows: Mapping[str, Sequence[Result]]) -> list[str]:
    """A column of the table: a line for each row, with mean, deviation, the paper's number and the difference."""
    shown = [metric for metric in table.metrics if any(_has(results, metric) for results in rows.values())]
    printed = {metric for metric in shown if any(table.published(row, column.name, metric) for row in rows)}
    heads = [head for metric in shown for head in (HEADS[metric], *(("paper", "Δ") if metric in printed else ()))]
    lines = [
        f"**{_title(column, rows)}**",
        "",
        f"| method | {' | '.join(heads)} | seeds |",
        "|---|" + "--:|" * (len(heads) + 1),
    ]
    for name in (row for row in table.rows if row in rows):
        cells = [cell for metric in shown for cell in _cells(table, name, column, metric, rows[name], printed)]
        lines.append(f"| {table.rows[name]['label']} | {' | '.join(cells)} | {len(rows[name])} |")
    return [*lines, ""]


def _cells(
    table: Table, row: str, column: Column, metric: str, results: Sequence[Result], printed: set[str]
) -> list[str]:
    value, deviation = average(results, metric)
    scale, digits = (1.0, 0 if metric == "peak_memory_mb" else 1) if metric in OUTSIDE else (100.0, 2)
    if math.isnan(value):
        ours = "–"
    else:
        spread = "" if math.isnan(deviation) or metric in OUTSIDE else f" ± {scale * deviation:.{digits}f}"
        ours = f"{scale * value:.{digits}f}{spread}"
    if metric not in printed:
        return [ours]
    published = table.published(row, column.name, metric)
    if published is None:
        return [ours, "–", "–"]
    return [ours, f"{published:.2f}", "–" if math.isnan(value) else f"{scale * value - published:+.2f}"]


def _has(results: Sequence[Result], metric: str) -> bool:
    return not math.isnan(average(results, metric)[0])


def _title(column: Column, rows: Mapping[str, Sequence[Result]]) -> str:
    first = next(iter(rows.values()))[0]
    noise = {
        "sym": f"{column.rate:.0%} symmetric noise" if column.rate else "true labels",
        "ins": f"{column.rate:.0%} instance-dependent noise",
        "pair": f"{column.rate:.0%} pair flips",
        "given": "labels as given",
    }[column.noise]
    on = f", on {column.backbone}" if column.backbone else ""
    wrong = first.get("true_rate")
    share = "" if wrong is None or column.noise != "given" else f", {wrong:.1%} of them wrong"
    return f"{first['data_name']}: {noise}{share}; {first['images']:,} images, {first['settings']['encoder']}{on}"


def _by_code(results: Sequence[Result]) -> list[str]:
    """What made the numbers; where not all were made by the same code, which ones."""
    by_code: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_code[result["code"]].append(result)
    told = "Shares in per cent; mean ± standard deviation over the seeds."
    if len(by_code) == 1:
        first = results[0]
        return [f"{told} Made by code {first['code']} (commit {first['commit']})."]
    largest = max(by_code, key=lambda code: len(by_code[code]))
    commit = by_code[largest][0]["commit"]
    head = f"{told} **Not all of them were made by the same code**: most by {largest} (commit {commit}), others by:"
    lines = [*_wrapped(head), ""]
    for code, some in by_code.items():
        if code != largest:
            rows = sorted({f"{one['row']} on {one['column']}" for one in some})
            lines += _wrapped(f"- {code} (commit {some[0]['commit']}): {', '.join(rows)}")
    return lines


def _wrapped(text: str) -> list[str]:
    return wrap(text, 120, subsequent_indent="  " if text.startswith("- ") else "", break_on_hyphens=False)


def _run_on(results: Sequence[Result]) -> list[str]:
    """Return a line that says on which machines they ran; none where they don't say it."""
    counts = Counter(
        f"{'the CPU' if one['device'] == 'cpu' else one['device']} of a machine with {one['machine']['cores']} cores"
        f" (Python {one['machine']['python']}, torch {one['versions']['torch']})"
        for one in results
        if "machine" in one
    )
    if len(counts) < 2:
        return [f"Run on {place}." for place in counts]
    return ["Run on:", "", *(f"- {place}: {count} of them" for place, count in counts.most_common())]


def _by_program(results: Sequence[Result]) -> list[str]:
    """Return what says that results weren't made by the command below the table, or don't tell; none if all were."""
    counts = Counter(one.get("made_by") for one in results)
    told = [
        f"{count} of {len(results)} were made by `{name}`, not by the command below."
        for name, count in counts.items()
        if name not in (None, COMMAND)
    ]
    if counts[None]:
        told.append(f"Which program made {_share(counts[None], len(results))} isn't on record.")
    return ["", *_wrapped(" ".join(told))] if told else []


def _share(some: int, whole: int) -> str:
    return "them" if some == whole else f"{some} of {whole}"


def _unlike(by_place: Mapping[str, Mapping[str, Sequence[Result]]]) -> list[str]:
    """Return a line for each column whose rows weren't run on the same images with the same model."""
    lines = []
    for column, rows in by_place.items():
        shared = {
            row: sorted({f"{one['images']:,} images, {one['settings']['encoder']}" for one in results})
            for row, results in rows.items()
        }
        if len({tuple(kinds) for kinds in shared.values()}) > 1 or any(len(kinds) > 1 for kinds in shared.values()):
            told = "; ".join(f"{row} on {' and '.join(kinds)}" for row, kinds in sorted(shared.items()))
            lines += ["", f"**On {column} not all rows have the same images and model**: {told}."]
    return lines
