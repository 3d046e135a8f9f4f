"""What stands on the page, as plain values: the template only places them."""

from __future__ import annotations

from dataclasses import dataclass

from deft.report.cards import Gallery


@dataclass(frozen=True)
class Fact:
    """One line of a list of facts.

    Args:
        name: What it is.
        value: The value, as a person reads it.
        note: Says how to take it.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Cells as a person reads them.

    Args:
        columns: Heads.
        rows: One tuple of cells per row.
        words: How many columns, from the left, hold names rather than numbers.
        note: What was left out, or how to read it.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    note: str = ""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, in the drawing's units, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Args:
        points: "x,y x,y ..." in the drawing's units.
        style: "main", "second" or "guide".
        name: Name for the legend; empty for none.
    """

    points: str
    style: str
    name: str = ""


@dataclass(frozen=True)
class Block:
    """A bar of a plot, in the drawing's units; `title` is what a pointer over it shows."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str


@dataclass(frozen=True)
class Plot:
    """A drawing with two axes.

    Args:
        title: Above it.
        told: What it shows, in words, for those who don't see it.
        x_name: Under the horizontal axis.
        y_name: Beside the vertical axis.
        x_ticks: Marks of the horizontal axis.
        y_ticks: Marks of the vertical axis.
        lines: Lines.
        blocks: Bars.
        legend: Style and name of what needs a legend.
    """

    title: str
    told: str
    x_name: str
    y_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...] = ()
    blocks: tuple[Block, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Cell:
    """A field of a heat map: column, row, text, depth of colour 0..1, whether on the diagonal, and its title."""

    column: int
    row: int
    text: str
    depth: float
    diagonal: bool
    title: str


@dataclass(frozen=True)
class HeatMap:
    """A matrix of classes.

    Args:
        rows: Names of the rows.
        columns: Names of the columns.
        cells: Fields that aren't empty.
        told: What it shows, in words.
        note: What was left out.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    told: str
    note: str


@dataclass(frozen=True)
class NameNote:
    """Something odd about class names: the names, and what about them."""

    names: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class ReviewPart:
    """The section on a review: facts, and a table of people."""

    facts: tuple[Fact, ...]
    people: Table


@dataclass(frozen=True)
class Page:
    """All that stands on the page.

    Args:
        name: Name of the data; may be empty.
        tiles: The few numbers that matter.
        review: What a review came to, where there was one.
        truth: Scores where the true labels are known; empty elsewhere.
        gallery: The suspects.
        budget: Wrong labels expected among the first n.
        budgets: The same in a few numbers.
        classes: cleanlab's health summary.
        pairs: Classes most often confused.
        transition: Estimated P(given | true).
        scores: How the scores lie.
        curves: ROC and precision-recall, where the true labels are known.
        names: What is odd about the class names.
        reading: What is to be known of how the data was read, a sentence each.
        sizes: Sizes of the images, and how many are blank, blurred, tiny, ...
        torn: Images that show one picture under different labels.
        errors: Images that couldn't be judged.
        how: How the labels were judged.
        settings: All settings.
    """

    name: str
    tiles: tuple[Fact, ...]
    review: ReviewPart | None
    truth: tuple[Fact, ...]
    gallery: Gallery
    budget: Plot
    budgets: Table
    classes: Table
    pairs: Table
    transition: HeatMap
    scores: Plot
    curves: tuple[Plot, ...]
    names: tuple[NameNote, ...]
    reading: tuple[str, ...]
    sizes: tuple[Fact, ...]
    torn: Table
    errors: Table
    how: tuple[Fact, ...]
    settings: tuple[Fact, ...]
