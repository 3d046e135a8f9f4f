"""Runs experiments: what is there and still holds stays, what isn't is made, and the table is written anew."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from deft.bench.datasets.base import Splits
from deft.bench.datasets.registry import DATASETS, benchmark_set
from deft.bench.experiment import Experiment, Scale, Table
from deft.bench.figures import draw
from deft.bench.machine import cpu_seconds, forget_peak, machine, peak_mb, program
from deft.bench.measure import Measurement, build_detector, detection, learning, open_backbone, true_rate, warm
from deft.bench.places import own_folder
from deft.bench.preprocessing import prepare
from deft.bench.results import Code, kept_result, read_results, result_path, write_result
from deft.bench.sources import Sources
from deft.bench.tables import table_text
from deft.detectors.base import by_content
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.errors import DataError
from deft.files import replace_file
from deft.progress import Progress, Silent
from deft.runs.provenance import versions
from deft.training.workspace import Workspace

WORK = "work"


@dataclass
class Bench:
    """Runs experiments one after the other, on models and data that are opened once.

    Args:
        folder: Where results lie.
        data: Folder that holds the data sets, or is one.
        device: Where models are loaded.
        progress: Told of every experiment.

    Example:
        >>> bench = Bench(Path("bench-results"), Path("data"))  # doctest: +SKIP
        >>> bench.run(Library().table("table1"), "small", seeds=3)  # doctest: +SKIP
    """

    folder: Path
    data: Path | None = None
    device: str = "auto"
    progress: Progress = field(default_factory=Silent)
    code: Code = field(default_factory=Code)
    _encoders: dict[tuple[str, str], DualEncoder] = field(default_factory=dict, repr=False)
    _splits: dict[tuple[Any, ...], Splits] = field(default_factory=dict, repr=False)

    def run(self, table: Table, scale: Scale, *, seeds: int = 3, only: str | None = None) -> list[dict[str, Any]]:
        """Make what is missing of a table, and write it; return the results that were asked for.

        Columns whose data isn't there are left out, and named.

        Args:
            table: What is run.
            scale: How large.
            seeds: How often each experiment is repeated.
            only: Name of the one row to run; all if not given.

        Raises:
            DataError: No column's data is there, or not even the folder.
            SettingsError: There is no such row.
        """
        experiments = list(self._possible(table.experiments(scale, seeds, only)))
        command = self._command(table.name, scale, seeds, only)
        results = [self._result(experiment, command) for experiment in experiments]
        self.write(table, scale)
        return results

    def result(self, experiment: Experiment) -> dict[str, Any]:
        """Return the result of an experiment: the one that is there, if it still holds, or a new one.

        Args:
            experiment: What is run.
        """
        own = self._command(experiment.table, experiment.scale, experiment.seed + 1, experiment.row)
        return self._result(experiment, own)

    def _result(self, experiment: Experiment, command: str) -> dict[str, Any]:
        path = result_path(self.folder, experiment)
        kept, why = kept_result(path, experiment, self.code)
        name = f"{experiment.table} {experiment.name}"
        if kept is not None:
            self.progress.note(f"{name}: there already")
            return kept
        self.progress.note(f"{name}: made again, since it was made with {why}" if why else name)
        made = self._made(experiment) | {"command": command, "made_by": program()}
        write_result(path, made)
        return made

    def write(self, table: Table, scale: Scale) -> None:
        """Write a table of all its results, and its figure.

        Args:
            table: What it is of.
            scale: Of the experiments.
        """
        results = read_results(self.folder, table.name, scale)
        if not results:
            return
        place = self.folder / scale / f"{table.name}.md"
        with replace_file(place) as temporary:
            temporary.write_text(table_text(table, scale, results), encoding="utf-8")
        draw(table, results, place.with_suffix(".png"))

    def _possible(self, experiments: Iterator[Experiment]) -> Iterator[Experiment]:
        """Yield experiments whose data is there; say which isn't."""
        if self.data is not None and not self.data.expanduser().is_dir():
            raise DataError(f"There is no folder {self.data}, which data= names.")
        sources, missing, possible = Sources(self._data(), self.progress), dict[str, str](), 0
        for experiment in experiments:
            data = experiment.column.data
            reason = missing.get(data) or sources.missing(data)
            if reason is None:
                possible += 1
                yield experiment
            elif data not in missing:
                missing[data] = reason
                self.progress.note(f"Left out: {reason}")
        if missing and not possible:
            raise DataError(" ".join(missing.values()))

    def _made(self, experiment: Experiment) -> dict[str, Any]:
        with own_folder(self.folder / WORK / experiment.scale / experiment.column.data) as folder:
            # What a model sees in a data set is kept there for other experiments.
            return self._measured(experiment, Workspace(folder, keep_features=True))

    def _measured(self, experiment: Experiment, space: Workspace) -> dict[str, Any]:
        splits = self._opened(experiment, space)
        encoder = self._encoder(experiment)
        detector = None
        if "detector" in experiment.settings:
            detector = build_detector(experiment, encoder, splits.train)
            warm(detector, splits.train, space)
        backbone = open_backbone(experiment, encoder, self.device)
        forget_peak()
        start, worked = time.perf_counter(), cpu_seconds()
        if experiment.kind == "detection":
            assert detector is not None
            measured = detection(experiment, detector, splits.train, space)
        else:
            measured = learning(experiment, detector, backbone, splits, space)
        taken = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - worked}
        return self._record(experiment, splits, measured, taken)

    def _record(
        self, experiment: Experiment, splits: Splits, measured: Measurement, taken: Mapping[str, float]
    ) -> dict[str, Any]:
        data = experiment.column.data
        return {
            "table": experiment.table,
            "row": experiment.row,
            "label": experiment.label,
            "column": experiment.column.name,
            "scale": experiment.scale,
            "seed": experiment.seed,
            "metrics": {name: round(value, 6) for name, value in measured.metrics.items()},
            **{name: round(value, 2) for name, value in taken.items()},
            "peak_memory_mb": peak_mb(),
            "data_name": benchmark_set(data).name if data in DATASETS else data,
            "images": len(splits.train),
            "test_images": len(splits.test),
            "true_rate": true_rate(splits.train),
            "settings": experiment.settings,
            "detector": measured.detector,
            "learner": measured.learner,
            "code": self.code.version,
            "commit": self.code.commit,
            "versions": versions(),
            "machine": machine(),
            "device": str(self._encoder(experiment).device),
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }

    def _command(self, table: str, scale: Scale, seeds: int, only: str | None) -> str:
        """Return the command that makes a result."""
        typed = ["deft", "bench", table, "--scale", scale, "--seeds", str(seeds)]
        typed += [] if only is None else ["--only", only]
        typed += [] if self.data is None else ["--data", self.data.name]  # where it lies is nobody's business
        return shlex.join(typed)

    def _opened(self, experiment: Experiment, space: Workspace) -> Splits:
        """The images of an experiment, in the order of their content; those of the last few are remembered."""
        own = experiment.settings
        key = (
            experiment.column.name,
            experiment.seed,
            *(own.get(name) for name in ("images", "test_images", "balanced")),
        )
        if key not in self._splits:
            while len(self._splits) > 4:
                self._splits.pop(next(iter(self._splits)))
            found = Sources(self._data(), self.progress).read(experiment.column, experiment.settings, experiment.seed)
            self._splits[key] = Splits(by_content(found.train, space)[0], found.test)
        return self._splits[key]

    def _data(self) -> Path | None:
        return None if self.data is None else self.data.expanduser()

    def _encoder(self, experiment: Experiment) -> DualEncoder:
        name, own = experiment.settings["encoder"], experiment.settings.get("preprocessing")
        key = (name, json.dumps(own, sort_keys=True))
        if key not in self._encoders:
            encoder = load_encoder(name, device=self.device)
            prepare(encoder, experiment.settings)
            self._encoders[key] = encoder
        return self._encoders[key]
