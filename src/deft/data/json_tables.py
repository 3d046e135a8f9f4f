"""Tables in JSON: records, columns, a mapping of files to labels, and the exports of FiftyOne and Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deft.data.columns import known_columns
from deft.data.delimited import as_text
from deft.data.endings import is_image
from deft.data.table import Table, from_records
from deft.errors import DataError
from deft.files import parse_json

IMAGE, LABEL = "image", "label"


class Pairs(dict[str, Any]):
    """A JSON object that remembers all of its pairs, also where a key comes twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def repeated(record: dict[str, Any]) -> str | None:
    """Return the start of the first key that a JSON object has twice; None where none is."""
    pairs = record.pairs if isinstance(record, Pairs) else []
    if len(pairs) == len(record):
        return None
    seen: set[str] = set()
    return next((key[:40] for key, _ in pairs if key in seen or seen.add(key)), None)  # type: ignore[func-returns-value]


def read_json(source: str, data: bytes) -> Table:
    """Read one JSON value as a table.

    Args:
        source: What the file is called.
        data: Its content.

    Raises:
        DataError: It isn't JSON, or its form isn't one of `FORMS`.
    """
    text, notes = as_text(source, data)
    try:
        value = parse_json(text, pairs=Pairs)
    except ValueError as error:
        if text.count("\n") and _starts_with_object(text):
            return read_json_lines(source, data)
        raise DataError(f"{source} isn't JSON: {error}.") from error
    twice = next((key for record in _objects(value) if (key := repeated(record)) is not None), None)
    if twice is not None:
        raise DataError(f"{source} has '{twice}' twice in one object.")
    for form in FORMS:
        table = form(value)
        if table is not None:
            table.notes += notes
            return table
    raise DataError(
        f"{source} is JSON of a form that isn't known: {_shape(value)}. Known are a list of records, file names "
        "with labels as a mapping or in pairs, files by label, columns, COCO's form, and the exports of FiftyOne and "
        "Label Studio."
    )


def read_json_lines(source: str, data: bytes) -> Table:
    """Read one JSON object a line; a file that is one list of them is read as such.

    Raises:
        DataError: A line isn't one; with its number.
    """
    text, notes = as_text(source, data)
    if text.lstrip().startswith("[") and not _list_in_line(text):
        return read_json(source, data)
    records: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = parse_json(line, pairs=Pairs)
        except ValueError as error:
            raise DataError(f"Line {number} of {source} isn't JSON: {error}.") from error
        if not isinstance(record, dict):
            raise DataError(f"Line {number} of {source} isn't a JSON object.")
        if repeated(record):
            raise DataError(f"Line {number} of {source} has '{repeated(record)}' twice.")
        records.append(record)
        lines.append(number)
    table = from_records(records, lines)
    table.notes += notes
    return table


def _label_studio(value: Any) -> Table | None:
    """Read Label Studio's tasks: `data` with the image, `annotations` with choices."""
    if not _records(value) or not all(isinstance(task.get("data"), dict) for task in value):
        return None
    records = []
    for task in value:
        about = {name: cell for name, cell in task["data"].items() if isinstance(cell, str | int | float | None)}
        address = about.pop(IMAGE, None) or next((cell for cell in about.values() if _is_address(cell)), None)
        records.append({**about, IMAGE: _without_root(address), LABEL: _choices(task)})
    return from_records(records)


def _choices(task: Mapping[str, Any]) -> list[str] | None:
    """Return all different choices that people made of a task; None where there are none."""
    found: dict[str, None] = {}
    for annotation in task.get("annotations") or task.get("completions") or []:
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            for part in annotation.get("result") or []:
                if isinstance(part, dict) and part.get("type") == "choices":
                    found |= dict.fromkeys(map(str, part.get("value", {}).get("choices", [])))
    return list(found) or None


def _is_address(cell: Any) -> bool:
    return isinstance(cell, str) and ("/" in cell or "." in cell)


def _without_root(address: Any) -> Any:
    """Return the address of an uploaded file without what is the same for all; others stay as they are."""
    return address.removeprefix("/data/") if str(address).startswith("/data/upload/") else address


def _fiftyone_samples(value: Any) -> Table | None:
    """Read FiftyOne's `samples.json`: the given label is the field `ground_truth`, or the only one of its kind."""
    samples = value.get("samples") if isinstance(value, dict) else None
    if not samples or not _records(samples) or not all("filepath" in sample for sample in samples):
        return None
    records = []
    for sample in samples:
        record = {"filepath": sample["filepath"]}
        for name, cell in sample.items():
            if isinstance(cell, dict) and cell.get("_cls") == "Classification":
                record[name] = cell.get("label")
        records.append(record)
    table = from_records(records)
    fields = [name for name in table.columns if name != "filepath"]
    label = "ground_truth" if "ground_truth" in fields else fields[0] if len(fields) == 1 else None
    table.likely = ("filepath", label)
    return table


