"""The evidence of a run on the disk: `features.npy`, `probabilities.npy` and `evidence.parquet`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deft.errors import DataError
from deft.files import parse_json
from deft.manifest import check, replace_sealed
from deft.runs.near import NEAREST, TYPICAL, Near

if TYPE_CHECKING:
    from deft.runs.detection import Detection

FEATURES, PROBABILITIES, EVIDENCE = "features.npy", "probabilities.npy", "evidence.parquet"
_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("neighbours", pa.list_(pa.string())),
        ("neighbour_labels", pa.list_(pa.string())),
        ("neighbour_similarities", pa.list_(pa.float32())),
        ("sentence", pa.string()),
    ]
)


def write_near(folder: Path, found: Detection) -> None:
    """Write features, probabilities and evidence of a detection, as far as it has them, each file as a whole.

    Args:
        folder: Of the run.
        found: The verdicts.
    """
    for name, kept in ((FEATURES, found.verdicts.features), (PROBABILITIES, found.verdicts.probabilities)):
        if kept is not None and not kept.lies_at(folder / name):
            kept.save(folder / name)
    near = found.reasons.near
    if near is None:
        return
    rows = np.flatnonzero((near.neighbours >= 0).any(axis=1)).tolist()
    reasons = [found.reasons.of(row) for row in rows]
    columns: dict[str, list[Any]] = {
        "sample_id": [found.sample_id[row] for row in rows],
        "neighbours": [[found.sample_id[other] for other in one.neighbours] for one in reasons],
        "neighbour_labels": [[found.classes[found.given[other]] for other in one.neighbours] for one in reasons],
        "neighbour_similarities": [one.similarity for one in reasons],
        "sentence": [one.sentence for one in reasons],
    }
    typical = {
        name: [found.sample_id[row] for row in places if row >= 0]
        for name, places in zip(found.classes, near.typical.tolist(), strict=True)
    }
    stored = pa.table(columns, schema=_SCHEMA)
    notes = {"deft": json.dumps({"typical": typical}, ensure_ascii=False)}
    with replace_sealed(folder / EVIDENCE) as temporary:
        pq.write_table(stored.replace_schema_metadata(notes), temporary)


def read_near(folder: Path, sample_id: Sequence[str], classes: Sequence[str]) -> Near | None:
    """Return the evidence that `write_near` wrote; None where there is none.

    Args:
        folder: Of the run.
        sample_id: Names of its images, (N,).
        classes: Its classes.

    Raises:
        DataError: It is damaged.
    """
    path = folder / EVIDENCE
    if not path.is_file():
        return None
    check(path, hint="Delete it to do without.")
    try:
        stored = pq.read_table(path)
        notes = parse_json((stored.schema.metadata or {}).get(b"deft", b"{}"))
        columns = [stored[name].to_pylist() for name in ("sample_id", "neighbours", "neighbour_similarities")]
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} can't be read: it is damaged, or none of deft's. Delete it to do without.") from error
    place = {name: row for row, name in enumerate(sample_id)}
    neighbours = np.full((len(sample_id), NEAREST), -1, np.int64)
    similarity = np.full((len(sample_id), NEAREST), np.nan, np.float32)
    for name, others, cosines in zip(*columns, strict=True):
        row = place.get(name)
        if row is not None:
            neighbours[row, : len(others)] = [place.get(other, -1) for other in others[:NEAREST]]
            similarity[row, : len(others)] = cosines[:NEAREST]
    typical = np.full((len(classes), TYPICAL), -1, np.int64)
    for number, name in enumerate(classes):
        rows = [place[sample] for sample in notes.get("typical", {}).get(name, ()) if sample in place][:TYPICAL]
        typical[number, : len(rows)] = rows
    return Near(neighbours, similarity, typical)
