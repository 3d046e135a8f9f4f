"""A detection with its rows in another order: detectors judge in the order of content, people in their own."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from deft.runs.detection import Detection, Verdicts


def in_order(found: Detection, rows: np.ndarray) -> Detection:
    """Return the same verdicts on the same images in another order.

    Args:
        found: N verdicts.
        rows: Which of them comes first, second, ..., int64 (N,): each exactly once.
    """
    old = rows.tolist()
    said = {one.name: getattr(found.verdicts, one.name) for one in fields(Verdicts)}
    return replace(
        found,
        sample_id=tuple(found.sample_id[row] for row in old),
        file_name=tuple(found.file_name[row] for row in old),
        split=None if found.split is None else tuple(found.split[row] for row in old),
        given=found.given[rows],
        verdicts=replace(found.verdicts, **{name: values[rows] for name, values in said.items() if values is not None}),
        read_errors={new: found.read_errors[row] for new, row in enumerate(old) if row in found.read_errors},
        image_notes={new: found.image_notes[row] for new, row in enumerate(old) if row in found.image_notes},
        clean_labels=None if found.clean_labels is None else found.clean_labels[rows],
        images=None if found.images is None else found.images.keep(rows),
        content=None if found.content is None else tuple(found.content[row] for row in old),
    )
