"""Odd inputs as people have them: each is read as meant, or said."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deft.data.labels import read_labels
from deft.data.load import load_images
from deft.data.name_files import read_names
from deft.errors import DataError

Paint = Callable[..., Path]
FILES = ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
CATS_AND_DOGS = ["cat", "cat", "dog", "dog"]


def given(path: Path, **options: Any) -> list[str | None]:
    return load_images(path, **options).given_names()


def table(root: Path, lines: str, name: str = "l.csv", encoding: str = "utf-8") -> Path:
    (root / name).write_bytes(lines.encode(encoding))
    return root / name


@pytest.mark.parametrize(
    "form",
    [
        '"file_name", "label"\n{0}"%s", "%s"\n',
        "sep=;\nfile_name;label\n{0}%s;%s\n",
        "# made by hand\n# in March\nfile_name,label\n{0}%s,%s\n",
        "#file_name,label\n{0}%s,%s\n",
        "\ufefffile_name;label\r\n{0}%s;%s\r\n",
        "file_name,label,\n{0}%s,%s,\n",
        "file_name,label\n{0}%s,%s\n\x1a",
    ],
)
def test_tables_as_programs_write_them(animals: Path, form: str) -> None:
    header, _, row = form.partition("{0}")
    row, end = row[: row.rindex("\n") + 1], row[row.rindex("\n") + 1 :]
    lines = header + "".join(row % (name, name[:3]) for name in FILES) + end
    options = {"image_column": "#file_name"} if header.startswith("#file") else {}
    assert given(table(animals, lines), **options) == CATS_AND_DOGS


def test_a_label_keeps_its_comma_where_blanks_stand_before_quotes(animals: Path) -> None:
    lines = 'file_name, label\n"cat/0.png", "cat, big"\n"dog/0.png", "dog"\n'
    assert given(table(animals, lines)) == ["cat, big", "dog"]


def test_a_header_that_comes_again_is_no_row_and_said(animals: Path) -> None:
    images = load_images(table(animals, "path,label\ncat/0.png,cat\npath,label\ndog/0.png,dog\n"))
    assert images.given_names() == ["cat", "dog"]
    assert any("repeats its header 1 times" in note for note in images.notes)


def test_letters_of_windows_are_read_and_said(animals: Path, paint: Paint) -> None:
    paint(animals / "caf\u00e9.png")
    lines = "file_name,label\ncaf\u00e9.png,K\u00e4se\ndog/0.png,dog\n"
    images = load_images(table(animals, lines, encoding="cp1252"))
    assert images.given_names() == ["K\u00e4se", "dog"]
    assert images.read_errors == {}
    assert any("isn't UTF-8: it is read as Windows-1252" in note for note in images.notes)


def test_stray_bytes_among_utf_8_stay_and_are_said(animals: Path) -> None:
    data = "file_name,label\ncat/0.png,K\u00e4se\n".encode() + b"dog/0.png,d\xe9j\xe0\n"
    (animals / "l.csv").write_bytes(data)
    images = load_images(animals / "l.csv")
    assert images.given_names() == ["K\u00e4se", "d\\xe9j\\xe0"]
    assert any("bytes that aren't UTF-8" in note for note in images.notes)


def test_numbers_behind_a_path_are_columns_and_never_one_label(animals: Path) -> None:
    lines = "".join(f"{name} {number} 1\n" for number, name in enumerate(FILES))
    with pytest.raises(DataError, match=r"columns are: column 1, column 2, column 3\. Name one with label_column="):
        load_images(table(animals, lines, "l.txt"))
    assert given(animals / "l.txt", label_column="column 2") == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "value",
    [
        {"cat": list(FILES[:2]), "dog": list(FILES[2:])},
        {"cat": list(FILES[:1]) + list(FILES[1:2]), "dog": list(FILES[2:]), "emu": []},
        [[name, name[:3]] for name in FILES],
        {"labels": [[name, name[:3]] for name in FILES]},
        {name: [name[:3]] for name in FILES},
        {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(FILES)],
            "annotations": [{"image_id": number, "category_id": 7 - number // 2} for number in range(4)],
            "categories": [{"id": 7, "name": "cat"}, {"id": 6, "name": "dog"}],
        },
    ],
)
def test_json_as_data_sets_have_it(animals: Path, value: Any) -> None:
    assert given(table(animals, json.dumps(value), "l.json")) == CATS_AND_DOGS


def test_a_file_that_json_names_twice_is_two_rows(animals: Path) -> None:
    lines = '{"cat/0.png": "cat", "cat/0.png": "dog", "dog/0.png": "dog"}'
    images = load_images(table(animals, lines, "l.json"))
    assert images.given_names() == ["cat", "dog", "dog"]
    assert any("with different labels: cat/0.png" in note for note in images.notes)


@pytest.mark.parametrize("name", ["l.json", "l.jsonl"])
def test_a_record_with_a_key_twice_is_refused(animals: Path, name: str) -> None:
    record = '{"image": "cat/0.png", "label": "cat", "label": "dog"}'
    with pytest.raises(DataError, match="has 'label' twice"):
        load_images(table(animals, record if name == "l.jsonl" else f"[{record}]", name))


@pytest.mark.parametrize(
    ("there", "named"),
    [
        ("e\u0301t\u00e9/\u00e9.png", "\u00e9t\u00e9/e\u0301.png"),
        ("Photos/Cat.PNG", "photos/cat.png"),
        ("Photos/Cat.PNG", "C:\\Users\\me\\photos\\cat.png"),
        ("my cat/0 1.png", "my%20cat/0%201.png"),
        ("deep/er/one.png", "one.png"),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_files_under_another_spelling(tmp_path: Path, paint: Paint, there: str, named: str, archived: bool) -> None:
    root = tmp_path / "data"
    paint(root / there)
    paint(root / "other" / "x.png")
    (root / "metadata.csv").write_text(f"file_name,label\n{named},a\nother/x.png,b\n", "utf-8")
    if archived:
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            for path in (path for path in root.rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(root).as_posix())
        root = tmp_path / "data.zip"
    images = load_images(root)
    assert images.given_names() == ["a", "b"]
    assert images.read_errors == {}
    assert len(images.reader.read(0)) > 60


def test_a_name_that_two_files_are_like_takes_neither(tmp_path: Path, paint: Paint) -> None:
    for name in ("A.png", "a.png", "b.png", "x/c.png", "y/c.png"):
        paint(tmp_path / name)
    images = load_images(table(tmp_path, "file_name,label\nA.PNG,a\nb.png,b\nc.png,c\n"))
    assert images.read_errors == {0: "several files fit its name", 2: "several files fit its name"}


def test_addresses_are_refused_and_files_by_address_are_read(animals: Path) -> None:
    lines = "file_name,label\n" + "".join(f"https://example.org/{name},{name[:3]}\n" for name in FILES)
    with pytest.raises(DataError, match=r"they are addresses, .*line 2: https://example.org/cat/0.png\)"):
        load_images(table(animals, lines))
    lines = f"file_name,label\nfile://{animals}/cat/0.png,cat\ns3://b/1.png,cat\ndog/0.png,dog\n"
    images = load_images(table(animals, lines))
    assert images.read_errors == {1: "an address elsewhere (s3://), which isn't read: copy the file here"}


def test_a_long_cell_is_never_echoed_whole(animals: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_images(table(animals, f"file_name,label\n{'iVBOR' * 400},a\n{'/9j/' * 400},b\n"))
    assert len(str(caught.value)) < 800


def test_captions_beside_class_folders_are_no_labels(animals: Path) -> None:
    (animals / "metadata.jsonl").write_text('{"file_name": "cat/0.png", "text": "a cat"}\n')
    images = load_images(animals)
    assert images.classes == ("cat", "dog")
    assert any("metadata.jsonl has no column of labels" in note for note in images.notes)


def test_tables_beside_class_folders_are_named(animals: Path) -> None:
    (animals / "fixed.csv").write_text("file_name,label\ncat/0.png,dog\n")
    assert any("fixed.csv beside the class folders: not read" in note for note in load_images(animals).notes)


def zipped(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"\x89PNG")


def test_a_folder_with_archives(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    zipped(tmp_path / "one" / "set.zip", *FILES)
    assert given(tmp_path / "one") == CATS_AND_DOGS
    (tmp_path / "two").mkdir()
    zipped(tmp_path / "two" / "train.zip", *FILES[:3])
    zipped(tmp_path / "two" / "test.zip", FILES[0], FILES[3])
    images = load_images(tmp_path / "two")
    assert images.split == ("test", "test", "train", "train", "train")
    assert images.file_name[0] == "test.zip/cat/0.png"
    (tmp_path / "three").mkdir()
    zipped(tmp_path / "three" / "cat.zip", "0.png")
    zipped(tmp_path / "three" / "dog.zip", "0.png")
    with pytest.raises(DataError, match=r"archives are read one by one, as .*three/cat\.zip"):
        load_images(tmp_path / "three")


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.", "0.", ""], [1, 0, None]),
        (["1.000000000000000000e+00", "2.500000000000000000e+00"],
         ["1.000000000000000000e+00", "2.500000000000000000e+00"]),
        (["1.000000000000000000e+00", "2.000000000000000000e+01"], [1, 20]),
        (["['cat']", "['dog', 'emu']"], ["cat", None]),
        (["1e5", "2e5"], ["1e5", "2e5"]),
    ],
)  # fmt: skip
def test_cells_as_programs_write_them(cells: list[str], values: list[Any]) -> None:
    assert read_labels(cells).values == values


def test_doubts_about_labels_are_said() -> None:
    assert any(
        "may be several labels in one cell: 'cat dog'" in note for note in read_labels(["cat dog", "cat", "dog"]).notes
    )
    assert any("Labels are fractions (0.25, 0.5" in note for note in read_labels(["0.25", "0.5", "1.5"]).notes)
    assert read_labels(["sea lion", "lion", "0.5"]).notes == ()


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("n.txt", "0 cat\n1 big dog\n", {"0": "cat", "1": "big dog"}),
        ("n.txt", "1: cat\n2: dog\n", {"1": "cat", "2": "dog"}),
        ("n.txt", "cat,0\ndog,1\n", {"0": "cat", "1": "dog"}),
        ("n.txt", "cat\t0\ndog\t1\n", {"0": "cat", "1": "dog"}),
        ("n.txt", "1 001.Crow\n2 002.Jay\n", {"1": "001.Crow", "2": "002.Jay"}),
        ("n.txt", "1 euro\n2 euro\n", ["1 euro", "2 euro"]),
        ("n.txt", "7 up\n3 musketeers\n", ["7 up", "3 musketeers"]),
        ("n.txt", "Boeing 0\nBoeing 1\n", ["Boeing 0", "Boeing 1"]),
        ("n.json", '{"cat": 0, "dog": 1}', {"0": "cat", "1": "dog"}),
    ],
)
def test_numbers_in_files_of_names(tmp_path: Path, name: str, text: str, found: Any) -> None:
    (tmp_path / name).write_text(text)
    assert read_names(tmp_path / name) == found


def test_label2id_is_a_list_of_classes(animals: Path) -> None:
    lines = "file_name,label\ncat/0.png,0\ndog/0.png,1\n"
    assert given(table(animals, lines), classes={"cat": 0, "dog": 1}) == ["cat", "dog"]


def test_categories_of_pandas_keep_their_order_in_parquet(animals: Path) -> None:
    kinds = pd.Categorical(["dog", "cat", None], categories=["dog", "emu", "cat"])
    pd.DataFrame({"file_name": FILES[:3], "label": kinds}).to_parquet(animals / "l.parquet")
    images = load_images(animals / "l.parquet")
    assert images.classes == ("dog", "emu", "cat")
    assert images.given_names() == ["dog", "cat", None]
