"""What the page says of a review: who decided, agreement, before and after, what is left."""

from __future__ import annotations

from deft.data.printable import shown
from deft.report.page import Fact, ReviewPart, Table
from deft.report.words import count, percent, plural
from deft.runs.audit import Rate
from deft.runs.left import LEVEL
from deft.runs.review_summary import ReviewSummary

LEFT_BY = {
    "scores": "by the scores",
    "decisions": "by the scores and what was decided",
    "sample": "by a random sample",
}
"""What tells how many wrong labels are left."""


def review_part(summary: ReviewSummary | None) -> ReviewPart | None:
    """Return the section on a review; None where there was none.

    Args:
        summary: What the review came to.
    """
    if summary is None:
        return None
    left = summary.left
    by = f"{percent(LEVEL, 0)} likely, {LEFT_BY[left.by]}"
    facts = [
        Fact("decided", plural(sum(one.decided for one in summary.reviewers), "image", "images")),
        Fact("wrong labels before", f"about {count(summary.before)}", "expected of all that were judged"),
        Fact("wrong labels found by people", count(summary.fixed)),
        Fact(
            "wrong labels left",
            f"about {count(left.wrong)} of {count(left.images)} undecided",
            f"{count(left.low)} to {count(left.high)}, {by}",
        ),
        Fact("flagged labels that were wrong", _of(summary.flagged), "agreement with the detector"),
        Fact("believed labels that were wrong", _of(summary.believed)),
        Fact("corrections to the suggestion", _of(summary.suggested)),
        Fact("random sample", "" if summary.sample is None else f"{_of(summary.sample)} wrong"),
    ]
    rows = tuple(
        (
            shown(one.name),
            count(one.decided),
            count(one.kept),
            count(one.corrected),
            count(one.set_aside),
            percent(one.agreed / one.told if one.told else None),
        )
        for one in summary.reviewers
    )
    columns = ("Reviewer", "Decided", "Confirmed", "Corrected", "Set aside", "Agrees with the detector")
    return ReviewPart(tuple(fact for fact in facts if fact.value), Table(columns, rows, words=1))


def _of(rate: Rate) -> str:
    if not rate.seen:
        return ""
    return f"{count(rate.wrong)} of {count(rate.seen)} ({percent(rate.low)} to {percent(rate.high)})"
