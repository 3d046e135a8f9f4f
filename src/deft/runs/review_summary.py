"""What a review came to: who decided, how far people and detector agree, before and after, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deft.runs.audit import Audit, Rate, undecided
from deft.runs.decisions import Decision
from deft.runs.detection import Detection
from deft.runs.left import Left, verdicts_of_people, what_is_left

WRONG = ("corrected", "none_of_these")


@dataclass(frozen=True)
class Reviewer:
    """What one person decided.

    Args:
        name: Who.
        decided: How many images, skipped ones aside.
        kept: How many labels were confirmed.
        corrected: How many were replaced.
        set_aside: How many images were taken out.
        told: How many of the decisions say whether a label that was judged is right; of a bad image, nobody can.
        agreed: How many of these agree with the detector's verdict on the label.
    """

    name: str
    decided: int
    kept: int
    corrected: int
    set_aside: int
    told: int
    agreed: int


@dataclass(frozen=True)
class ReviewSummary:
    """What a review came to.

    Args:
        reviewers: Who decided, most first.
        flagged: Of the flagged labels that were decided, how many people found wrong.
        believed: Of the believed ones, how many people found wrong.
        suggested: Of the flagged ones that were corrected, how many got the label that was suggested.
        before: Expected number of wrong labels before the review, among all that were judged.
        fixed: How many wrong labels people have found.
        left: What is left.
        sample: What a random sample has told, if one was looked at.
    """

    reviewers: tuple[Reviewer, ...]
    flagged: Rate
    believed: Rate
    suggested: Rate
    before: float
    fixed: int
    left: Left
    sample: Rate | None


def summarize_reviews(
    found: Detection, decisions: Mapping[str, Decision], audit: Audit | None = None
) -> ReviewSummary | None:
    """Return what a review came to; None where nobody has decided anything.

    Args:
        found: The verdicts.
        decisions: What stands about each image, by sample_id.
        audit: The random sample, if one was drawn.
    """
    place = {name: row for row, name in enumerate(found.sample_id)}
    kept = {name: one for name, one in decisions.items() if name in place and one.status != "skipped"}
    if not kept:
        return None
    about = [(place[name], one) for name, one in kept.items()]
    sample = None if audit is None else audit.rate(decisions)
    still = undecided(found.sample_id, found.judged, decisions)
    corrected = [(row, one) for row, one in about if one.status == "corrected" and found.is_label_issue[row]]
    right = sum(
        found.suggested[row] >= 0 and found.classes[found.suggested[row]] == one.to_label for row, one in corrected
    )
    return ReviewSummary(
        reviewers=_reviewers(found, about),
        flagged=_wrong(about, found.is_label_issue),
        believed=_wrong(about, found.is_clean),
        suggested=Rate.of(int(right), len(corrected)),
        before=float((1 - found.p_clean[found.judged].astype(np.float64)).sum()),
        fixed=sum(one.status in WRONG for _, one in about),
        left=what_is_left(found, still, verdicts_of_people(found, decisions), sample),
        sample=sample if sample is not None and sample.seen else None,
    )


def _wrong(about: Sequence[tuple[int, Decision]], which: np.ndarray) -> Rate:
    """Return how many of some decided labels people found wrong; bad images say nothing of their label."""
    said = [one.status in WRONG for row, one in about if which[row] and one.status != "bad_image"]
    return Rate.of(sum(said), len(said))


def _reviewers(found: Detection, about: Sequence[tuple[int, Decision]]) -> tuple[Reviewer, ...]:
    names = sorted({one.reviewer for _, one in about})
    people = []
    for name in names:
        own = [(row, one) for row, one in about if one.reviewer == name]
        statuses = [one.status for _, one in own]
        told = [(row, one.status in WRONG) for row, one in own if found.judged[row] and one.status != "bad_image"]
        agreed = sum(bool(found.is_label_issue[row]) == wrong for row, wrong in told)
        set_aside = statuses.count("none_of_these") + statuses.count("bad_image")
        counts = (len(own), statuses.count("kept"), statuses.count("corrected"), set_aside, len(told), agreed)
        people.append(Reviewer(name, *counts))
    return tuple(sorted(people, key=lambda one: -one.decided))