def _coco(value: Any) -> Table | None:
    """Read COCO's form, as iNaturalist has it: images, categories, and annotations that join them."""
    names = ("images", "annotations", "categories")
    if not isinstance(value, dict) or not all(_records(value.get(name)) for name in names):
        return None
    images, annotations, categories = (value[name] for name in names)
    if not all("id" in one and "file_name" in one for one in images) or not all("id" in one for one in categories):
        return None
    place = {str(one["id"]): number for number, one in enumerate(categories)}
    labels: dict[str, dict[int, None]] = {}
    for one in annotations:
        category = str(one.get("category_id"))
        if category in place:
            labels.setdefault(str(one.get("image_id")), {})[place[category]] = None
    table = _pairs_table([(one["file_name"], list(labels.get(str(one["id"]), ()))) for one in images])
    table.names = [str(one.get("name", one["id"])) for one in categories]
    return table


def _fiftyone_labels(value: Any) -> Table | None:
    """Read FiftyOne's `labels.json` beside a folder `data`: labels by file name without its ending."""
    if not isinstance(value, dict) or not isinstance(value.get("labels"), dict) or "classes" not in value:
        return None
    classes = value["classes"]
    names = [str(name) for name in classes] if isinstance(classes, list) else None
    records = []
    for name, cell in value["labels"].items():
        label = cell.get("label") if isinstance(cell, dict) else cell
        if isinstance(label, int) and names is not None and 0 <= label < len(names):
            label = names[label]
        records.append({IMAGE: name, LABEL: label})
    table = from_records(records)
    table.below = ("data",)
    table.names = names
    return table


def _columns(value: Any) -> Table | None:
    """Read a mapping of column names to lists of equal length."""
    if not isinstance(value, dict) or not value or not all(isinstance(cells, list) for cells in value.values()):
        return None
    if len({len(cells) for cells in value.values()}) != 1:
        return None
    return Table(list(value), dict(value))


def _labels_by_file(value: Any) -> Table | None:
    """Read a mapping of file names to labels; a name that comes twice is two rows."""
    if not isinstance(value, Pairs) or not value:
        return None
    if not all(isinstance(label, str | int | float | None) for _, label in value.pairs):
        return None
    return _pairs_table(value.pairs)


def _files_by_label(value: Any) -> Table | None:
    """Read a mapping of labels to lists of file names, or of file names to lists of labels."""
    if not isinstance(value, Pairs) or not value or not all(isinstance(cells, list) for _, cells in value.pairs):
        return None
    if all(is_image(name) for name in value):
        return _pairs_table(value.pairs)
    if not all(isinstance(cell, str) and is_image(cell) for _, cells in value.pairs for cell in cells):
        return None
    if known_columns(list(value)) or not any(cells for _, cells in value.pairs):
        return None
    return _pairs_table([(cell, label) for label, cells in value.pairs for cell in cells])


def _pairs(value: Any) -> Table | None:
    """Read a list of file names with their labels, by itself or as the only part of an object."""
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in value):
        return None
    return _pairs_table(value) if any(is_image(name) for name, _ in value) else None


def _pairs_table(pairs: Sequence[Sequence[Any]]) -> Table:
    return Table([IMAGE, LABEL], {IMAGE: [name for name, _ in pairs], LABEL: [label for _, label in pairs]})


def _flat(value: Any) -> Table | None:
    return from_records(value) if _records(value) else None


def _records_inside(value: Any) -> Table | None:
    """Read an object of which one part alone is a list of records with images and labels."""
    inside = [part for part in value.values() if _records(part)] if isinstance(value, dict) else []
    tables = [from_records(part) for part in inside]
    return tables[0] if len(tables) == 1 and known_columns(tables[0].columns) else None


FORMS: tuple[Callable[[Any], Table | None], ...] = (
    _label_studio,
    _flat,
    _fiftyone_samples,
    _fiftyone_labels,
    _coco,
    _pairs,
    _files_by_label,
    _columns,
    _labels_by_file,
    _records_inside,
)
"""What a JSON file may hold; the first that fits is taken."""


def _records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(record, dict) for record in value)


def _objects(value: Any) -> Sequence[dict[str, Any]]:
    """Return the objects in a list or in an object."""
    found = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return [one for one in found if isinstance(one, dict)]


def _starts_with_object(text: str) -> bool:
    return text.lstrip().startswith("{")


def _list_in_line(text: str) -> bool:
    """Say whether the first line is a whole list, so that the text is no list over several lines or of records."""
    try:
        value = parse_json(text.lstrip().partition("\n")[0])
    except ValueError:
        return False
    return not _records(value)


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:30] for key in list(value)[:8])
        return f"an object with the keys {keys}" if keys else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)} values"
    return f"one {type(value).__name__}"
