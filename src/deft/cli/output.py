"""What the commands print. Paths and class names come from strangers: no markup, no control characters."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deft.cli.own_words import in_options
from deft.runs.vocabulary import KIND_IN_WORDS, NOTHING_BETTER, duplicates_in_words, sample_in_words
from deft.wording import counted, printable

if TYPE_CHECKING:
    from deft.metrics import DetectionScores
    from deft.runs.detection import Detection

WORST = 10
ROW = 10_000  # characters of a line that no terminal shows; tables are as wide as what they hold
NAMED = 10  # classes that a line names at the most


class _Wrapped(Console):
    """Wraps at words; a path that is longer than a line is left to the terminal, so that it can be copied."""

    def print(self, *objects: Any, **settings: Any) -> None:
        super().print(*map(self._filled, objects), **settings)

    def _filled(self, said: Any) -> Any:
        if not isinstance(said, Text):
            return said
        lines = textwrap.wrap(said.plain, self.width, break_long_words=False, break_on_hyphens=False)
        return Text("\n".join(lines), style=said.style)


def standard_output() -> Console:
    """Return where what was found is printed: wrapped at words in a terminal, elsewhere a line a sentence or row."""
    return _Wrapped(soft_wrap=True) if sys.stdout.isatty() else Console(soft_wrap=True, width=ROW)


def plain(text: object, style: str = "") -> Text:
    """Return text that rich prints as it is, without reading markup in it."""
    return Text(printable(text), style=style)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: int = 1) -> Table:
    """Return a table whose cells are printed as they are.

    Args:
        title: Stands above it.
        columns: Heads of the columns.
        rows: One sequence of cells per row.
        right: First column that holds numbers.
    """
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        drawn.add_column(name, justify="right" if number >= right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(plain(cell) for cell in row))
    return drawn


def percent(share: float | None) -> str:
    """Return a share for people; a dash where it is undefined."""
    return "–" if share is None or math.isnan(share) else f"{share:.1%}"


def scores_of(found: Detection) -> DetectionScores | None:
    """Return how good verdicts are; None where the truth isn't known."""
    from deft.metrics import score_detection

    if found.clean_labels is None or not (found.clean_labels >= 0).any():
        return None
    return score_detection(found.is_label_issue, found.p_clean, found.given, found.clean_labels, found.predicted)


def print_summary(console: Console, found: Detection, scores: DetectionScores | None) -> None:
    """Print counts, the estimated noise rate, scores where the truth is known, and the worst labels.

    Args:
        console: Where to print.
        found: The verdicts.
        scores: How good they are, where that is known.
    """
    summary = found.summary()
    console.print(plain(_counts(summary, len(found.classes))))
    if (sample := summary.get("sample")) is not None:
        console.print(plain(f"Learned from {sample_in_words(sample)}."))
    rate = summary["estimated_noise_rate"]
    if rate is not None:
        low, high = map(percent, summary["noise_rate_interval"])
        console.print(plain(f"Estimated share of wrong labels: {percent(rate)} ({low} to {high})"))
    if (evidence := summary.get("evidence")) is not None:
        console.print(plain(evidence["sentence"]))
    if lost := summary["classes_flagged_whole"]:
        console.print(plain(f"Every label of these classes is flagged; look before you drop them: {_listed(lost)}"))
    _print_counts(console, summary)
    for note in found.info.get("reading", {}).get("notes", ()):
        console.print(plain(f"Data: {note}"))
    for reason in list(found.read_errors.values())[:3]:  # each names its file
        console.print(plain(f"Not judged: {in_options(reason)}"))
    for line in duplicates(summary["duplicates"]):
        console.print(plain(line))
    if scores is not None:
        console.print(
            plain(
                f"Against the known truth ({percent(scores.true_noise_rate)} wrong): precision "
                f"{percent(scores.precision)}, recall {percent(scores.recall)}, F1 {percent(scores.f1)}, "
                f"AUROC {scores.auroc:.3f}"
            )
        )
    worst = found.suspects(WORST)
    if len(worst):
        columns = ["file_name", "given_label", "predicted_label", "label_score"]
        rows = [
            (name, given, NOTHING_BETTER if given == better else better, f"{score:.3g}")
            for name, given, better, score in worst[columns].itertuples(index=False)
        ]
        console.print()
        console.print(table(f"Worst {len(rows)}", ["file", "given", "suggested", "score (low = wrong)"], rows, right=3))


def _print_counts(console: Console, summary: Mapping[str, Any]) -> None:
    """How many images there are of each kind of error, and of each oddity."""
    kinds = {KIND_IN_WORDS[kind]: number for kind, number in summary["issue_kinds"].items()}
    for told, counts in (
        ("Kinds of error (column issue_kind)", kinds),
        ("Odd pictures (column image_note)", summary["image_notes"]),
    ):
        if counts:
            listed = ", ".join(f"{kind} {number}" for kind, number in counts.items())
            console.print(plain(f"{told}: {listed}"))


def _counts(summary: Mapping[str, Any], classes: int) -> str:
    unreadable = summary["unreadable"]
    return (
        f"{counted(summary['images'], 'image')} in {counted(classes, 'class', 'classes')}: "
        f"{counted(summary['flagged'], 'label')} flagged as wrong"
        + (f", {counted(unreadable, 'image')} not judged" if unreadable else "")
    )


def duplicates(about: Mapping[str, Any]) -> list[str]:
    """Return what to say about images that show the same picture; nothing where there are none.

    Args:
        about: The summary's `duplicates`.
    """
    if not about.get("groups"):
        return []
    groups, torn, across = about["groups"], about["groups_with_different_labels"], about["groups_in_several_splits"]
    said = [f"Duplicates: {counted(about['images'], 'image')} in {counted(groups, 'group')}, each of one picture"]
    if by := duplicates_in_words(about.get("images_by_kind", {})):
        said[0] += f" (known by {by})"
    if torn:
        first = ", ".join(f"{one['file_name']} ({one['given_label']})" for one in about["different_labels"][0][:3])
        said.append(
            f"Duplicates with different labels, so that one is wrong, in {counted(torn, 'group')}, such as {first}"
        )
    if across:
        first = ", ".join(f"{one['file_name']} ({one['split']})" for one in about["several_splits"][0][:3])
        said.append(f"Duplicates in more than one split in {counted(across, 'group')}, such as {first}")
    return said


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
