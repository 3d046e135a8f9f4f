"""`write_export`: one function for every format."""

from __future__ import annotations

from pathlib import Path

from deft.arguments import checked
from deft.data.safe_csv import neutralise
from deft.export.formats import Destination, format_writer
from deft.export.image_files import Link, check_link
from deft.export.output_folder import check_target, new_folder
from deft.export.plan import Plan, Written
from deft.export.stamp import Stamp
from deft.progress import Progress, Silent


@checked
def write_export(
    plan: Plan,
    target: str | Path,
    format: str = "imagefolder",
    *,
    link: Link = "copy",
    root: Path | None = None,
    safe_csv: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Write images and their final labels into a new folder, completely or not at all.

    Where the folder holds this very export already (same images, labels and options, and no file added, gone or of
    another size), nothing is written: a command that was killed can be given again.

    `imagefolder`, `csv`, `parquet` and `hf` hold the images to use, with their final labels, and list what they leave
    out in `left_out.csv`; `cleanlab`, `fiftyone` and `labelstudio` hold all that could be read, with verdict and
    outcome; `patch` holds what changes.

    Args:
        plan: Images, verdicts and outcomes.
        target: New or empty folder, outside of the data.
        format: What to write, a key of `FORMATS`.
        link: How files get into an `imagefolder`.
        root: Document root of Label Studio, for `labelstudio`.
        safe_csv: Whether cells of CSV files that a spreadsheet would run get an apostrophe (`neutral_cell`).
        progress: Told of every image.

    Returns:
        The files to look at, the number of images, what a person should know, and whether all was there already.

    Raises:
        DataError: The folder holds something else or lies inside the data, or nothing is left to write.
        SettingsError: An unknown format, or options that don't fit the images.

    Example:
        >>> write_export(plan_run("run/"), "cleaned/").images  # doctest: +SKIP
        1874
    """
    target, told = Path(target), Silent() if progress is None else progress
    write = format_writer(format)
    check_link(link, plan.images)
    check_target(target, plan.images)
    stamp = Stamp.of(plan, format, link, root, safe_csv=safe_csv)
    there = stamp.find(target)
    if there is not None:
        return there
    with new_folder(target) as folder:
        written = write(plan, Destination(folder, target, link, root, told))
        if safe_csv:
            for table in sorted(folder.rglob("*.csv")):
                neutralise(table)
        stamp.write(folder, written, target)
    return written
