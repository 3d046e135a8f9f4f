"""Tables of images and labels that `load_images` reads again: paths in CSV or Parquet, or the images' own bytes."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deft.data.image_bytes import image_file
from deft.data.images import LabeledImages
from deft.data.readers import FileReader, ImageError, show_path
from deft.errors import DataError, SettingsError

CHUNK = 256  # images in memory at once
ENDINGS = (".csv", ".parquet")

Cells = Mapping[str, Sequence[Any]]


def write_label_table(path: Path, target: Path, images: LabeledImages, columns: Cells) -> None:
    """Write one row per image: the image or its path, then the columns.

    Args:
        path: Where to write now.
        target: Where the file will lie; its ending says the format, and paths are relative to its folder where the
            images lie below it, else absolute.
        images: What the rows are about.
        columns: Name to values, one per image: text, whole numbers, fractions or None.

    Raises:
        SettingsError: The ending is neither .csv nor .parquet, or a CSV is asked for images that are no files.
        DataError: The name of an image is not UTF-8.
    """
    ending = target.suffix.lower()
    if ending not in ENDINGS:
        raise SettingsError(f"{target} must end in .csv or .parquet.")
    if isinstance(images.reader, FileReader):
        write_columns(path, ending, {"file_name": image_paths(images, target.parent), **columns})
    elif ending == ".parquet":
        _write_bytes(path, images, columns)
    else:
        raise SettingsError(
            f"These images are not files but lie inside {images.reader.describe(int(images.rows[0]))} and the like, "
            "which a CSV can't hold: choose .parquet."
        )


def write_columns(path: Path, ending: str, columns: Cells) -> None:
    """Write columns of equal length as CSV or Parquet.

    Args:
        path: Where to write.
        ending: ".csv" or ".parquet".
        columns: Name to values.
    """
    if ending == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({name: _arrow(values) for name, values in columns.items()}), path)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def image_paths(images: LabeledImages, folder: Path) -> list[str]:
    """Return the path of each image: relative to a folder where it lies below it, else absolute.

    Raises:
        DataError: A name is not UTF-8, so no table can hold it.
    """
    assert isinstance(images.reader, FileReader)
    base = folder.expanduser().resolve()
    paths = images.reader.paths
    return [_path_from(paths[row], base) for row in images.rows.tolist()]


def _path_from(path: str, folder: Path) -> str:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"The name of {show_path(path)} is not UTF-8, so no table can hold it. Rename the file."
        ) from error
    place = Path(path).absolute()
    resolved = place.parent.resolve() / place.name
    return os.fspath(resolved.relative_to(folder) if folder in resolved.parents else place)


def _arrow(values: Sequence[Any]) -> Any:
    import pyarrow as pa

    known = {type(value) for value in values if value is not None}
    if str in known and len(known) > 1:  # a class that only reviewers named, among numbers
        values = [None if value is None else str(value) for value in values]
    return pa.array(values) if known else pa.array(values, pa.string())


def _write_bytes(path: Path, images: LabeledImages, columns: Cells) -> None:
    """Copy the images into a Parquet file as Hugging Face writes them, some rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rest = pa.table({name: _arrow(values) for name, values in columns.items()})
    schema = pa.schema([("image", kind), *rest.schema], metadata={"huggingface": _features(rest.schema)})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(images), CHUNK):
            rows = range(start, min(start + CHUNK, len(images)))
            chunk = pa.array(list(_cells(images, rows)), kind)
            part = rest.slice(start, len(rows))
            writer.write_table(pa.table([chunk, *part.columns], schema=schema))


def _features(schema: Any) -> str:
    """Return what tells Hugging Face's reader that the first column holds images."""
    kinds = {"double": "float64"}
    values = {one.name: {"dtype": kinds.get(str(one.type), str(one.type)), "_type": "Value"} for one in schema}
    return json.dumps({"info": {"features": {"image": {"_type": "Image"}, **values}}})


def _cells(images: LabeledImages, rows: range) -> Iterator[dict[str, Any]]:
    for row in rows:
        try:
            content = image_file(images, row)
        except ImageError:
            content = b""  # the row stays, and is read as unreadable again
        yield {"bytes": content, "path": images.file_name[row]}
