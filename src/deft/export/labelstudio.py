"""Label Studio: tasks with the suggestion as pre-annotation, and reviews as annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from deft.errors import SettingsError
from deft.export.formats import Destination
from deft.export.media import find_media, json_list, told_of
from deft.export.plan import Plan, Written

TASKS, CONFIG = "tasks.json", "label_config.xml"
_FROM, _TO = "label", "image"


def write_labelstudio(plan: Plan, to: Destination) -> Written:
    """Write a task for every readable image, likely wrong labels first, and the labelling interface for them.

    Args:
        plan: What to write.
        to: Where; its `root` is Label Studio's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, None takes the folder above all
            images.

    Raises:
        SettingsError: An image lies outside of its root.
        DataError: A file's name is not UTF-8.
    """
    media = find_media(plan, to.folder, to.target, to.progress)
    storage = _common(media.paths)
    served = storage.parent if to.root is None else Path(os.path.abspath(to.root.expanduser()))
    tasks = {row: _task(plan, row, _address(path, served)) for row, path in zip(media.rows, media.paths, strict=True)}
    worst_first = np.argsort(np.nan_to_num(plan.found.p_clean, nan=2.0), kind="stable").tolist()
    (to.folder / TASKS).write_text(json_list(tasks[row] for row in worst_first if row in tasks), encoding="utf-8")
    (to.folder / CONFIG).write_text(labelling_interface(plan.classes), encoding="utf-8")
    how = (
        f"Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true "
        f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={served}; in the project, set the labelling interface to {CONFIG}, "
        f"add {storage if storage != served else 'a folder below it'} as local storage, and import {TASKS}."
    )
    return Written((TASKS, CONFIG), len(tasks), (*told_of(media), how))


def labelling_interface(classes: Sequence[str]) -> str:
    """Return the interface that the tasks belong to: one image, one choice among the classes."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in classes)
    return f"""<View>
  <Image name="{_TO}" value="$image" zoom="true"/>
  <Choices name="{_FROM}" toName="{_TO}" choice="single" showInLine="true">
{choices}
  </Choices>
</View>
"""


def _task(plan: Plan, row: int, address: str) -> dict[str, Any]:
    found, outcome = plan.found, plan.outcomes[row]
    judged = bool(plan.judged[row])
    task: dict[str, Any] = {
        "data": {
            "image": address,
            "file_name": found.file_name[row],
            "sample_id": found.sample_id[row],
            "given_label": plan.given(row),
            "is_label_issue": bool(plan.flagged[row]),
            "label_score": round(float(found.p_clean[row]), 6) if judged else None,
            "outcome": outcome.action,
            "reason": outcome.reason or None,
        }
    }
    if judged:
        suggested = found.classes[int(found.predicted[row])]
        probability = round(float(found.verdicts.topk_probs[row, 0]), 6)
        model = str(found.settings.get("detector", "deft"))
        task["predictions"] = [{"model_version": model, "score": probability, "result": _choice(suggested)}]
    if outcome.reviewed and outcome.label is not None:
        task["annotations"] = [{"result": _choice(outcome.label), "was_cancelled": False, "ground_truth": False}]
    return task


def _choice(label: str) -> list[dict[str, Any]]:
    return [{"from_name": _FROM, "to_name": _TO, "type": "choices", "value": {"choices": [label]}}]


def _common(paths: Sequence[str]) -> Path:
    """Return the lowest folder with all images below it."""
    return Path(os.path.commonpath([os.path.dirname(path) for path in paths])) if paths else Path.cwd()


def _address(path: str, root: Path) -> str:
    """Return where Label Studio's own server gives a local file: the path below its document root, quoted."""
    place = Path(path)
    if root not in place.parents:
        raise SettingsError(f"{path} lies outside of {root}, so Label Studio could not serve it: choose another root=.")
    return f"/data/local-files/?d={quote(place.relative_to(root).as_posix(), safe='/')}"
