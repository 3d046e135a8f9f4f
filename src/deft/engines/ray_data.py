"""The engine for many machines: Ray Data hands parts to actors, which keep the model loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from deft.engines.ledger import Record
from deft.engines.parts import Part
from deft.engines.scorer import Scorer, Work
from deft.errors import DataError, DeftError, SettingsError


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
        """
        import ray

        if not ray.is_initialized():
            ray.init(address=self._address, log_to_driver=False, logging_level="ERROR")
        gpus = int(ray.cluster_resources().get("GPU", 0))
        most = self._actors or gpus or int(ray.cluster_resources().get("CPU", 1))
        data = ray.data.from_items(
            [{"unit": part.unit, "start": part.start, "stop": part.stop} for part in parts],
            override_num_blocks=len(parts),
        )
        scored = data.map_batches(
            _Actor,
            fn_constructor_args=(work,),
            batch_size=1,
            concurrency=(1, min(most, len(parts))),
            num_cpus=0 if gpus else 1,
            num_gpus=1 if gpus else 0,
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
            if self._scorer is None:
                self._scorer = Scorer(self._work)
            record = self._scorer.score(part)
        except DeftError as error:
            return {"record": [""], "error": [str(error)]}
        return {"record": [json.dumps(asdict(record))], "error": [""]}
