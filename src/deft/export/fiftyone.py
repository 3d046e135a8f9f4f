"""FiftyOne's JSON: all that is known of every image, and its final label, each in a format of its own.

`samples.json` with `metadata.json` is what `fiftyone.types.LegacyFiftyOneDataset` imports: it can be written without
FiftyOne, which `FiftyOneDataset` (a dump of its database) can't. `labels.json` with `data.json` is a
`FiftyOneImageClassificationDataset`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from deft.export.formats import Destination
from deft.export.media import Media, find_media, json_list, told_of
from deft.export.names import distinct, safe_name
from deft.export.plan import Plan, Written

ISSUE = "label_issue"
"""The tag of images whose label is judged wrong."""


def write_fiftyone(plan: Plan, to: Destination) -> Written:
    """Write every readable image with given label, suggestion, mistakenness and outcome.

    `mistakenness` is 1 − label_score: high where the label is likely wrong, as FiftyOne's own.

    Args:
        plan: What to write.
        to: Where.

    Raises:
        DataError: A file's name is not UTF-8.
    """
    media = find_media(plan, to.folder, to.target, to.progress)
    paths = [_from_folder(path, to.target.expanduser().resolve()) for path in media.paths]
    samples = [_sample(plan, row, path) for row, path in zip(media.rows, paths, strict=True)]
    _write(to.folder / "metadata.json", {"media_type": "image", "info": {"classes": list(plan.classes)}})
    (to.folder / "samples.json").write_text(f'{{"samples": {json_list(samples)}}}', encoding="utf-8")
    _write(to.folder / "data.json", dict(zip(_keys(plan, media), paths, strict=True)))
    _write(to.folder / "labels.json", {"classes": list(plan.classes), "labels": _labels(plan, media)})
    how = f'Open it with: fiftyone.Dataset.from_dir("{to.target}", fiftyone.types.LegacyFiftyOneDataset)'
    return Written(("samples.json", "labels.json"), len(samples), (*told_of(media), how))


def mistakenness(plan: Plan, row: int) -> float | None:
    """Return how likely the given label of a row is wrong, 0..1; None where the image was not judged."""
    score = float(plan.found.p_clean[row])
    return round(1 - score, 6) if np.isfinite(score) else None


def _from_folder(path: str, folder: Path) -> str:
    """Return a relative path where the image lies in the export itself, which may then be moved."""
    place = Path(path)
    return place.relative_to(folder).as_posix() if folder in place.parents else path


def _sample(plan: Plan, row: int, path: str) -> dict[str, Any]:
    found, outcome = plan.found, plan.outcomes[row]
    split = [] if found.split is None else [found.split[row]]
    sample: dict[str, Any] = {
        "filepath": path,
        "tags": [*split, *([ISSUE] if plan.flagged[row] else [])],
        "metadata": None,
        "ground_truth": _classification(plan.given(row), None),
        "prediction": None,
        "final": _classification(outcome.label, None),
        "mistakenness": mistakenness(plan, row),
        "outcome": outcome.action,
        "reason": outcome.reason or None,
        "by": outcome.by,
        "deft_sample_id": found.sample_id[row],
    }
    if plan.judged[row]:
        suggested = found.classes[int(found.predicted[row])]
        sample["prediction"] = _classification(suggested, round(float(found.verdicts.topk_probs[row, 0]), 6))
    return sample


def _classification(label: str | None, confidence: float | None) -> dict[str, Any] | None:
    if label is None:
        return None
    return {"_cls": "Classification", "tags": [], "label": label, "confidence": confidence, "logits": None}


def _keys(plan: Plan, media: Media) -> list[str]:
    """Return names that join labels to files: without dots and slashes, at which the importer cuts names."""
    names = (plan.found.file_name[row] for row in media.rows)
    return distinct(safe_name(name.replace("/", "-").replace(".", "_")) for name in names)


def _labels(plan: Plan, media: Media) -> dict[str, dict[str, Any]]:
    labels = {}
    for row, key in zip(media.rows, _keys(plan, media), strict=True):
        outcome = plan.outcomes[row]
        if outcome.label is not None:
            about = {"given_label": plan.given(row), "mistakenness": mistakenness(plan, row), "outcome": outcome.action}
            labels[key] = {"label": outcome.label, "attributes": about}
    return labels


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
