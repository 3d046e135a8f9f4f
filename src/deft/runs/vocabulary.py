"""The words of decisions: as they are stored and exchanged, and as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from deft.errors import SettingsError
from deft.wording import counted

Status = Literal["kept", "corrected", "none_of_these", "bad_image", "skipped"]
"""What a person decided about an image, as the log of decisions stores it."""

Press = Literal["keep", "suggest", "label", "none_of_these", "bad_image", "skip"]
"""What a reviewer presses on the review page, as its HTTP interface has it."""

Use = Literal["verdicts", "reviews", "both"]
"""Which decisions count: the detector's, people's, or both; under "both", a review wins over a verdict."""

Fix = Literal["drop", "relabel", "keep"]
"""What becomes of a flagged label that no review settles."""

TrainingFix = Literal[Fix, "weigh", "mask"]
"""The same for training, where a label may also count by its P(clean), or leave its image in a batch without a loss."""

Action = Literal["keep", "relabel", "drop"]
"""What becomes of an image in the end."""

IssueKind = Literal["wrong_label", "none_of_the_classes", "ambiguous", "conflicting_duplicate", "unreadable_or_blank"]
"""What kind of error an image is suspected of, as the column `issue_kind` has it."""

KIND_IN_WORDS: Mapping[str, str] = {
    "wrong_label": "wrong label",
    "none_of_the_classes": "none of the classes",
    "ambiguous": "ambiguous: two classes fit",
    "conflicting_duplicate": "duplicate with another label",
    "unreadable_or_blank": "unreadable or blank",
}
"""Kinds of error as people read them."""

NOTHING_BETTER = "nothing fits better"
"""What stands in place of a suggestion where a label is flagged and no other class fits the image better."""

Duplicates = Literal["any", "labels", "splits"]
"""Which images that show one picture are meant: all, those with different labels, or those in several splits."""

DUPLICATE_IN_WORDS: Mapping[str, str] = {
    "exact": "the same pixels",
    "pixels": "nearly the same pixels",
    "features": "a model's features",
}
"""By what images are known for duplicates, as people read it, by the name of the column `duplicate_kind`."""

LABELLESS: Mapping[str, Status] = {"none_of_these": "none_of_these", "bad_image": "bad_image", "skip": "skipped"}
"""The status that a press leads to, where it gives the image no label."""

SET_ASIDE: Mapping[str, str] = {
    "none_of_these": "set aside in review: none of the classes",
    "bad_image": "set aside in review: bad image",
}
"""Why the next run doesn't judge an image, by its status."""

CHANGE: Mapping[str, str] = {"keep": "kept", "relabel": "relabelled", "drop": "dropped"}
"""What was done, by the action that did it: names of counts and the column `change` of an export."""

VERDICT = "verdict"
NO_OTHER = "verdict: no other class fits better"
"""The reason where a label is judged wrong although no other class is more probable: there is nothing to relabel to."""

REVIEW = "review"
UNREADABLE = "unreadable"
AS_GIVEN, NOBODY = "as given", "-"
"""What a table says where there is no reason, and where nobody decided: blank columns can't be read back as text."""

_LEFT_OUT = {
    "none_of_these": "reviewed as none of the classes",
    "bad_image": "reviewed as bad",
}


def review_reason(status: Status) -> str:
    """Return the reason for an outcome that a person decided."""
    return f"{REVIEW}: {status}"


def left_out_in_words(reason: str) -> str:
    """Return why images are left out, to go with their number: "12 with a wrong label by the verdict".

    Args:
        reason: Reason for an outcome, or why an image can't be used.
    """
    kind, _, rest = reason.partition(": ")
    if kind == REVIEW:
        return _LEFT_OUT[rest]
    if kind == VERDICT:
        return "with a wrong label by the verdict" + (" and no better one" if rest else "")
    return UNREADABLE if kind == UNREADABLE else "without a label"


def reviews_in_words(counts: Mapping[str, Any]) -> str:
    """Return what people decided, in one line.

    Args:
        counts: Numbers of labels `kept` and `corrected`, and of images `set_aside`.
    """
    kept, aside = counted(counts["kept"], "label"), counted(counts["set_aside"], "image")
    return f"{kept} confirmed, {counts['corrected']} corrected, {aside} set aside"


def duplicates_in_words(counts: Mapping[str, int]) -> str:
    """Return by what duplicates were found, with the number of images; empty where that isn't known.

    Args:
        counts: Images by kind, `images_by_kind` of a summary.

    Example:
        >>> duplicates_in_words({"exact": 4, "pixels": 0, "features": 2})
        "the same pixels 4, a model's features 2"
    """
    return ", ".join(f"{DUPLICATE_IN_WORDS[kind]} {number}" for kind, number in counts.items() if number)


def sample_in_words(counts: Mapping[str, int]) -> str:
    """Return how many images a detector learned from, where it judged more, as the end of a sentence.

    Args:
        counts: Numbers of images `learned` from and only `scored`.

    Example:
        >>> sample_in_words({"learned": 500, "scored": 9500})
        '500 images, drawn class by class; the other 9500 were scored with what was learned'
    """
    learned = counted(counts["learned"], "image")
    return f"{learned}, drawn class by class; the other {counts['scored']} were scored with what was learned"


def check_word(name: str, value: str, words: Any) -> None:
    """Refuse a word that isn't one of a vocabulary.

    Args:
        name: What it is the value of.
        value: The word.
        words: One of the vocabularies above.

    Raises:
        SettingsError: It is none of them.
    """
    known = get_args(words)
    if value not in known:
        raise SettingsError(f"{name} must be one of {', '.join(known)}, not {value!r}.")
