"""What goes in comes out with its spelling, order and count: generated layouts and tables."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deft.data.delimited import read_delimited
from deft.data.labels import MISSING
from deft.data.load import load_images
from deft.data.names import class_order
from deft.data.splits import CONTAINERS, UNLABELLED, is_split
from deft.data.tree import DROPPINGS, THUMBNAILS

QUOTE = '"'
PICTURE = b"\x89PNG"  # nothing is decoded
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/\\\x85")
RESERVED = CONTAINERS | UNLABELLED | DROPPINGS | THUMBNAILS


def is_plain(name: str) -> bool:
    """Whether a folder's name stands for nothing but itself."""
    return not name.startswith(".") and name.casefold() not in RESERVED and not is_split(name)


FOLDERS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=10),
    st.sampled_from(
        ["1", "01", "001", "-1", "A", "a", "n02012849", "001.Crow", "golden_retriever", "0.5L bottle", "2.0_TDI", "nan",
         "None", "cat|dog", "cat", "dog", " cat", "cafe\u0301", "caf\u00e9", "T-shirt", "#1", "100%", "a,b", "'", '"'],
    ),
).filter(is_plain)  # fmt: skip
CLASSES = st.dictionaries(FOLDERS, st.integers(1, 3), min_size=2, max_size=6)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def files(classes: dict[str, int]) -> dict[str, str]:
    """Path to class, of so many images of each."""
    return {f"{name}/{number}.png": name for name, count in classes.items() for number in range(count)}


def store(root: Path, names: list[str], kind: str) -> Path:
    """Put empty pictures where they belong, in a folder or in an archive."""
    if kind == "folder":
        for name in names:
            (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "data" / name).write_bytes(PICTURE)
        return root / "data"
    path = root / f"data.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, PICTURE)
        return path
    (root / "picture").write_bytes(PICTURE)
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.add(root / "picture", name)
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@given(classes=CLASSES, around=st.sampled_from(["", "photos/", "images/"]), splits=st.booleans())
@SLOW
def test_folders_keep_every_name_and_image(
    tmp_path_factory: pytest.TempPathFactory, kind: str, classes: dict[str, int], around: str, splits: bool
) -> None:
    given_files = files(classes)
    parts = ("train/", "test/") if splits else ("",)
    names = [f"{around}{part}{name}" for part in parts for name in given_files]
    images = load_images(store(tmp_path_factory.mktemp("in"), names, kind))
    assert Counter(images.file_name) == Counter(names)
    assert images.classes == class_order(classes)
    for name, label in zip(images.file_name, images.given_names(), strict=True):
        assert label == name.split("/")[-2]
    assert images.read_errors == {}
    assert images.skipped == {}


CELLS = st.text(LETTERS, min_size=1, max_size=8).map(str.strip).filter(lambda text: text and text not in MISSING)


def is_one(labels: list[str]) -> bool:
    """Whether no cell reads as a list or a float, or as several of the others."""
    return not any(set("|;,[.") & set(label) for label in labels)


@given(labels=st.lists(CELLS, min_size=2, max_size=12).filter(lambda labels: len(set(labels)) > 1 and is_one(labels)))
@pytest.mark.parametrize(
    "form", ["csv", "tsv", "semicolon", "utf-16", "json", "jsonl", "parquet", "columns", "pairs", "files by label"]
)
@SLOW
def test_tables_keep_every_cell_in_order(
    tmp_path_factory: pytest.TempPathFactory, form: str, labels: list[str]
) -> None:
    root = tmp_path_factory.mktemp("table")
    names = [f"{number}.png" for number in range(len(labels))]
    for name in names:
        (root / name).write_bytes(PICTURE)
    images = load_images(write(root, form, names, labels))
    assert images.file_name == tuple(names)
    assert images.given_names() == labels
    assert images.classes == class_order(labels)
    assert images.spelt(images.given_names()) == ([[label] for label in labels] if form == "files by label" else labels)
    assert images.read_errors == {}


def write(root: Path, form: str, names: list[str], labels: list[str]) -> Path:
    rows = list(zip(names, labels, strict=True))
    marks = {"csv": ",", "tsv": "\t", "semicolon": ";"}
    if form in marks:
        mark = marks[form]
        texts = [f"file_name{mark}label"]
        texts += [
            f'{name}{mark}"{label}"' for name, label in ((name, label.replace('"', '""')) for name, label in rows)
        ]
        path = root / "t.csv"
        path.write_text("\n".join(texts) + "\n", "utf-8", newline="")
        return path
    if form == "utf-16":
        lines = "".join(f'{name}\t"{label.replace(QUOTE, 2 * QUOTE)}"\r\n' for name, label in rows)
        (root / "t.csv").write_bytes(f"path\tclass\r\n{lines}".encode("utf-16"))
        return root / "t.csv"
    if form == "parquet":
        pq.write_table(pa.table({"file_name": names, "label": labels}), root / "t.parquet")
        return root / "t.parquet"
    records = [{"file_name": name, "label": label} for name, label in rows]
    texts_of: dict[str, Any] = {
        "json": json.dumps(records),
        "jsonl": "\n".join(map(json.dumps, records)),
        "columns": json.dumps({"file_name": names, "label": labels}),
        "pairs": json.dumps(rows),
        "files by label": json.dumps({name: [label] for name, label in rows}),
    }
    path = root / ("t.jsonl" if form == "jsonl" else "t.json")
    path.write_text(texts_of[form], "utf-8")
    return path


@given(st.lists(st.lists(st.text(LETTERS, max_size=6), min_size=3, max_size=3), min_size=1, max_size=20))
def test_a_header_with_known_names_is_enough_to_find_the_mark(rows: list[list[str]]) -> None:
    for mark in (",", ";", "\t", "|"):
        quoted = [mark.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
        data = "\n".join([mark.join(("path", "label", "note")), *quoted]).encode()
        table = read_delimited("t.csv", data)
        wanted = [row for row in rows if any(cell.strip() for cell in row)]
        assert [list(cells) for cells in zip(*table.values.values(), strict=True)] == wanted
