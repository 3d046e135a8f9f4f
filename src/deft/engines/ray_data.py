"""The engine for many machines: Ray Data hands parts to actors, which keep the model loaded."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from deft.engines.ledger import Record
from deft.engines.parts import Part
from deft.engines.ray_cluster import joined
from deft.engines.scorer import Scorer, Work
from deft.errors import DataError, DeftError, SettingsError

MOST_TRIES = 10
"""Actors that may die over the same part, before that is called the part's fault; Ray itself would go on for ever."""


class RayEngine:
    """Scores parts on a Ray cluster; a part whose node or process dies is done again on another one.

    Every node must find the data, the detector and the output under the same paths.

    Args:
        actors: Most processes that judge at a time, each with a model of its own; None takes one per CPU, or per GPU
            where the cluster has some.
        address: Of the cluster, as `ray.init` takes it; None takes the one of `RAY_ADDRESS`, or starts one here.

    Raises:
        SettingsError: Ray isn't installed.
    """

    def __init__(self, actors: int | None = None, address: str | None = None) -> None:
        try:
            import ray.data  # noqa: F401
        except ImportError as error:
            raise SettingsError('The Ray engine needs Ray: pip install "deft-labels[ray]".') from error
        self._actors = actors
        self._address = address

    def __call__(self, parts: Sequence[Part], work: Work) -> Iterator[Record]:
        """Yield what is to be noted of each part, as they are done.

        Args:
            parts: What to do.
            work: What to do it with.

        Raises:
            DataError: A part can't be scored.
            SettingsError: No cluster answers.
        """
        with joined(self._address) as size:
            actors = min(self._actors or size.gpus or size.cpus, len(parts))
            if work.workers is None:  # the actors share the cores; each would take all of its machine
                work = replace(work, workers=max(size.cpus // actors, 1))
            yield from _scored(parts, work, actors, on_gpus=bool(size.gpus))


def _scored(parts: Sequence[Part], work: Work, actors: int, *, on_gpus: bool) -> Iterator[Record]:
    import ray.data

    data = ray.data.from_items(
        [{"unit": part.unit, "start": part.start, "stop": part.stop} for part in parts],
        override_num_blocks=len(parts),
    )
    data.context.enable_progress_bars = False  # there is one already
    scored = data.map_batches(
        _Actor,
        fn_constructor_args=(work,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
        num_cpus=0 if on_gpus else 1,
        num_gpus=1 if on_gpus else 0,
    )
    for row in scored.iter_rows():
        if row["error"]:
            raise DataError(str(row["error"]))
        yield Record(**json.loads(str(row["record"])))


class _Actor:
    """A scorer in a process of its own, which Ray Data calls with one part at a time."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._scorer: Scorer | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        part = Part(int(batch["unit"][0]), int(batch["start"][0]), int(batch["stop"][0]))
        try:
            with self._counted(part):
                if self._scorer is None:
                    self._scorer = Scorer(self._work)
                record = self._scorer.score(part)
        except DeftError as error:
            return {"record": [""], "error": [str(error)]}
        except OSError as error:  # such as a full disk
            what = os.strerror(error.errno) if error.errno else error
            return {"record": [""], "error": [f"{error.filename or part.file}: {what}."]}
        return {"record": [json.dumps(asdict(record))], "error": [""]}

    @contextlib.contextmanager
    def _counted(self, part: Part) -> Iterator[None]:
        """Note a try on the disk, which an actor's death leaves there; a restart of the command begins to count anew.

        Raises:
            DataError: Too many have died.
        """
        tries = Path(self._work.parts) / f".{part.file}.tries"
        with tries.open("ab") as file:
            file.write(b".")
            count = file.tell()
        if count > MOST_TRIES:
            raise DataError(
                f"{MOST_TRIES} workers died over {part.file}, as they do where memory is short: take smaller parts or "
                "fewer of them at a time. What is done is kept; the same command does the rest."
            )
        try:
            yield
        finally:
            tries.unlink(missing_ok=True)
