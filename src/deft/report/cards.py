"""The suspects on the page, as plain values: the template only places them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One of an image's most probable classes.

    Args:
        name: The class.
        percent: Its probability, 0..100.
        given: Whether it is the label that was given.
    """

    name: str
    percent: float
    given: bool


@dataclass(frozen=True)
class Small:
    """A small picture: which image, and the label it was given."""

    row: int
    label: str


@dataclass(frozen=True)
class Strip:
    """Small pictures in a row, and what they are."""

    name: str
    pictures: tuple[Small, ...]


@dataclass(frozen=True)
class Why:
    """Why a label is suspected: a sentence, and pictures that speak for and against it."""

    sentence: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Card:
    """One suspect.

    Args:
        rank: 1 for the worst.
        place: Where it stands when suspects are grouped by class.
        class_id: Class id of the label given.
        file_name: What a user knows the image by.
        sample_id: Its stable name.
        picture: A WebP file in base64; empty where the image can't be read.
        given: The label given.
        suggested: The label suggested; empty where nothing fits better.
        score: P(the label is right).
        bars: The most probable classes, best first.
        truth: The true label where it is known, else empty.
        kind: Kind of error that is suspected, a key of `KIND_IN_WORDS`.
        kind_words: The same for people.
        why: Why it is suspected.
    """

    rank: int
    place: int
    class_id: int
    file_name: str
    sample_id: str
    picture: str
    given: str
    suggested: str
    score: str
    bars: tuple[Bar, ...]
    truth: str
    kind: str
    kind_words: str
    why: Why


@dataclass(frozen=True)
class Group:
    """The suspects of one given class.

    Args:
        class_id: Class id of the class.
        place: Where its heading stands when suspects are grouped by class.
        name: Name of the class.
        shown: How many of them are on the page.
        flagged: How many there are.
        kinds: Kinds of error among those on the page.
    """

    class_id: int
    place: int
    name: str
    shown: int
    flagged: int
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of error: its key, its name for people, and how many of the suspects on the page are of it."""

    key: str
    name: str
    shown: int


@dataclass(frozen=True)
class Gallery:
    """The suspects, worst first, and their groups, largest first.

    Args:
        cards: Those that are shown.
        groups: One per class that has any among them.
        flagged: How many there are in all.
        kinds: Kinds of error among the cards, most first.
        small: Small pictures of the evidence in base64, each once, by row.
    """

    cards: tuple[Card, ...]
    groups: tuple[Group, ...]
    flagged: int
    kinds: tuple[Kind, ...]
    small: Mapping[int, str]
