"""Which images of a run somebody wants to see, in what order, and what they get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from deft.errors import SettingsError
from deft.runs.vocabulary import Duplicates, IssueKind, Status

Verdict = Literal["flagged", "believed", "unread", "sample", "all"]
Show = Literal["todo", "decided", Status, "all"]
Order = Literal["worst", "best", "unsure", "likely", "name"]
Kind = Literal["", IssueKind]
Copies = Literal["", Duplicates]
Change = Literal["", "any", "label", "flagged", "cleared", "set_aside"]

_CHOICES = {
    "verdict": Verdict,
    "show": Show,
    "order": Order,
    "change": Change,
    "kind": Kind,
    "duplicates": Copies,
}


@dataclass(frozen=True)
class Query:
    """A choice of images; the values that are not given leave nothing out but what is decided or not flagged.

    Args:
        verdict: What the detector says: flagged as wrong, believed, or not judged at all; or "sample", for the images
            that were drawn at random, which come in the order of drawing.
        show: What people said: nothing yet ("todo"), anything but skipping ("decided"), or one kind of decision.
        given: Name of the given label; empty for any.
        suggested: Name of the suggested label; empty for any.
        low: Smallest score.
        high: Largest score.
        search: Part of the file name, in any case.
        kind: Kind of error that is suspected; empty for any.
        duplicates: Only images that show the same picture as another: any, with another label, or in another split.
        change: How the image differs from the run before, if there was one.
        order: Lowest score first, highest first, nearest to the border of belief first, likeliest wrong first by the
            scores and by what was decided about an image's neighbours, or by file name.
        as_of: Number of the last entry of the log that "likely" hears, so that places don't move while somebody
            decides; all there are, if it is negative.
    """

    verdict: Verdict = "flagged"
    show: Show = "todo"
    given: str = ""
    suggested: str = ""
    low: float = 0.0
    high: float = 1.0
    search: str = ""
    kind: Kind = ""
    duplicates: Copies = ""
    change: Change = ""
    order: Order = "worst"
    as_of: int = -1

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Query:
        """Return the query of a web address.

        Args:
            values: Its parameters; those that no query has are left alone.

        Raises:
            SettingsError: A value makes no sense.
        """
        given: dict[str, Any] = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        for name, choices in _CHOICES.items():
            if name in given and given[name] not in get_args(choices):
                raise SettingsError(f"{name}={given[name]} is none of {', '.join(filter(None, get_args(choices)))}.")
        for name in ("low", "high"):
            if name in given:
                given[name] = _share(name, given[name])
        if "as_of" in given:
            given["as_of"] = _number("as_of", given["as_of"])
        return cls(**given)


@dataclass(frozen=True)
class Page:
    """Some of the images that a query finds, in its order.

    Args:
        items: What is shown of each, as plain JSON values.
        matching: How many the query finds in all.
        scope: How many there are whatever people said of them.
        decided: How many of those are decided.
        as_of: Number of the last entry of the log that the order hears.
    """

    items: list[dict[str, Any]]
    matching: int
    scope: int
    decided: int
    as_of: int


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name}={text} is no whole number.") from None


def _share(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise SettingsError(f"{name}={text} is no score; scores lie in 0..1.")
    return value
