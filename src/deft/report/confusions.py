"""Which classes are taken for which: the transition matrix, the confused pairs, the table per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deft.data.printable import isolated, shown
from deft.report.page import Cell, HeatMap, Table
from deft.report.words import count, percent, plural, short
from deft.runs.detection import Detection

LARGEST_MAP = 20  # classes; more would be too small to read
CLASS_ROWS = 400  # of the table per class
STRONG = 0.25  # share of a confusion that has the full colour; the root keeps rare ones visible
NAME = 20  # letters of a class name beside the map

Ints = npt.NDArray[np.int64]


def transition(found: Detection) -> HeatMap:
    """Return the estimated chance of each given label for each true class, over the classes confused most.

    The true class of a kept label is the label; that of a flagged one is the suggestion. Labels that are flagged
    although nothing fits better say nothing of the truth and are left out.

    Args:
        found: The verdicts.
    """
    size = len(found.classes)
    known = found.judged & (found.is_clean | (found.predicted != found.given))
    given = found.given[known]
    true = np.where(found.is_clean, found.given, found.predicted)[known]
    chosen = _most_confused(true[true != given], given[true != given], size)
    place = np.full(size, len(chosen), np.int64)  # the last column gathers the others
    place[chosen] = np.arange(len(chosen))
    inside = place[true] < len(chosen)
    counts = np.zeros((len(chosen), len(chosen) + 1), np.int64)
    np.add.at(counts, (place[true[inside]], place[given[inside]]), 1)
    if len(chosen) == size:
        counts = counts[:, :-1]
    names = [shown(found.titles[index]) for index in chosen]
    columns = [*names, *(["others"] if len(chosen) < size else [])]
    note = (
        f"The {len(chosen)} of {count(size)} classes that are confused most; labels of the other classes stand in the "
        "last column."
        if len(chosen) < size
        else ""
    )
    return HeatMap(
        rows=tuple(short(name, NAME) for name in names),
        columns=tuple(short(name, NAME) for name in columns),
        cells=tuple(_cells(counts, names, columns)),
        told=f"Estimated noise transition matrix of {len(chosen)} classes; the table of pairs says the same in words.",
        note=note,
    )


def _most_confused(true: Ints, given: Ints, size: int) -> Ints:
    """Return the classes in most confusions, in the order of the data; all of them where they are few."""
    if size <= LARGEST_MAP:
        return np.arange(size)
    times = np.bincount(true, minlength=size) + np.bincount(given, minlength=size)
    worst: Ints = np.sort(np.argsort(-times, kind="stable")[:LARGEST_MAP])
    return worst


def _cells(counts: Ints, names: Sequence[str], columns: Sequence[str]) -> list[Cell]:
    totals = counts.sum(axis=1)
    cells = []
    for row, column in zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True):
        share = float(counts[row, column] / totals[row])
        says = (
            f"{isolated(names[row])}, labelled {isolated(columns[column])}: {percent(share)} "
            f"({count(int(counts[row, column]))} of {count(int(totals[row]))})"
        )
        text = str(int(100 * share + 0.5)) if share >= 0.005 else ""
        depth = round(share if row == column else min(1.0, (share / STRONG) ** 0.5), 2)
        cells.append(Cell(column, row, text, depth, row == column, says))
    return cells


def pair_table(summary: Mapping[str, Any]) -> Table:
    """Return the pairs of classes most often confused.

    Args:
        summary: What `Detection.summary` gives.
    """
    images = {row["Class Name"]: row["Judged"] for row in summary["per_class"]}
    rows = tuple(
        (
            shown(pair["given"]),
            shown(pair["suggested"]),
            count(pair["images"]),
            percent(pair["images"] / max(images[pair["given"]], 1)),
        )
        for pair in summary["confused_pairs"]
    )
    return Table(("Given label", "Suggestion", "Images", "Of the given label"), rows, words=2)


def class_table(summary: Mapping[str, Any]) -> Table:
    """Return cleanlab's health summary, classes with most issues first.

    Args:
        summary: What `Detection.summary` gives.
    """
    per_class = sorted(summary["per_class"], key=lambda row: -row["Label Issues"])
    rows = tuple(
        (
            shown(row["Class Name"]),
            count(row["Images"]),
            count(row["Judged"]),
            count(row["Label Issues"]),
            count(row["Inverse Label Issues"]),
            _known(row["Label Noise"], percent),
            _known(row["Inverse Label Noise"], percent),
            _known(row["Label Quality Score"], "{:.3f}".format),
        )
        for row in per_class[:CLASS_ROWS]
    )
    left = len(per_class) - len(rows)
    columns = (
        "Class Name",
        "Images",
        "Judged",
        "Label Issues",
        "Inverse Label Issues",
        "Label Noise",
        "Inverse Label Noise",
        "Label Quality Score",
    )
    note = f"{plural(left, 'class', 'classes')} with fewer issues not shown; summary.json has all." if left else ""
    return Table(columns, rows, words=1, note=note)


def _known(value: float | None, written: Callable[[float], str]) -> str:
    """Return a number as a person reads it; a dash where there is none."""
    return "–" if value is None else written(value)
