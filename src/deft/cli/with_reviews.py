"""`deft detect RUN --with-reviews`: the same run once more, with what people decided as true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deft.cli.run_folder import check_opens
from deft.errors import DataError, SettingsError

if TYPE_CHECKING:
    from deft.data.images import LabeledImages
    from deft.detectors.base import Detector
    from deft.runs.detection import Detection
    from deft.runs.folder import Source
    from deft.runs.reviewed import Reviewed

ALLOWED = {"data", "out", "with_reviews", "detector", "workers", "device", "resume", "output_format", "fail_on_issues"}
ALLOWED |= {"moved", "quiet"}


@dataclass(frozen=True)
class Again:
    """A run to be judged once more.

    Args:
        run: Its folder.
        source: Where its images come from.
        found: Its verdicts.
        reviewed: Its images with the decided labels.
    """

    run: Path
    source: Source
    found: Detection
    reviewed: Reviewed

    @property
    def images(self) -> LabeledImages:
        """The images with the decided labels."""
        return self.reviewed.images

    def detector(self, device: str) -> Detector:
        """The detector of the run, with its settings."""
        from deft.detectors.registry import detector_from_settings
        from deft.encoders.load import load_encoder

        model = self.found.settings.get("model", "")
        return detector_from_settings(self.found.settings, load_encoder(model, device=device))

    def finish(self, found: Detection, out: Path) -> Detection:
        """Note in the new run where it comes from, and hand on the decisions."""
        from deft.runs.reviewed import hand_on, info

        hand_on(self.run, out)
        return replace(found, info={**found.info, "reviews": info(self.run, self.reviewed)})


def open_again(run: Path, data: str | None, context: typer.Context) -> Again:
    """Open a reviewed run.

    Args:
        run: Its folder.
        data: Where its images are now, if they were moved.
        context: Of the command; options that would change the run's data or settings are refused.

    Raises:
        DataError: It is no run, or nothing was decided in it.
        SettingsError: Another option doesn't go with --with-reviews.
    """
    refuse_options(context)
    check_opens(run, data)
    from deft.runs.decisions import FILE, Decisions
    from deft.runs.folder import Source, open_run
    from deft.runs.reviewed import apply_decisions

    found, images = open_run(run, data=data)
    if not (run / FILE).is_file():
        raise DataError(f"{run} holds no decisions ({FILE}). Make some first: deft review {run}")
    with Decisions(run) as log:
        reviewed = apply_decisions(images, log.history())
    source = Source.load(run)
    return Again(run, source if data is None else replace(source, data=data), found, reviewed)


def refuse_options(context: typer.Context) -> None:
    """Refuse options that would change what --with-reviews takes from the run.

    Raises:
        SettingsError: One was given.
    """
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if name not in ALLOWED and source is not None and source.name == "COMMANDLINE":
            raise SettingsError(
                f"--with-reviews takes data and settings from the run; {option.opts[0]} can't be given with it."
            )
