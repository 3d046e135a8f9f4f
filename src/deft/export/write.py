"""`write_export`: one function for every format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from deft.errors import SettingsError
from deft.export.fiftyone import write_fiftyone
from deft.export.image_files import Link, check_link
from deft.export.imagefolder import write_imagefolder
from deft.export.labelstudio import write_labelstudio
from deft.export.output_folder import check_target, new_folder
from deft.export.patch import write_patch
from deft.export.plan import Plan, Written
from deft.export.tables import write_dataset, write_issues, write_table
from deft.progress import Progress, Silent

Format = Literal["imagefolder", "csv", "parquet", "hf", "cleanlab", "fiftyone", "labelstudio", "patch"]


def write_export(
    plan: Plan,
    target: str | Path,
    format: Format = "imagefolder",
    *,
    link: Link = "copy",
    root: Path | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write images and their final labels into a new folder, which is complete or not there.

    `imagefolder`, `csv`, `parquet` and `hf` hold the images to use, with their final labels, and list what they leave
    out in `left_out.csv`; `cleanlab`, `fiftyone` and `labelstudio` hold all that could be read, with verdict and
    outcome; `patch` holds what changes.

    Args:
        plan: Images, verdicts and outcomes.
        target: New or empty folder, outside of the data.
        format: What to write.
        link: How files get into an `imagefolder`.
        root: Document root of Label Studio, for `labelstudio`.
        progress: Told of every image.

    Returns:
        The files to look at, the number of images, and what a person should know.

    Raises:
        DataError: The folder is in use or inside the data, or nothing is left to write.
        SettingsError: An unknown format, or options that don't fit the images.

    Example:
        >>> write_export(plan_run("run/"), "cleaned/").images  # doctest: +SKIP
        1874
    """
    target, told = Path(target), Silent() if progress is None else progress
    check_format(format)
    check_link(link, plan.images)
    check_target(target, plan.images)
    with new_folder(target) as folder:
        return _write(plan, (folder, target), format, link, root, told)


def _write(
    plan: Plan, places: tuple[Path, Path], format: Format, link: Link, root: Path | None, told: Progress
) -> Written:
    folder, target = places
    match format:
        case "imagefolder":
            return write_imagefolder(plan, folder, link, told)
        case "csv" | "parquet":
            return write_table(plan, folder, target, f".{format}")
        case "hf":
            return write_dataset(plan, folder, target, told)
        case "cleanlab":
            return write_issues(plan, folder)
        case "fiftyone":
            return write_fiftyone(plan, folder, target, told)
        case "labelstudio":
            return write_labelstudio(plan, folder, target, root, told)
        case "patch":
            return write_patch(plan, folder, told)


def check_format(format: str) -> None:
    """Refuse an unknown format.

    Raises:
        SettingsError: It is none of `Format`.
    """
    known: Sequence[str] = get_args(Format)
    if format not in known:
        raise SettingsError(f"The format must be one of {', '.join(known)}, not {format!r}.")
