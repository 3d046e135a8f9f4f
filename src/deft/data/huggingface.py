"""Hugging Face data sets: in memory, saved to a folder, in the cache or on the Hub."""

from __future__ import annotations

import os
from typing import Any

from deft.data.assemble import SourceRows
from deft.data.columns import Columns, split_column
from deft.data.names import in_order
from deft.data.readers import DatasetReader, one_line
from deft.errors import DataError
from deft.network import at_once
from deft.progress import Progress


def from_hub(name: str, split: str | None) -> Any:
    """Return the `Dataset` or `DatasetDict` with this id, from the cache where there is no network.

    Raises:
        DataError: It can't be had.
    """
    import datasets

    try:
        with at_once(name):
            return datasets.load_dataset(name, split=split)
    except Exception as error:  # the library, the network and the Hub's client each raise their own kinds
        raise DataError(
            f"'{name}' is no file or folder here, and can't be loaded as a data set of the Hugging Face Hub "
            f"(without network, only from the cache): {type(error).__name__}, {one_line(error)}"
        ) from error


def from_saved(folder: str) -> Any:
    """Return what `save_to_disk` wrote to a folder.

    Raises:
        DataError: It is damaged.
    """
    import datasets

    try:
        return datasets.load_from_disk(folder)
    except Exception as error:
        raise DataError(f"The data set saved in {folder} can't be read: {one_line(error)}.") from error


def is_saved(folder: str) -> bool:
    """Say whether a folder was written by `save_to_disk`."""
    if os.path.isfile(os.path.join(folder, "dataset_dict.json")):
        return True
    return all(os.path.isfile(os.path.join(folder, name)) for name in ("dataset_info.json", "state.json"))


def from_dataset(dataset: Any, name: str, columns: Columns, progress: Progress) -> SourceRows:
    """Read a `Dataset`, or all splits of a `DatasetDict` one after the other.

    Raises:
        DataError: It is streamed, or lacks a column of images or labels.
    """
    import datasets

    split: list[str] | None = None
    if isinstance(dataset, datasets.IterableDataset | datasets.IterableDatasetDict):
        raise DataError(
            f"{name} is streamed ({type(dataset).__name__}), but rows are looked at more than once: load it without "
            "streaming=True, or take some with datasets.Dataset.from_list(list(data.take(1000)))."
        )
    if isinstance(dataset, datasets.DatasetDict):
        split = [part for part, rows in dataset.items() for _ in range(len(rows))]
        dataset = _joined(dataset, name)
    if not isinstance(dataset, datasets.Dataset):
        raise DataError(f"{name} is a {type(dataset).__name__}; expected a datasets.Dataset or DatasetDict.")
    columns = _image_by_type(dataset, columns)
    settled = columns.settle(dataset.column_names, name, progress)
    pictures = _undecoded(dataset, str(settled.image), name)
    labels, names = _labels(dataset, str(settled.label), name)
    part_of = split_column(dataset.column_names)
    if split is None and part_of is not None:
        split = [str(part) for part in dataset[part_of][:]]
    clean: list[Any] | None = None
    if settled.clean is not None:
        clean, others = _labels(dataset, settled.clean, name)
        if others is not None and others != names:
            clean = [None if value is None or value < 0 else others[value] for value in clean]
    ids = [f"{name}#{row}" for row in range(len(dataset))]
    return SourceRows(
        source=name,
        reader=DatasetReader(pictures, str(settled.image), name),
        file_name=_paths(pictures, str(settled.image), ids),
        labels=labels,
        clean=clean,
        split=split,
        names=None if names is None else in_order(names),
    )


def _joined(parts: Any, name: str) -> Any:
    import datasets

    try:
        return datasets.concatenate_datasets(list(parts.values()))
    except ValueError as error:
        there = ", ".join(parts)
        raise DataError(f"The splits of {name} ({there}) have different columns: choose one with split=.") from error


def _image_by_type(dataset: Any, columns: Columns) -> Columns:
    import datasets

    if columns.image is not None:
        return columns
    pictures = [name for name, kind in dataset.features.items() if isinstance(kind, datasets.Image)]
    return Columns(pictures[0], columns.label, columns.clean) if len(pictures) == 1 else columns


def _undecoded(dataset: Any, column: str, name: str) -> Any:
    import datasets

    try:
        only = dataset.with_format(None).select_columns([column])
        return only.cast_column(column, datasets.Image(decode=False))
    except Exception as error:
        raise DataError(
            f"Column '{column}' of {name} holds {dataset.features[column]}, not images: {one_line(error)}."
        ) from error


def _paths(pictures: Any, column: str, ids: list[str]) -> list[str]:
    cells = pictures.data.column(column)
    if pictures._indices is not None:
        cells = cells.take(pictures._indices.column(0))
    found = [value for chunk in cells.chunks for value in chunk.field("path").to_pylist()]
    return [path or name for path, name in zip(found, ids, strict=True)]


def _labels(dataset: Any, column: str, name: str) -> tuple[list[Any], list[str] | None]:
    import datasets

    kind = dataset.features[column]
    values = list(dataset.with_format(None)[column][:])
    if isinstance(kind, datasets.ClassLabel):
        return values, list(kind.names)
    item = getattr(kind, "feature", None)  # of a list of labels
    if isinstance(item, datasets.ClassLabel):
        return [None if cell is None else [item.names[label] for label in cell] for cell in values], list(item.names)
    if isinstance(kind, datasets.Value) or isinstance(item, datasets.Value):
        return values, None
    raise DataError(f"Column '{column}' of {name} holds {kind}; labels must be classes, text or integers.")
