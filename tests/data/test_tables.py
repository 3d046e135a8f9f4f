"""Tables in every dress: marks, headers, JSON, exports of other tools, spellings of paths, and what is wrong."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deft.data.load import load_images
from deft.data.parquet import read_value
from deft.errors import DataError

Paint = Callable[..., Path]
ROWS = [("cat/0.png", "a_cat"), ("cat/1.png", "a_cat"), ("dog/0.png", "Dog, big")]


def write(folder: Path, text: str, name: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def check(source: Any, **options: Any) -> None:
    images = load_images(source, **options)
    assert list(zip(images.file_name, images.given_names(), strict=True)) == ROWS
    assert images.read_errors == {}


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", "^", "~", ":", "\x01", "!"])
@pytest.mark.parametrize("header", ["file_name{0}label\n", ""])
def test_any_mark_with_a_header_or_none(animals: Path, mark: str, header: str) -> None:
    lines = [mark.join((name, f'"{label}"' if mark == "," else label)) for name, label in ROWS]
    check(write(animals, header.format(mark) + "\n".join(lines) + "\n", "t.csv"))


@pytest.mark.parametrize("ending", ["txt", "lst"])
@pytest.mark.parametrize("blank", [" ", "   ", "\t"])
def test_lists_of_paths_and_labels(animals: Path, ending: str, blank: str) -> None:
    check(write(animals, "".join(f"{name}{blank}{label}\n" for name, label in ROWS), f"train.{ending}"))


def test_paths_with_blanks_in_a_list(animals: Path, paint: Paint) -> None:
    paint(animals / "my cats" / "no 1.png")
    path = write(animals, "my cats/no 1.png 3\ndog/0.png 7\n", "val.txt")
    images = load_images(path)
    assert images.file_name == ("my cats/no 1.png", "dog/0.png")
    assert images.classes == ("3", "7")


def test_the_first_row_is_never_lost(animals: Path) -> None:
    path = write(animals, "cat/0,cat\ndog/0,dog\n", "t.csv")
    with pytest.raises(DataError, match="if its first line is a row, put a header above it"):
        load_images(path)


def test_a_table_without_a_header_and_many_columns(animals: Path) -> None:
    lines = [f"{number}\t{name}\t{label}\t0.5\n" for number, (name, label) in enumerate(ROWS)]
    check(write(animals, "".join(lines), "t.tsv"))
    lines = [f"{name}\t{label}\tx\n" for name, label in ROWS]
    path = write(animals, "".join(lines), "t.tsv")
    with pytest.raises(DataError, match=r"its columns are: column 1, column 2, column 3\. Name one with label_column="):
        load_images(path)
    check(path, label_column="column 2")


def test_an_index_column_of_pandas_has_no_name(animals: Path) -> None:
    pd.DataFrame(ROWS, columns=["file_name", "label"]).to_csv(animals / "t.csv")
    check(animals / "t.csv")


FORMS: dict[str, Any] = {
    "records": [{"file_name": name, "label": label} for name, label in ROWS],
    "columns": {"file_name": [name for name, _ in ROWS], "label": [label for _, label in ROWS]},
    "mapping": dict(ROWS),
    "label studio": [
        {
            "data": {"image": f"/data/local-files/?d={name}"},
            "annotations": [{"result": [{"type": "choices", "value": {"choices": [label]}}]}],
        }
        for name, label in ROWS
    ],
    "fiftyone": {
        "samples": [
            {"filepath": name, "ground_truth": {"_cls": "Classification", "label": label}} for name, label in ROWS
        ]
    },
    "fiftyone labels": {"classes": ["a_cat", "Dog, big"], "labels": {name: {"label": label} for name, label in ROWS}},
    "fiftyone numbers": {"classes": ["a_cat", "Dog, big"], "labels": dict(zip(dict(ROWS), [0, 0, 1], strict=True))},
}


@pytest.mark.parametrize("form", FORMS)
def test_json_of_many_forms(animals: Path, form: str) -> None:
    check(write(animals, json.dumps(FORMS[form]), "t.json"))


def test_json_that_is_no_table(animals: Path) -> None:
    secret = "S3CR3T" * 1000
    for value in ({"a": {"b": secret}}, [1, 2], 7, {}):
        with pytest.raises(DataError, match="JSON of a form that isn't known") as caught:
            load_images(write(animals, json.dumps(value), "t.json"))
        assert secret not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_several_people_who_disagree_in_label_studio(animals: Path) -> None:
    tasks = FORMS["label studio"]
    second = {"result": [{"type": "choices", "value": {"choices": ["Dog, big"]}}]}
    tasks = [{**tasks[0], "annotations": [*tasks[0]["annotations"], second]}, *tasks[1:]]
    images = load_images(write(animals, json.dumps(tasks), "t.json"))
    assert images.read_errors == {0: "several labels in one cell: a_cat, Dog, big"}


def test_paths_from_windows(animals: Path) -> None:
    for start in ("", "C:\\photos\\", "/home/me/"):
        lines = [f'"{start}{name}";{label}'.replace("/", "\\") for name, label in ROWS]
        images = load_images(write(animals, "path;label\n" + "\n".join(lines), "t.csv"))
        assert images.read_errors == {}
        assert images.labels.tolist() == [1, 1, 0]
        assert any("3 files of" in note and "another spelling" in note for note in images.notes)


@pytest.mark.parametrize(("there", "named"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_from_a_mac(animals: Path, paint: Paint, there: Any, named: Any) -> None:
    paint(animals / unicodedata.normalize(there, "übung/é.png"))
    cell = unicodedata.normalize(named, "übung/é.png")
    images = load_images(write(animals, f"path,label\n{cell},x\ndog/0.png,y\n", "t.csv"))
    assert images.read_errors == {}


def test_ids_without_an_ending(animals: Path) -> None:
    text = "image_id,label\n" + "".join(f'{name[:-4]},"{label}"\n' for name, label in ROWS)
    images = load_images(write(animals, text, "t.csv"))
    assert images.read_errors == {}
    assert images.file_name == ("cat/0", "cat/1", "dog/0")


@pytest.mark.parametrize("column", ["image_id", "id", "Image ID", "image-id", "ImageId"])
def test_bare_ids_of_files_in_folders_below(animals: Path, paint: Paint, column: str) -> None:
    for number in range(4):
        paint(animals / "all" / f"00{number}.png")
    text = f"{column},label\n" + "".join(f"00{number},{'ab'[number % 2]}\n" for number in range(4))
    images = load_images(write(animals, text, "t.csv"))
    assert images.read_errors == {}
    assert list(images.given_names()) == ["a", "b", "a", "b"]
    assert any("found by the bare name" in note for note in images.notes)


def test_names_that_several_files_fit_are_said_with_the_files(animals: Path) -> None:
    with pytest.raises(
        DataError, match=r"2 names of \S+ fit several files.*'0' on line 2 may be \S+cat/0.png, \S+dog/0.png\."
    ):
        load_images(write(animals, "id,label\n0,a\n1,b\n", "t.csv"))


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_an_id_takes_none_of_two_files_that_differ_in_their_endings(animals: Path, paint: Paint, packed: bool) -> None:
    paint(animals / "cat" / "0.jpg")
    table = write(animals, "id,label\ncat/0,a\ncat/1,b\ndog/0,a\n", "metadata.csv")
    if packed:
        with zipfile.ZipFile(animals / "all.zip", "w") as archive:
            for path in (table, *sorted(animals.glob("*/*"))):
                archive.write(path, path.relative_to(animals))
    images = load_images(animals / "all.zip" if packed else table)
    assert images.read_errors == {0: "several files fit its name"}
    assert any("'cat/0' on line 2 may be 0.jpg, 0.png. Write names out." in note for note in images.notes)


def test_a_name_in_another_case_takes_none_of_two_files_that_differ_in_it(animals: Path, paint: Paint) -> None:
    paint(animals / "cat" / "Zoe.png")
    paint(animals / "cat" / "zoe.png")
    images = load_images(write(animals, "file,label\ncat/ZOE.png,a\ncat/1.png,b\nCAT/zoe,a\n", "t.csv"))
    assert images.read_errors == {0: "several files fit its name"}  # the last row spells one of them
    assert any("'cat/ZOE.png' on line 2 may be Zoe.png, zoe.png" in note for note in images.notes)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["csv", "json", "jsonl"])
def test_unicode_in_any_form(animals: Path, encoding: str, ending: str) -> None:
    records = [{"file_name": name, "label": label} for name, label in ROWS]
    text = {
        "csv": "file_name;label\n" + "".join(f"{name};{label}\n" for name, label in ROWS),
        "json": json.dumps(records, ensure_ascii=False),
        "jsonl": "".join(json.dumps(record) + "\n" for record in records),
    }[ending]
    path = animals / f"t.{ending}"
    path.write_bytes(text.encode(encoding))
    check(path)


@pytest.mark.parametrize("header", ["File Name;Label", "file-name; label ", "FileName;Class Name", "IMAGE PATH;CLASS"])
def test_names_of_columns_in_any_spelling(animals: Path, header: str) -> None:
    lines = "".join(f"{name};{label}\n" for name, label in ROWS)
    check(write(animals, f"{header}\n{lines}", "t.csv"))


def test_an_array_in_a_file_of_lines(animals: Path) -> None:
    records = [{"file_name": name, "label": label} for name, label in ROWS]
    check(write(animals, json.dumps(records, indent=1), "t.jsonl"))


def test_records_inside_an_object(animals: Path) -> None:
    records = [{"file_name": name, "label": label} for name, label in ROWS]
    check(write(animals, json.dumps({"version": 1, "data": records, "tags": ["a"]}), "t.json"))


def test_a_list_with_an_index_and_labels_as_floats(animals: Path) -> None:
    rows = [(5, "0.000000", "cat/0.png"), (2, "0.000000", "cat/1.png"), (9, "1.000000", "dog/0.png")]
    images = load_images(write(animals, "".join("\t".join(map(str, row)) + "\n" for row in rows), "t.lst"))
    assert list(images.given_names()) == ["0", "0", "1"]


@pytest.mark.parametrize("start", ["/data/local-files/?d=", "/data/upload/3/0a1b2c3d-", "upload/3/0a1b2c3d-"])
def test_addresses_of_label_studio_in_any_of_its_exports(animals: Path, paint: Paint, start: str) -> None:
    for number in range(3):
        paint(animals / f"im {number}.png")
    names = [f"{start}im%20{number}.png" for number in range(3)]
    rows = list(zip(names, ("cat", "cat", "dog"), strict=True))
    choice = [{"result": [{"type": "choices", "value": {"choices": [label]}}]} for _, label in rows]
    for name, text in {
        "min.json": json.dumps([{"id": 1, "image": name, "choice": label} for name, label in rows]),
        "all.json": json.dumps(
            [{"data": {"image": name}, "annotations": [one]} for (name, _), one in zip(rows, choice, strict=True)]
        ),
        "t.csv": "image,choice\n" + "".join(f"{name},{label}\n" for name, label in rows),
    }.items():
        images = load_images(write(animals, text, name))
        assert images.read_errors == {}
        assert list(images.given_names()) == ["cat", "cat", "dog"]


def test_a_missing_file_is_said_with_its_line_and_one_full_path(animals: Path) -> None:
    images = load_images(write(animals, "path,label\ncat/0.png,a\n\ncat/77.png,b\n", "t.csv"))
    assert images.read_errors == {1: "file not found"}
    said = f"1 of the 2 files that {animals}/t.csv names is not there; the first on line 4: {animals}/cat/77.png."
    assert said in images.notes
    with pytest.raises(DataError, match=r"None of the 2 files .* is there; the first on line 2: /.*/nowhere/1\.png"):
        load_images(write(animals, "path,label\nnowhere/1.png,a\nnowhere/2.png,b\n", "t.csv"))


def test_images_that_a_table_does_not_list_are_counted(animals: Path) -> None:
    write(animals, "file_name,label\ncat/0.png,a\ndog/0.png,b\n", "metadata.csv")
    images = load_images(animals)
    assert images.skipped == {"images that the table doesn't list": 4}
    assert "metadata.csv doesn't list 4 images that lie there; they are left out." in images.notes


def test_several_labels_in_one_cell(animals: Path) -> None:
    images = load_images(write(animals, "path,label\ncat/0.png,cat|dog\ncat/1.png,cat\ndog/0.png,dog\n", "t.csv"))
    assert images.classes == ("cat", "dog")
    assert images.read_errors == {0: "several labels in one cell: cat, dog"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2,3\n", "Line 2 of .* has 3 fields, its first line 2"),
        (b'path,label\n"x.png,cat\n', "Line 2 of .* can't be read"),
        (b"\x89PNG\r\n\x00\x00" + b"\xff" * 500, "isn't text"),
        (b"\xff\xfea\xd8", "isn't whole UTF-16"),
        (b"x" * 100_000, "no mark .* cuts its lines"),
        (b",".join(b"SECRET%d" % n for n in range(5000)), "and 4980 more"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
    ],
)
def test_files_that_are_no_tables(animals: Path, data: bytes, said: str) -> None:
    (animals / "t.csv").write_bytes(data)
    with pytest.raises(DataError, match=said) as caught:
        load_images(animals / "t.csv")
    assert len(str(caught.value)) < 900


def test_data_frames(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(animals)
    frame = pd.DataFrame(ROWS, columns=["path", "label"], index=[7, 3, 9])
    check(frame)
    sizes = pd.Categorical(["big", "small", "big"], categories=["small", "big", "huge"])
    images = load_images(frame.assign(size=sizes), label_column="size")
    assert images.classes == ("small", "big", "huge")
    assert images.labels.tolist() == [1, 0, 1]
    content = [(animals / name).read_bytes() for name, _ in ROWS]
    images = load_images(pd.DataFrame({"image": content, "label": [1.0, 0.0, None]}))
    assert images.classes == ("0", "1")
    assert images.read_errors == {2: "no label"}
    assert images.reader.read(1) == content[1]
    with pytest.raises(DataError, match="not labels="):
        load_images(frame, labels=["a"])


@pytest.mark.parametrize("column", ["split", "Split", " SPLIT "])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_split_of_each_row(animals: Path, column: str, ending: str) -> None:
    table = pd.DataFrame({"path": ["cat/0.png", "dog/0.png"], "label": ["a", "b"], column: ["train", "test"]})
    path = animals / f"t.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    assert load_images(path).split == ("train", "test")


def test_marks_at_the_end_of_rows_are_no_fields(animals: Path) -> None:
    rows = "".join(f'{name},"{label}",\n' for name, label in ROWS)
    check(write(animals, f"file_name,label\n{rows}", "t.csv"))
    with pytest.raises(DataError, match=r"Line 2 of .* has 3 fields, its first line 2"):
        load_images(write(animals, "file_name,label\ncat/0.png,a,b\n", "t.csv"))


def test_a_damaged_piece_of_a_parquet_file_costs_its_rows_and_no_others(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    contents = [rng.bytes(3000) for _ in range(30)]
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table({"image": contents}), path, row_group_size=10, use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    damaged[start : start + 2000] = bytes(2000)
    path.write_bytes(damaged)
    read: list[object] = []
    for row in range(30):
        try:
            read.append(read_value(str(path), "image", row))
        except (OSError, ValueError) as error:
            read.append(error)
    assert read[:10] + read[20:] == contents[:10] + contents[20:]
    assert all(isinstance(one, OSError) and str(one) for one in read[10:20])
    assert read_value(str(path), "image", 3) == contents[3]
