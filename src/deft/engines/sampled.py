"""A detector that learns from a sample of much data, in the folder of the verdicts on all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deft.data.images import LabeledImages
from deft.detectors.deft import DeFT
from deft.detectors.deft_trained import CONFIG
from deft.engines.ledger import DETECTOR, SAMPLE, names_that_differ, refuse_other_content
from deft.errors import DataError
from deft.files import parse_json, replace_file, strict_json
from deft.runs.lock import only_writer
from deft.training.workspace import Workspace


def learned_from_sample(
    detector: DeFT, images: Callable[[], LabeledImages], output: Path, workspace: Workspace
) -> Path:
    """Return the folder of a detector that learned from a sample of images; what has learned there before is taken.

    Only the sample is decoded and judged here. Its images are drawn as `deft detect --sample` draws them, class by
    class by what they show and by the seed (`Stratified`).

    Args:
        detector: Says how to learn, and from how many images (`learn_from`).
        images: Finds the images, if they are needed.
        output: Folder for the verdicts, in which the detector is kept as `detector`.
        workspace: How to run.

    Raises:
        DataError: The folder holds something else, or what learned in another way.

    Example:
        >>> detector = DeFT(encoder, learn_from=Stratified(50_000))  # doctest: +SKIP
        >>> learned = learned_from_sample(detector, source.open, output, Workspace())  # doctest: +SKIP
        >>> score(source, output, learned, engine=RayEngine())  # doctest: +SKIP
    """
    settings, folder = output / SAMPLE, output / DETECTOR
    with only_writer(output):
        if settings.is_file():
            _compare(settings, detector)
        else:
            refuse_other_content(output)
            with replace_file(settings) as temporary:
                temporary.write_text(strict_json(detector.settings()), encoding="utf-8")
        if not (folder / CONFIG).is_file():
            found = images()
            rows = np.setdiff1d(np.flatnonzero(found.labels >= 0), np.array(list(found.read_errors), dtype=np.int64))
            drawn = detector.learn_from.draw(rows, found.labels, found.content_id, found.trusted, detector.seed)
            detector.fit(found.keep(drawn), workspace=workspace).save_pretrained(folder)
    return folder


def _compare(path: Path, detector: DeFT) -> None:
    """Refuse a folder whose detector learns in another way than is asked for now."""
    differ = sorted(names_that_differ(path, parse_json(strict_json(detector.settings()))))
    if differ:
        raise DataError(
            f"{path.parent} is scored by what learned with another {' and '.join(differ)}. Repeat the first command's "
            "options to go on, or choose another folder."
        )
