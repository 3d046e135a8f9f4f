"""Experiments as files hold them: a row of a table, on a column's data and noise, at a scale, with a seed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from deft.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Scale = Literal["paper", "small", "smoke"]
SCALES: tuple[Scale, ...] = ("paper", "small", "smoke")
NOISES = ("sym", "ins", "pair", "given")
REAL = "given"
"""The noise of a column whose labels are taken as the data set gives them."""

OVERRIDES = frozenset(["label", "published", "real", *SCALES])
"""What a row's file holds besides settings, or only for some columns or scales."""


@dataclass(frozen=True)
class Column:
    """What a column of a table is about, written as "cifar100/sym-0.4" or "clothing1m/given@microsoft/resnet-50".

    Args:
        name: As it is written.
        data: Name of the data set.
        noise: "sym", "ins" or "pair"; "given" for the labels that the data set comes with.
        rate: Share of the labels made wrong.
        backbone: What learns in the second phase, where that isn't the detector's model.
    """

    name: str
    data: str
    noise: str
    rate: float
    backbone: str | None = None

    @classmethod
    def parse(cls, name: str) -> Column:
        """Return the column of a name.

        Raises:
            SettingsError: It isn't one.
        """
        place, _, backbone = name.partition("@")
        data, _, noise = place.partition("/")
        kind, _, rate = noise.partition("-")
        try:
            share = float(rate) if kind != REAL else 0.0
        except ValueError as error:
            raise SettingsError(f"A column is DATA/NOISE-RATE or DATA/given, not {name!r}.") from error
        if not data or kind not in NOISES:
            raise SettingsError(f"A column is DATA/NOISE-RATE or DATA/given, not {name!r}.")
        return cls(name, data, kind, share, backbone or None)


@dataclass(frozen=True)
class Experiment:
    """One row on one column with one seed: what makes one file of results.

    Args:
        table: Name of the table.
        row: Name of the row.
        label: What tables call the row.
        kind: "detection" where labels are judged, "learning" where a classifier is trained and tested.
        column: Data and noise.
        seed: Draws the noise, and everything that the methods draw.
        scale: How large it is.
        settings: All that determines the result besides the code and the images, as plain values.
    """

    table: str
    row: str
    label: str
    kind: str
    column: Column
    seed: int
    scale: Scale
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What its file of results is called, without ending."""
        column = self.column.name.replace("/", "-").replace("@", "-on-")
        return f"{self.row}--{column}--seed{self.seed}"


@dataclass(frozen=True)
class Table:
    """A table of experiments.

    Args:
        name: Its folder of experiment files.
        head: What `table.toml` holds.
        rows: What each row's file holds, by name, in their order.
    """

    name: str
    head: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]

    @property
    def kind(self) -> str:
        """What its experiments measure: "detection" or "learning"."""
        return str(self.head["kind"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that it shows, in their order."""
        return tuple(self.head["metrics"])

    def columns(self, scale: Scale) -> tuple[Column, ...]:
        """Return its columns at a scale."""
        return tuple(Column.parse(name) for name in self.head["columns"][scale])

    def published(self, row: str, column: str, metric: str) -> float | None:
        """Return the paper's number; None where it has none."""
        found = self.rows[row].get("published", {}).get(column, {}).get(metric)
        return None if found is None else float(found)

    def experiments(self, scale: Scale, seeds: int, only: str | None = None) -> Iterator[Experiment]:
        """Yield its experiments, column by column.

        Args:
            scale: How large they are.
            seeds: How often each is repeated, with seeds from 0 on.
            only: Name of the one row to take; all if not given.

        Raises:
            SettingsError: There is no such row.
        """
        if only is not None and only not in self.rows:
            raise SettingsError(f"{self.name} has no row {only!r}. Known: {', '.join(self.rows)}.")
        for column in self.columns(scale):
            for row, own in self.rows.items():
                if only in (None, row):
                    settings = self._settings(own, column, scale)
                    for seed in range(seeds):
                        label = str(own["label"])
                        yield Experiment(self.name, row, label, self.kind, column, seed, scale, settings)

    def _settings(self, row: Mapping[str, Any], column: Column, scale: Scale) -> dict[str, Any]:
        """Return what the scale, the data set and the row say; the more particular has the last word."""
        library = Library()
        of_data = library.data.get(column.data, {})
        found = merged(library.defaults[scale], of_data.get("settings", {}) if scale == "paper" else {})
        method = row.get("learner", {}).get("method")
        if scale == "paper" and method in of_data.get("methods", {}):
            found = merged(found, {"learner": {"settings": of_data["methods"][method]}})
        found = merged(found, {name: value for name, value in row.items() if name not in OVERRIDES})
        if column.noise == REAL:
            found = merged(found, row.get("real", {}))
        found = merged(found, row.get(scale, {}))
        if method is None:
            del found["learner"]
        return found


@dataclass(frozen=True)
class Library:
    """The experiment files that come with deft.

    Args:
        root: Their folder.
    """

    root: Path = Path(__file__).parent / "experiments"

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """What every experiment has, by scale."""
        return _read(self.root / "defaults.toml")

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What belongs to a data set, by its name."""
        return _read(self.root / "data.toml")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(sorted(place.name for place in self.root.iterdir() if (place / "table.toml").is_file()))

    def table(self, name: str) -> Table:
        """Return a table.

        Raises:
            SettingsError: There is none of that name.
        """
        if name not in self.names:
            raise SettingsError(f"There is no table {name!r}. Known: {', '.join(self.names)}.")
        return read_table(self.root / name)


def read_table(folder: Path) -> Table:
    """Return the table of a folder of experiment files: `table.toml`, and a file for each of its rows.

    Args:
        folder: Holds them; files that `rows` doesn't name come after those that it does.

    Raises:
        SettingsError: A row has no file, or a file can't be read.
    """
    head = _read(folder / "table.toml")
    there = sorted(place.name.removesuffix(".toml") for place in folder.iterdir() if place.name.endswith(".toml"))
    order = [*head["rows"], *(name for name in there if name not in (*head["rows"], "table"))]
    return Table(folder.name, head, {name: _read(folder / f"{name}.toml") for name in order})


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables of settings as one; the second has the last word, table by table.

    A value that names its `type` is taken as a whole.
    """
    found = dict(first)
    for name, value in second.items():
        old = found.get(name)
        inner = isinstance(value, dict) and isinstance(old, dict) and "type" not in value
        found[name] = merged(old, value) if inner else value  # type: ignore[arg-type]
    return found


def _read(place: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"There is no experiment file {place}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{place} is no TOML: {error}.") from error
