"""Figures made of results, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deft.bench.experiment import Column, Table
from deft.bench.tables import HEADS, OUTSIDE, Result, average
from deft.files import replace_file


def draw(table: Table, results: Sequence[Result], path: Path) -> None:
    """Draw the first metric of a table: lines over the noise rate where it says so, otherwise bars by column.

    Args:
        table: What it is of.
        results: Its results.
        path: The PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    metric = table.metrics[-1] if table.kind == "learning" else table.metrics[0]
    scale = 1.0 if metric in OUTSIDE else 100.0
    columns = [Column.parse(name) for name in dict.fromkeys(result["column"] for result in results)]
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    rates = table.head.get("figure") == "rates"
    columns = sorted(columns, key=lambda one: (one.data, one.noise, one.rate, one.name))
    rows = [row for row in table.rows if any(result["row"] == row for result in results)]
    for number, row in enumerate(rows):
        label, values = str(table.rows[row]["label"]), []
        for column in columns:
            some = [one for one in results if one["row"] == row and one["column"] == column.name]
            values.append(scale * average(some, metric)[0])
        if rates:
            axes.plot([100 * column.rate for column in columns], values, "o-", label=label)
        else:
            width = 0.8 / len(rows)
            axes.bar(
                [place + (number + 0.5) * width - 0.4 for place in range(len(columns))], values, width, label=label
            )
    if rates:
        axes.set(xlabel="wrong labels, %")
    else:
        axes.set_xticks(range(len(columns)), [column.name for column in columns], rotation=20, ha="right", fontsize=8)
    axes.set(ylabel=f"{HEADS[metric]}{'' if metric in OUTSIDE else ', %'}", title=table.head["title"])
    axes.grid(alpha=0.3, axis="y")
    axes.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:  # another process may draw it, too
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)
