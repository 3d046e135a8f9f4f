"""Data sets in Hugging Face's own form: saved to a folder, or pushed to the Hub."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deft.data.image_bytes import image_file
from deft.data.images import LabeledImages
from deft.data.readers import ImageError, one_line
from deft.errors import DataError, SettingsError
from deft.progress import Progress

_SPLIT = re.compile(r"\w+(?:\.\w+)*")  # what datasets takes as the name of a split
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def save_dataset(
    images: LabeledImages, labels: Sequence[str], classes: Sequence[str], folder: Path, progress: Progress, **notes: Any
) -> dict[int, str]:
    """Write what `datasets.load_from_disk` reads, with the images inside; a `DatasetDict` where there are splits.

    Args:
        images: The images.
        labels: Label of each.
        classes: Names of all classes.
        folder: Where; empty.
        progress: Told of every image.
        notes: More columns, one value per image.

    Returns:
        Row to reason, of the images that can't be read; they are left out.
    """
    import datasets

    features = _features(classes, notes)
    failures: dict[int, str] = {}
    scratch = folder / ".arrow"
    scratch.mkdir()
    with _quiet():
        parts: dict[str | None, Any] = {}
        for split, rows in _splits(images).items():
            path = scratch / f"{len(parts)}.arrow"
            _write_arrow(path, features, progress.track(rows, "Writing images"), (images, labels, notes, failures))
            parts[split] = datasets.Dataset.from_file(str(path))
        whole = parts[None] if None in parts else datasets.DatasetDict(parts)
        whole.save_to_disk(str(folder))
    del whole, parts  # which map the files
    for path in scratch.iterdir():
        path.unlink()
    scratch.rmdir()
    return failures


def push_folder(folder: Path, repository: str, *, private: bool) -> str:
    """Push what `save_dataset` wrote; the address on the Hub.

    Args:
        folder: Where it lies.
        repository: `user/name` on the Hub.
        private: Whether only its owner sees it.

    Raises:
        SettingsError: The name isn't one.
        DataError: It can't be pushed: no network, no login, no right.
    """
    import datasets

    return _push(datasets.load_from_disk(str(folder)), repository, private)


def push_table(table: pd.DataFrame, repository: str, *, private: bool) -> str:
    """Push a table without images; the address on the Hub.

    Args:
        table: What to push.
        repository: `user/name` on the Hub.
        private: Whether only its owner sees it.

    Raises:
        SettingsError: The name isn't one.
        DataError: It can't be pushed: no network, no login, no right.
    """
    import datasets

    return _push(datasets.Dataset.from_pandas(table, preserve_index=False), repository, private)


def check_repository(repository: str) -> None:
    """Refuse what can't be a data set's name on the Hub.

    Raises:
        SettingsError: It isn't `user/name`.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise SettingsError(f"A data set of the Hugging Face Hub is called user/name, not {repository!r}.")


def _push(dataset: Any, repository: str, private: bool) -> str:
    check_repository(repository)
    try:
        with _quiet():
            dataset.push_to_hub(repository, private=private)
    except Exception as error:  # the library, the network and the Hub's client each raise their own kinds
        raise DataError(
            f"{repository} can't be pushed to the Hugging Face Hub, which takes network and a login "
            f"(hf auth login): {type(error).__name__}, {one_line(error)}"
        ) from error
    return f"https://huggingface.co/datasets/{repository}"


def _features(classes: Sequence[str], notes: Mapping[str, Sequence[Any]]) -> Any:
    import datasets

    kinds = {
        name: datasets.Value("float64" if any(isinstance(value, float) for value in values) else "string")
        for name, values in notes.items()
    }
    return datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(classes)),
            "file_name": datasets.Value("string"),
            **kinds,
        }
    )


def _splits(images: LabeledImages) -> dict[str | None, list[int]]:
    if images.split is None or not all(_SPLIT.fullmatch(name) for name in images.split):
        return {None: list(range(len(images)))}
    parts: dict[str | None, list[int]] = {}
    for row, name in enumerate(images.split):
        parts.setdefault(name, []).append(row)
    return parts


def _write_arrow(
    path: Path,
    features: Any,
    rows: Iterator[int],
    source: tuple[LabeledImages, Sequence[str], Mapping[str, Sequence[Any]], dict[int, str]],
) -> None:
    """Write rows to the disk as they come, so memory stays small and nothing lands in the library's cache."""
    from datasets.arrow_writer import ArrowWriter

    images, labels, notes, failures = source
    with ArrowWriter(features=features, path=str(path), writer_batch_size=256) as writer:
        for row in rows:
            try:
                content = image_file(images, row)
            except ImageError as error:
                failures[row] = str(error)
                continue
            cells = {
                "image": {"bytes": content, "path": images.file_name[row]},
                "label": labels[row],
                "file_name": images.file_name[row],
                **{name: values[row] for name, values in notes.items()},
            }
            writer.write(features.encode_example(cells))
        writer.finalize()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress bars that the library draws itself, on whatever terminal there is."""
    import datasets

    was_on = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if was_on:
            datasets.enable_progress_bars()
