"""From the detector's verdicts and people's decisions to one outcome per image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.runs.decisions import Decision
from deft.runs.detection import Detection
from deft.runs.vocabulary import NO_OTHER, REVIEW, VERDICT, Action, Fix, Use, check_word, review_reason


@dataclass(frozen=True)
class Outcome:
    """What becomes of one image.

    Args:
        action: "keep" the given label, "relabel" to another, or "drop" the image.
        label: The label to use from now on; None where the image is dropped or has no label.
        reason: Why it isn't simply kept: `VERDICT`, `NO_OTHER`, or `REVIEW` with the person's status; empty where
            nobody objects and nobody looked.
        by: Name of the detector or person who decided; None where nobody did.
    """

    action: Action
    label: str | None
    reason: str = ""
    by: str | None = None

    @property
    def reviewed(self) -> bool:
        """Whether it is a person's decision."""
        return self.reason.startswith(REVIEW)


def decide(
    found: Detection,
    decisions: Mapping[str, Decision],
    *,
    use: Use = "both",
    fix: Fix = "drop",
    before: Sequence[str | None] | None = None,
) -> tuple[Outcome, ...]:
    """Say what becomes of every image, in their order.

    A review is carried out as the person decided: the label kept or corrected, the image dropped where none of the
    classes fits or nothing can be seen. A skipped image counts as not reviewed. `fix` says what becomes of the
    labels that the detector judged wrong and that no review settles.

    Args:
        found: The verdicts.
        decisions: The decision that stands for each image, by sample_id.
        use: Which decisions count: the detector's verdicts, people's reviews, or both; under "both", a review wins.
        fix: "drop" the image, "relabel" it to the suggestion, or "keep" it as given.
        before: Given labels from before all reviews, if the run was made with some; the run's own if not given.

    Raises:
        SettingsError: An unknown `use` or `fix`.
        DataError: Only reviews are asked for, and there are none.

    Example:
        >>> decide(found, read_decisions("run/"), use="both", fix="relabel")[0]  # doctest: +SKIP
        Outcome(action='relabel', label='dog', reason='review: corrected', by='Ada')
    """
    check_word("use", use, Use)
    check_word("fix", fix, Fix)
    reviews = {} if use == "verdicts" else {name: one for name, one in decisions.items() if one.status != "skipped"}
    if use == "reviews" and not reviews.keys() & set(found.sample_id):
        raise DataError("No image of this run was reviewed. Review it first (deft review RUN), or use the verdicts.")
    given = given_names(found) if before is None else before
    verdicts = _verdicts(found, given, "keep" if use == "reviews" else fix)
    return tuple(
        _reviewed(reviews[sample], label) if sample in reviews else verdict
        for sample, label, verdict in zip(found.sample_id, given, verdicts, strict=True)
    )


def settle(found: Detection, images: LabeledImages, fix: Fix) -> tuple[Outcome, ...]:
    """Return what becomes of images whose reviews are in their labels already (`apply_decisions`), in their order.

    Args:
        found: The verdicts.
        images: What was judged, row by row; labels that a person has confirmed (`trusted`) stay.
        fix: As in `decide`.

    Raises:
        SettingsError: An unknown `fix`.
    """
    check_word("fix", fix, Fix)
    given = [images.classes[index] if index >= 0 else None for index in images.labels.tolist()]
    rows = zip(_verdicts(found, given, fix), given, images.trusted.tolist(), strict=True)
    return tuple(Outcome("keep", label, REVIEW) if sure else verdict for verdict, label, sure in rows)


def count_outcomes(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many images are kept, relabelled and dropped, by reason.

    Example:
        >>> count_outcomes([Outcome("keep", "cat"), Outcome("drop", None, "verdict", "deft")])
        {'keep': 1, 'drop (verdict)': 1}
    """
    names = (f"{one.action} ({one.reason})" if one.reason else one.action for one in outcomes)
    return dict(Counter(names).most_common())


def final_classes(found: Detection, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return the run's classes in their order, then those that only reviewers named."""
    named = (one.label for one in outcomes if one.label is not None)
    return tuple(dict.fromkeys([*found.classes, *named]))


def given_names(found: Detection) -> list[str | None]:
    """Return the given label of every image by name; None where there is none."""
    return [found.classes[index] if index >= 0 else None for index in found.given.tolist()]


def _verdicts(found: Detection, given: Sequence[str | None], fix: Fix) -> list[Outcome]:
    detector = str(found.settings.get("detector", "detector"))
    rows = zip(given, found.predicted.tolist(), found.is_label_issue.tolist(), strict=True)
    return [
        _flagged(label, found.classes[predicted], fix, detector) if wrong and fix != "keep" else Outcome("keep", label)
        for label, predicted, wrong in rows
    ]


def _flagged(given: str | None, suggested: str, fix: Fix, detector: str) -> Outcome:
    if fix == "drop":
        return Outcome("drop", None, VERDICT, detector)
    if suggested == given:
        return Outcome("drop", None, NO_OTHER, detector)
    return Outcome("relabel", suggested, VERDICT, detector)


def _reviewed(decision: Decision, given: str | None) -> Outcome:
    reason = review_reason(decision.status)
    if decision.to_label is None:
        return Outcome("drop", None, reason, decision.reviewer)
    action: Action = "keep" if decision.to_label == given else "relabel"
    return Outcome(action, decision.to_label, reason, decision.reviewer)
