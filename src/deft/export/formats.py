"""The export formats by name; each is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from deft.homes import look_up
from deft.progress import Progress

if TYPE_CHECKING:
    from deft.export.image_files import Link
    from deft.export.plan import Plan, Written

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "imagefolder": "deft.export.imagefolder:write_imagefolder",
        "csv": "deft.export.tables:write_csv",
        "parquet": "deft.export.tables:write_parquet",
        "hf": "deft.export.tables:write_dataset",
        "cleanlab": "deft.export.tables:write_issues",
        "fiftyone": "deft.export.fiftyone:write_fiftyone",
        "labelstudio": "deft.export.labelstudio:write_labelstudio",
        "patch": "deft.export.patch:write_patch",
    }
)
"""Name to `module:function`; the function takes a plan and a destination."""


@dataclass(frozen=True)
class Destination:
    """Where an export goes, and how.

    Args:
        folder: Where to write now; empty.
        target: Where the folder will lie.
        link: How files get into an `imagefolder`.
        root: Document root of Label Studio, for `labelstudio`.
        progress: Told of every image.
    """

    folder: Path
    target: Path
    link: Link
    root: Path | None
    progress: Progress


def format_writer(name: str) -> Callable[[Plan, Destination], Written]:
    """Return what writes a format.

    Args:
        name: A key of `FORMATS`.

    Raises:
        SettingsError: There is no format of that name.
    """
    writer: Callable[[Plan, Destination], Written] = look_up(FORMATS, "format", name)
    return writer
