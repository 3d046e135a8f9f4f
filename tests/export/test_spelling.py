"""Labels leave as they came: own spelling, own numbers, own blanks; only what is changed is written anew."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.export.conftest import judge

from deft.data.load import load_images
from deft.export.apply import apply_patch, write_applied
from deft.export.patch import Patch, make_patch
from deft.export.plan import Plan
from deft.export.write import write_export
from deft.progress import Silent
from deft.runs.outcomes import decide

QUIET = Silent()
NAMES = ["cat", "dog"]


def cells(path: Path, column: str = "label") -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[column] for row in csv.DictReader(file)]


def write(path: Path, labels: list[str]) -> Path:
    names = [f"{name}/{number}.png" for name in NAMES for number in range(3)]
    lines = [f"{name},{label}" for name, label in zip(names, labels, strict=True)]
    path.write_text("\n".join(["file_name,label", *lines]) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "classes", "changed"),
    [
        (["0", "0", "0", "1", "1", "1"], NAMES, "1"),
        (["1", "1", "1", "2", "2", "2"], NAMES, "2"),
        (["0.0", "0.0", "0.0", "1.0", "1.0", ""], NAMES, "1.0"),
        ([" cat", "cat", "cat ", "dog", "dog", "NaN"], None, "dog"),
        (["001.Big_Cat", "001.Big_Cat", "001.Big_Cat", "002.Dog", "002.Dog", "002.Dog"], None, "002.Dog"),
        (["Cat", "cat", "CAT", "dog", "dog", "dog"], NAMES, "dog"),
        (["1", "01", "1", "001", "001", "001"], None, "001"),
    ],
)
def test_a_patch_changes_the_rows_that_it_names_and_no_other_cell(
    photos: Path, tmp_path: Path, labels: list[str], classes: list[str] | None, changed: str
) -> None:
    images = load_images(write(photos / "labels.csv", labels), classes=classes)
    last = int(images.labels[4])
    plan = Plan(images, judge(images, {0: last}), decide(judge(images, {0: last}), {}, fix="relabel"))
    make_patch(plan, QUIET).save(tmp_path / "patch.json")
    applied = apply_patch(Patch.load(tmp_path / "patch.json"), images, QUIET)
    write_applied(images, applied.labels, photos / "applied.csv")
    assert cells(photos / "applied.csv") == [changed, *labels[1:]]
    written = write_export(plan, tmp_path / "out", "csv")
    usable = [label for label in [changed, *labels[1:]] if label.strip() not in ("", "NaN")]
    assert cells(tmp_path / "out" / written.files[0]) == usable
    assert cells(tmp_path / "out" / written.files[0], "label_before")[0] == labels[0]


def test_numbers_in_parquet_stay_numbers(photos: Path, tmp_path: Path) -> None:
    names = [f"{name}/{number}.png" for name in NAMES for number in range(3)]
    table: Any = pa.table({"file_name": names, "label": pa.array([0, 0, 0, 1, 1, 1], pa.int64())})
    pq.write_table(table, photos / "labels.parquet")
    images = load_images(photos / "labels.parquet", classes=NAMES)
    assert images.classes == ("cat", "dog")
    plan = Plan(images, judge(images, {0: 1}), decide(judge(images, {0: 1}), {}, fix="relabel"))
    applied = apply_patch(make_patch(plan, QUIET), images, QUIET)
    write_applied(images, applied.labels, photos / "applied.parquet")
    again = pq.read_table(photos / "applied.parquet")
    assert again["label"].to_pylist() == [1, 0, 0, 1, 1, 1]
    assert again["label"].type == pa.int64()
