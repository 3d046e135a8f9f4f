"""Every form of source, and every way in which one can be wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from deft.data.images import NO_LABEL
from deft.data.load import load_images
from deft.errors import DataError

Paint = Callable[..., Path]


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_images(source, **options)
    return str(caught.value)


def table(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


# ---- folders ----


def test_folder_of_class_folders(animals: Path) -> None:
    images = load_images(animals)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.file_name == ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png")
    assert images.split is None
    assert images.read_errors == {}
    assert images.reader.read(4) == (animals / "dog/1.png").read_bytes()


def test_nested_files_belong_to_their_class_folder(animals: Path, paint: Paint) -> None:
    paint(animals / "cat" / "2024" / "may" / "x.png")
    images = load_images(str(animals))
    assert images.file_name[0] == "cat/0.png"
    assert "cat/2024/may/x.png" in images.file_name
    assert images.class_counts().tolist() == [4, 3]


def test_splits_are_splits_whatever_lies_beside_them(tmp_path: Path, paint: Paint, heard: Any) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            paint(tmp_path / part / name / "a.png")
    images = load_images(tmp_path)
    assert images.classes == ("cat", "dog")
    assert images.split == ("test", "test", "train", "train")
    assert load_images(tmp_path, split="train").file_name == ("train/cat/a.png", "train/dog/a.png")
    assert "its splits are: test, train" in refusal(tmp_path, split="val")
    paint(tmp_path / "chest_xray" / "train" / "cat" / "a.png")
    beside = load_images(tmp_path, progress=heard)
    assert beside.classes == ("cat", "dog")
    assert beside.skipped == {"images beside the splits": 1}
    assert "'chest_xray' lies beside the splits: its 1 image is left out" in heard


def test_split_of_data_without_splits(animals: Path) -> None:
    assert "has no splits" in refusal(animals, split="train")


def test_empty_folder(tmp_path: Path) -> None:
    assert "which holds nothing: expected one folder per class" in refusal(tmp_path)
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    assert "which holds folders (cat, dog): expected" in refusal(tmp_path)


def test_images_without_class_folders(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "a.png")
    assert "has images but no class folders: give their labels as a table with labels=;" in refusal(tmp_path)


def test_one_class_only(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "cat" / "a.png")
    paint(tmp_path / "cat" / "b.png")
    assert "has one class ('cat'); finding wrong labels takes at least two" in refusal(tmp_path)


def test_class_with_one_image_is_fine_and_said(animals: Path, paint: Paint, heard: Any) -> None:
    paint(animals / "emu" / "a.png")
    assert load_images(animals, progress=heard).class_counts().tolist() == [3, 3, 1]
    assert "Classes with one image only: emu" in heard


def test_class_folder_without_images_is_said(animals: Path, heard: Any) -> None:
    (animals / "emu").mkdir()
    assert load_images(animals, progress=heard).classes == ("cat", "dog")
    assert "Class folders without images, left out: emu" in heard


def test_files_that_are_no_images_are_counted(animals: Path, paint: Paint, heard: Any) -> None:
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "LICENSE"):
        (animals / "cat" / name).write_text("x")
    paint(animals / "loose.png")
    (animals / ".git").mkdir()
    assert len(load_images(animals, progress=heard)) == 6
    kinds = {"hidden": 2, ".txt": 1, "without an ending": 1, "hidden folders": 1}
    kinds["image outside of the class folders"] = 1
    assert load_images(animals).skipped == kinds
    for kind, count in kinds.items():
        assert f"{kind} {count}" in heard


def test_class_folders_that_differ_only_in_case_or_underscore(tmp_path: Path, paint: Paint, heard: Any) -> None:
    for name in ("Golden_Retriever", "golden retriever", "cat"):
        paint(tmp_path / name / "a.png")
    paint(tmp_path / "golden retriever" / "b.png")
    images = load_images(tmp_path, progress=heard)
    assert images.classes == ("Golden_Retriever", "cat", "golden retriever")
    assert images.class_counts().tolist() == [1, 1, 2]
    assert "'Golden_Retriever' and 'golden retriever' as 'golden retriever'. Give it words" in heard
    assert any("'Golden_Retriever'" in note for note in images.notes)
    told = load_images(tmp_path, classes=["cat", "golden retriever"], progress=heard)
    assert told.classes == ("cat", "golden retriever")
    assert told.class_counts().tolist() == [1, 3]
    assert "Read as one class, 'golden retriever'" in heard


@pytest.mark.parametrize(
    "names",
    [
        ("1", "01", "001", "010"),
        ("-1", "1"),
        ("A", "a"),
        ("cardigan", "Cardigan"),
        ("cafe\u0301", "caf\u00e9"),
        ("0.5L bottle", "1.0 litre can", "2.0_TDI", "frog"),
        ("001.Black_footed_Albatross", "002.Laysan_Albatross"),
        ("nan", "None", "cat|dog", "cat", "dog"),
        ("n02012849", "n03126707"),
        (" cat", "cat"),
    ],
)
def test_folder_names_are_class_names(tmp_path: Path, paint: Paint, names: tuple[str, ...]) -> None:
    for count, name in enumerate(names, start=1):
        for number in range(count):
            paint(tmp_path / name / f"{number}.png")
    images = load_images(tmp_path)
    counts = dict(zip(images.classes, images.class_counts().tolist(), strict=True))
    assert counts == {name: count for count, name in enumerate(names, start=1)}
    assert images.read_errors == {}


def test_words_of_ids_are_read_and_the_ids_stay(tmp_path: Path, paint: Paint, heard: Any) -> None:
    for name in ("n02012849", "n03126707", "n01644900"):
        paint(tmp_path / name / "a.png")
    given = {"n02012849": "crane", "n03126707": "crane", "n01644900": "tailed frog", "n00000000": "not here"}
    images = load_images(tmp_path, words=given, progress=heard)
    assert images.classes == ("n01644900", "n02012849", "n03126707")
    assert images.words == ("tailed frog", "crane", "crane")
    assert "'n02012849' and 'n03126707' as 'crane'" in heard
    assert images.label_fingerprint != load_images(tmp_path).label_fingerprint


def test_broken_link_is_a_row_with_an_error(animals: Path) -> None:
    (animals / "cat" / "9.png").symlink_to(animals / "nowhere.png")
    images = load_images(animals)
    assert len(images) == 7
    assert images.read_errors == {3: "broken link"}
    assert images.labels[3] == 0


def test_links_in_a_circle_end(animals: Path) -> None:
    (animals / "cat" / "again").symlink_to(animals / "cat", target_is_directory=True)
    assert len(load_images(animals)) == 6


def test_non_utf8_file_and_class_names_survive(animals: Path) -> None:
    folder = os.fsencode(animals) + b"/caf\xe9"
    os.mkdir(folder)
    data = (animals / "cat" / "0.png").read_bytes()
    with open(folder + b"/\xff.png", "wb") as file:
        file.write(data)
    images = load_images(animals)
    assert images.classes == ("caf\\xe9", "cat", "dog")
    assert images.file_name[0] == "caf\\xe9/\\xff.png"
    images.file_name[0].encode("utf-8")
    row = images.file_name.index("caf\\xe9/\\xff.png")
    assert images.reader.read(row) == data


def test_permission_denied_on_looking(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = os.stat

    def refuse(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).endswith("dog/1.png"):
            raise PermissionError(13, "Permission denied")
        return stat(path, *args, **options)

    monkeypatch.setattr("deft.data.readers.os.stat", refuse)
    assert load_images(animals).read_errors == {4: "permission denied"}


def test_nothing_is_written_into_the_data_folder(animals: Path) -> None:
    before = sorted((str(path), path.stat().st_mtime_ns) for path in animals.rglob("*"))
    load_images(animals)
    assert sorted((str(path), path.stat().st_mtime_ns) for path in animals.rglob("*")) == before


# ---- tables ----


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_folder_with_metadata(animals: Path, ending: str) -> None:
    rows = [{"file_name": "cat/0.png", "label": "cat"}, {"file_name": "dog/2.png", "label": "a_dog"}]
    path = animals / f"metadata.{ending}"
    if ending == "csv":
        path.write_text("file_name,label\ncat/0.png,cat\ndog/2.png,a_dog\n")
    elif ending == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    images = load_images(animals)
    assert images.file_name == ("cat/0.png", "dog/2.png")
    assert images.classes == ("a_dog", "cat")
    assert images.words == ("a dog", "cat")
    assert images.labels.tolist() == [1, 0]
    assert images.read_errors == {}


def test_folder_and_a_table_of_labels_elsewhere(animals: Path, tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\ncat/0.png,x\ndog/0.png,y\n")
    images = load_images(animals, labels=path)
    assert images.read_errors == {}
    assert images.classes == ("x", "y")
    beside = table(tmp_path, "path,label\nanimals/cat/0.png,x\nanimals/dog/0.png,y\n")
    assert load_images(animals, labels=str(beside)).read_errors == {}
    assert "no table of labels" in refusal(animals, labels=tmp_path / "none.csv")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_other_delimiters_and_a_byte_order_mark(animals: Path, mark: str, start: str) -> None:
    lines = [["img", "class", "note"], ["cat/0.png", "big cat", "a, b"], ["dog/0.png", "dog", ""]]
    if mark == ",":
        lines[1][2] = '"a, b"'
    images = load_images(table(animals, start + "\r\n".join(mark.join(line) for line in lines)))
    assert images.classes == ("big cat", "dog")
    assert images.read_errors == {}


def test_utf16_table(animals: Path) -> None:
    path = animals / "excel.csv"
    path.write_bytes("file_name;label\ncat/0.png;größe\ndog/0.png;dog\n".encode("utf-16"))
    assert load_images(path).classes == ("dog", "größe")


def test_non_utf8_path_in_a_table(animals: Path) -> None:
    with open(os.fsencode(animals) + b"/caf\xe9.png", "wb") as file:
        file.write((animals / "cat" / "0.png").read_bytes())
    path = animals / "table.csv"
    path.write_bytes(b"path,label\ncaf\xe9.png,cat\ndog/0.png,dog\n")
    images = load_images(path)
    assert images.read_errors == {}
    assert images.file_name[0] == "caf\u00e9.png"
    assert images.reader.read(0)


def test_missing_column_lists_the_columns_there_are(animals: Path) -> None:
    path = table(animals, "file_name,species\ncat/0.png,cat\ndog/0.png,dog\n")
    assert "its columns are: file_name, species. Name one with label_column=;" in refusal(path)
    said = refusal(path, label_column="breed")
    assert said.endswith("has no column 'breed' for label_column=; its columns are: file_name, species.")
    assert load_images(path, label_column="species").classes == ("cat", "dog")
    assert "clean_column=" in refusal(path, label_column="species", clean_column="truth")


def test_ambiguous_columns_are_asked_for(animals: Path) -> None:
    path = table(animals, "file_name,image,label,target\ncat/0.png,?,cat,dog\ndog/0.png,?,dog,cat\n")
    assert "several columns that may hold the image: file_name, image" in refusal(path)
    assert "Choose one with label_column=" in refusal(path, image_column="file_name")
    assert load_images(path, image_column="file_name", label_column="target").labels.tolist() == [1, 0]


def test_guesses_are_said_and_choices_are_not(animals: Path, heard: Any) -> None:
    path = table(animals, "Filename,LABEL\ncat/0.png,cat\ndog/0.png,dog\n")
    load_images(path, image_column="Filename", label_column="LABEL", progress=heard)
    assert "taking" not in heard
    load_images(path, progress=heard)
    assert "images from column 'Filename' (image_column=) and labels from column 'LABEL' (label_column=)" in heard


def test_rows_whose_file_is_missing_stay(animals: Path, heard: Any) -> None:
    path = table(animals, "path,label\ncat/0.png,cat\ncat/77.png,cat\n,cat\ncat,dog\ndog/0.png,dog\n")
    images = load_images(path, progress=heard)
    assert images.read_errors == {1: "file not found", 2: "no file name", 3: "a folder, not an image"}
    assert images.labels.tolist() == [0, 0, 0, 1, 1]
    assert images.file_name[1:3] == ("cat/77.png", "table.csv#2")
    assert "3 of 5 rows can't be used" in heard


def test_duplicate_rows_are_kept_and_said(animals: Path, heard: Any) -> None:
    rows = "cat/0.png,cat\ndog/0.png,dog\n./cat/0.png,cat\ndog/0.png,cat\n"
    images = load_images(table(animals, "path,label\n" + rows), progress=heard)
    assert images.file_name == ("cat/0.png", "dog/0.png", "cat/0.png", "dog/0.png")
    assert len(set(images.sample_id)) == 4
    assert "2 rows name a file that an earlier row names too; all are kept; with different labels: dog/0.png" in heard


def test_labels_with_blanks_are_stripped_and_blank_labels_are_errors(animals: Path) -> None:
    rows = 'cat/0.png, cat \ncat/1.png,cat\ncat/2.png,"  "\ndog/0.png\ndog/1.png,dog\t\n'
    images = load_images(table(animals, "path,label\n" + rows))
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, -1, -1, 1]
    assert images.read_errors == {2: NO_LABEL, 3: NO_LABEL}


def test_line_with_too_many_fields(animals: Path) -> None:
    path = table(animals, "path,label\ncat/0.png,cat\ndog/0.png,dog,brown\n")
    assert "Line 3 of" in refusal(path)


def test_damaged_tables(animals: Path) -> None:
    assert "Line 2 of" in refusal(table(animals, '{"path": "a", "label": 1}\n{"path"', "a.jsonl"))
    assert "isn't a JSON object" in refusal(table(animals, "[1]\n", "a.jsonl"))
    assert "can't be read as a Parquet file" in refusal(table(animals, "nonsense", "a.parquet"))
    assert "two columns of one name" in refusal(table(animals, "a,a\n1,2\n"))
    assert "has no images" in refusal(table(animals, "path,label\n"))
    assert "is empty" in refusal(table(animals, ""))


def test_integer_labels_without_names_warn(animals: Path, heard: Any) -> None:
    path = table(animals, "path,label\ncat/0.png,10\ndog/0.png,9\n")
    images = load_images(path, progress=heard)
    assert images.classes == ("9", "10")
    assert "a vision-language model needs words" in heard


def test_wordnet_ids_warn(tmp_path: Path, paint: Paint, heard: Any) -> None:
    for name in ("n02085620", "n02123045"):
        paint(tmp_path / name / "a.png")
    load_images(tmp_path, progress=heard)
    assert "The classes are WordNet ids" in heard
    names = table(tmp_path, "n02123045\ttabby\nn02085620\tChihuahua\n", "names.txt")
    images = load_images(tmp_path, classes=names)
    assert images.classes == ("n02123045", "n02085620")
    assert images.words == ("tabby", "Chihuahua")
    assert images.labels.tolist() == [1, 0]


def test_clean_column(animals: Path) -> None:
    images = load_images(
        table(animals, "path,label,truth\ncat/0.png,cat,cat\ndog/0.png,cat,dog\ndog/1.png,dog,\n"), clean_column="truth"
    )
    assert images.clean_labels is not None
    assert images.clean_labels.tolist() == [0, 1, -1]
    assert images.read_errors == {}


def test_split_column(animals: Path) -> None:
    path = table(animals, "path,label,split\ncat/0.png,cat,train\ndog/0.png,dog,train\ndog/1.png,dog,val\n")
    assert load_images(path, split="val").file_name == ("dog/1.png",)


# ---- Parquet with images in it ----


def embed(path: Path, values: list[Any], kind: Any, labels: list[Any], **options: Any) -> Path:
    content = pa.table({"image": pa.array(values, kind), "label": labels})
    if "metadata" in options:
        content = content.replace_schema_metadata(options.pop("metadata"))
    pq.write_table(content, path, **options)
    return path


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def test_parquet_with_embedded_images(animals: Path) -> None:
    data = (animals / "cat" / "0.png").read_bytes()
    values = [
        {"bytes": data, "path": "a.png"},
        {"bytes": None, "path": "dog/0.png"},
        {"bytes": None, "path": None},
        None,
    ]
    path = embed(animals / "t.parquet", values, STRUCT, ["cat", "dog", "cat", "dog"], row_group_size=2)
    images = load_images(path)
    assert images.file_name == ("a.png", "dog/0.png", "t.parquet#2", "t.parquet#3")
    assert len(set(images.sample_id)) == 4
    assert images.reader.read(0) == data
    assert images.reader.read(1) == (animals / "dog" / "0.png").read_bytes()
    for row in (2, 3):
        with pytest.raises(DataError, match="no image in this row"):
            images.reader.read(row)


def test_parquet_with_plain_bytes_is_read_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deft.data.parquet.PIECE_BYTES", 400)
    values = [bytes([row]) * 50 for row in range(60)]
    path = embed(tmp_path / "t.parquet", values, pa.binary(), ["a", "b"] * 30, row_group_size=25, compression="none")
    images = load_images(path)
    order = np.random.default_rng(0).permutation(60).tolist()
    assert [images.reader.read(row) for row in order] == [values[row] for row in order]
    part = images.reader.part(np.array([59, 3, 30]))
    assert [part.read(row) for row in range(3)] == [values[59], values[3], values[30]]
    assert part.describe(0).endswith("t.parquet#59")


def test_parquet_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = embed(tmp_path / "t.parquet", [b"old", b"old"], pa.binary(), ["a", "b"])
    images = load_images(path)
    before = images.fingerprint
    assert images.reader.read(0) == b"old"
    embed(path, [b"newer", b"newer"], pa.binary(), ["a", "b"])
    assert images.reader.read(0) == b"newer"
    assert load_images(path).fingerprint != before
    path.unlink()
    with pytest.raises(DataError, match="damaged table"):
        images.reader.read(1)


def test_class_names_that_hugging_face_wrote_into_parquet(tmp_path: Path) -> None:
    about = {"info": {"features": {"label": {"names": ["zebra", "ant", "7"], "_type": "ClassLabel"}}}}
    path = embed(
        tmp_path / "t.parquet", [b"x"] * 4, pa.binary(), [1, 0, -1, 2], metadata={"huggingface": json.dumps(about)}
    )
    images = load_images(path)
    assert images.classes == ("zebra", "ant", "7")
    assert images.labels.tolist() == [1, 0, -1, 2]
    assert images.read_errors == {2: NO_LABEL}
    other = load_images(path, classes={"ant": "ant", "zebra": "zebra", "7": "seven"})
    assert [other.classes[label] for label in other.labels[[0, 1, 3]]] == ["ant", "zebra", "7"]
    assert other.words == ("ant", "zebra", "seven")


# ---- Hugging Face data sets ----


def dataset(count: int = 4, **columns: Any) -> Any:
    import datasets

    pictures = [Image.new("RGB", (8, 8), (40 * row, 0, 0)) for row in range(count)]
    features = datasets.Features(
        {"picture": datasets.Image(), "label": datasets.ClassLabel(names=["tabby_cat", "dog"])}
    )
    return datasets.Dataset.from_dict({"picture": pictures, "label": [0, 1, 1, -1][:count]}, features=features)


def test_dataset_in_memory() -> None:
    images = load_images(dataset())
    assert images.classes == ("tabby_cat", "dog")
    assert images.words == ("tabby cat", "dog")
    assert images.labels.tolist() == [0, 1, 1, -1]
    assert images.file_name[1] == "dataset#1"
    data = images.reader.read(1)
    assert isinstance(data, bytes)
    assert data.startswith(b"\x89PNG")
    assert images.reader.part(np.array([1])).read(0) == data


def test_selected_rows_of_a_dataset() -> None:
    whole = load_images(dataset())
    images = load_images(dataset().select([2, 0]))
    assert images.labels.tolist() == [1, 0]
    assert images.reader.read(0) == whole.reader.read(2)
    assert images.fingerprint != whole.fingerprint


def test_dataset_saved_to_disk(tmp_path: Path) -> None:
    import datasets

    dataset(3).save_to_disk(tmp_path / "one")
    images = load_images(tmp_path / "one")
    assert images.labels.tolist() == [0, 1, 1]
    assert images.file_name[0] == "one#0"
    datasets.DatasetDict({"train": dataset(3), "test": dataset(2)}).save_to_disk(tmp_path / "two")
    both = load_images(tmp_path / "two")
    assert both.split == ("train", "train", "train", "test", "test")
    assert both.labels.tolist() == [0, 1, 1, 0, 1]
    assert load_images(tmp_path / "two", split="test").file_name == ("two#3", "two#4")


@pytest.mark.parametrize("kind", ["names", "classes", "numbers"])
def test_dataset_with_lists_of_labels(kind: str) -> None:
    import datasets

    names = ["b", "a", "c"]
    item = (
        datasets.ClassLabel(names=names)
        if kind == "classes"
        else datasets.Value("string" if kind == "names" else "int8")
    )
    cells = [[0], [1], [0, 2], []]
    table = {
        "picture": dataset()["picture"][:],
        "label": [[names[label] for label in cell] for cell in cells] if kind == "names" else cells,
    }
    features = datasets.Features({"picture": datasets.Image(), "label": datasets.Sequence(item)})
    images = load_images(datasets.Dataset.from_dict(table, features=features))
    one, other, both = ("0", "1", "0, 2") if kind == "numbers" else ("b", "a", "b, c")
    assert list(images.given_names()) == [one, other, None, None]
    assert images.read_errors == {2: f"several labels in one cell: {both}", 3: "no label"}
    if kind == "classes":
        assert images.classes == ("b", "a", "c")


def test_damaged_saved_dataset(tmp_path: Path) -> None:
    for name in ("state.json", "dataset_info.json"):
        (tmp_path / name).write_text("{")
    assert "can't be read" in refusal(tmp_path)


def test_dataset_with_text_labels_and_without_images() -> None:
    import datasets

    rows = datasets.Dataset.from_dict({"image": [1, 2], "label": ["a", "b"]})
    assert "not images" in refusal(rows)
    rows = dataset(2).add_column("words", ["hot dog", "Hat"])
    assert load_images(rows, label_column="words").classes == ("Hat", "hot dog")
    assert "its columns are: picture, label, words" in refusal(rows, image_column="nothing")


def test_streamed_dataset_is_refused() -> None:
    assert "is streamed (IterableDataset)" in refusal(dataset().to_iterable_dataset())


def test_hub_id_without_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def fail(*args: Any, **options: Any) -> None:
        raise ConnectionError("Couldn't reach\nthe Hub")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    said = refusal("someone/something")
    assert said.startswith("'someone/something' is no file or folder here")
    assert "\n" not in said
    assert "ConnectionError, Couldn't reach the Hub" in said


def test_hub_id_with_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets, "load_dataset", lambda name, split: {"train": dataset(3)}[split])
    images = load_images("someone/something", split="train")
    assert images.split == ("train",) * 3
    assert images.file_name[0] == "someone/something#0"


@pytest.mark.parametrize("source", ["no/such/folder", "photos/", "none.csv", "../no-such-folder"])
def test_paths_that_are_not_there(source: str) -> None:
    assert refusal(source) == f"There is no file or folder {source}."


def test_a_file_that_is_no_table(animals: Path) -> None:
    assert "is a file, but no table" in refusal(animals / "cat" / "0.png")


# ---- memory ----


@pytest.mark.parametrize("shape", [(4, 8, 6), (4, 8, 6, 3)])
def test_arrays(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images = load_images(pixels, labels=["a", "b", "b", " a"])
    assert images.labels.tolist() == [0, 1, 1, 0]
    assert np.array_equal(images.reader.read(2), pixels[2])
    changed = pixels.copy()
    changed[3, 0, 0] ^= 1
    assert load_images(changed, labels=["a", "b", "b", "a"]).fingerprint != images.fingerprint
    assert load_images(pixels.copy(), labels=np.array([0, 1, 0, 0])).fingerprint == images.fingerprint


def test_pillow_images() -> None:
    pictures = [Image.new("RGBA", (4, 4), (90, 20, 10, 0)), Image.new("L", (5, 3), 9)]
    images = load_images(pictures, labels=[0, 1], classes=["empty", "dark"])
    assert images.classes == ("empty", "dark")
    first = images.reader.read(0)
    assert isinstance(first, np.ndarray)
    assert first[0, 0, :3].tolist() == [90, 20, 10]  # the colours that are stored, as in a file


def test_pillow_image_that_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with Image.open(path) as bad:
        images = load_images([bad, Image.new("L", (4, 4)), Image.new("L", (4, 4))], labels=["a", "a", "b"])
    assert list(images.read_errors) == [0]
    assert "truncated" in images.read_errors[0]
    with pytest.raises(DataError, match="truncated"):
        images.reader.read(0)


def test_arrays_that_are_wrong() -> None:
    good = np.zeros((3, 4, 4), np.uint8)
    assert "3 images" in refusal(good, labels=["a", "b"])
    assert "need labels=" in refusal(good)
    assert "expected uint8" in refusal(good / 2, labels=["a", "b", "c"])
    assert "has shape (3, 3, 4, 5)" in refusal(np.zeros((3, 3, 4, 5), np.uint8), labels=["a", "b", "c"])
    assert "no pixels" in refusal(np.zeros((3, 0, 4), np.uint8), labels=["a", "b", "c"])
    assert "Image 0 is a int" in refusal([1, 2], labels=["a", "b"])
    assert "can't be loaded from a int" in refusal(7)
    assert "has no images" in refusal(good[:0], labels=[])


def test_labels_in_the_wrong_place(animals: Path) -> None:
    assert "labels= is the path of a table" in refusal(animals, labels=["a", "b"])
    path = table(animals, "path,label\n")
    assert "not labels=" in refusal(path, labels=path)
    assert "no columns to name" in refusal(animals, label_column="label")
