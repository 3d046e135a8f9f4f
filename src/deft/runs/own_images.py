"""A run whose images were in memory keeps copies of them, so that it can be opened like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from deft.data.image_bytes import image_file
from deft.data.images import LabeledImages
from deft.data.readers import ImageError
from deft.files import replace_file
from deft.runs.source import OWN, RUN, Source

if TYPE_CHECKING:
    from deft.runs.detection import Detection

IMAGES = OWN.removeprefix("run:")
_PIECE = 256
_SCHEMA = pa.schema([("image", pa.binary()), ("label", pa.string())])


def with_source(found: Detection, folder: Path) -> tuple[str, ...] | None:
    """Write into a run folder where its images are, or, where that is nowhere, copies of them.

    Args:
        found: The verdicts, with their images if they are at hand; without them nothing is written.
        folder: Of the run; what stands there of its images already stays.

    Returns:
        The contents of the images as the run finds them again, (N,), where they are known.
    """
    images = found.images
    if images is None or (folder / RUN).is_file():
        return found.content
    source = Source.of(images)
    if source is not None:
        source.save(folder)
        return found.content
    with replace_file(folder / IMAGES) as temporary, pq.ParquetWriter(temporary, _SCHEMA) as writer:
        for piece in _pieces(images):
            writer.write_table(piece)
    Source(OWN, image_column="image", label_column="label").save(folder)
    return Source.load(folder).open().content_id


def _pieces(images: LabeledImages) -> Iterator[pa.Table]:
    names = images.given_names()
    for start in range(0, len(images), _PIECE):
        rows = range(start, min(start + _PIECE, len(images)))
        columns = {"image": [_file(images, row) for row in rows], "label": [names[row] for row in rows]}
        yield pa.table(columns, schema=_SCHEMA)


def _file(images: LabeledImages, row: int) -> bytes | None:
    try:
        return image_file(images, row)
    except ImageError:
        return None
