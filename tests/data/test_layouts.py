"""What lies where: classes, splits, containers, tables and leftovers, recognised or refused with what was seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deft.data.class_folders import recognise
from deft.data.load import find_images, load_images
from deft.data.splits import is_split, shard_split
from deft.errors import DataError

Paint = Callable[..., Path]


def shape(*names: str) -> dict[str | None, list[str]]:
    """Class to images, of these image files alone."""
    folders = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, name.count("/") + 1)}
    found = recognise(sorted(names), sorted(folders))
    classes: dict[str | None, list[str]] = {}
    for name, label in zip(found.names, found.labels, strict=True):
        classes.setdefault(label, []).append(name)
    return classes


@pytest.mark.parametrize(
    "name",
    ["train", "val", "valid", "Validation", "test", "training_set", "test_set", "train2017", "extra", "images_train",
     "val-images", "ILSVRC2012_img_val", "dev", "TRAIN_256"],
)  # fmt: skip
def test_names_of_splits(name: str) -> None:
    assert is_split(name)


@pytest.mark.parametrize("name", ["express", "trainers", "bullet train", "testudo", "valley", "devil", "images", "cat"])
def test_names_that_are_no_splits(name: str) -> None:
    assert not is_split(name)


def test_splits_of_shards() -> None:
    assert shard_split("train-00000-of-00002") == "train"
    assert shard_split("validation_3") == "validation"
    assert shard_split("test") == "test"
    assert shard_split("cats-0001") is None


@pytest.mark.parametrize(
    "names",
    [
        ("cat/1.png", "dog/2.png"),
        ("data/cat/1.png", "data/dog/2.png"),
        ("a/b/c/cat/1.png", "a/b/c/dog/2.png"),
        ("train/cat/1.png", "train/dog/2.png"),
        ("x/train/cat/1.png", "x/val/dog/2.png"),
        ("train/images/cat/1.png", "test/images/dog/2.png"),
        ("images/cat/1.png", "images/dog/2.png"),
        ("train/cat/1.png", "test/dog/2.png", "chest_xray/train/bird/3.png"),
        ("train2017/cat/1.png", "extra/dog/2.png", "readme/picture.png"),
        ("cat/1.png", "dog/2.png", "images/0.png"),
        ("cat/train/1.png", "dog/test/2.png"),
        ("1_train/cat/1.png", "2_test/dog/2.png"),
        ("seg_train/seg_train/cat/1.png", "seg_test/seg_test/dog/2.png", "seg_pred/seg_pred/3.png"),
        ("test_set/test_set/cat/1.png", "training_set/training_set/dog/2.png"),
        ("train/train/cat/1.png", "train/train/dog/2.png"),
        ("fold1/cat/1.png", "fold2/dog/2.png"),
        ("images/cat/1.png", "images/dog/2.png", "masks/cat/1.png", "masks/dog/2.png"),
        ("images/cat/1.png", "images/dog/2.png", "figures/3.png"),
        ("train/images/cat/1.png", "train/images/dog/2.png", "train/masks/cat/1.png"),
        ("train/cat/1.png", "train/dog/2.png", "figures/3.png", "more/4.png"),
    ],
)
def test_cats_and_dogs_are_found(names: tuple[str, ...]) -> None:
    found = {label: [name[-5:] for name in images] for label, images in shape(*names).items()}
    assert found == {"cat": ["1.png"], "dog": ["2.png"]}


def test_photos_among_other_kinds_of_pictures_are_a_class() -> None:
    assert set(shape("photos/1.png", "drawings/2.png")) == {"photos", "drawings"}
    assert set(shape("photos/1.png")) == set()


def test_a_train_among_vehicles_is_a_class() -> None:
    assert set(shape("bus/1.png", "car/2.png", "train/3.png")) == {"bus", "car", "train"}
    assert set(shape("bus/a/1.png", "car/a/2.png", "train/a/3.png")) == {"bus", "car", "train"}


def test_a_split_of_loose_images_beside_classes_has_no_labels(tmp_path: Path, paint: Paint) -> None:
    for name in ("cat/0.png", "dog/0.png", "test/0.png", "test/1.png"):
        paint(tmp_path / name)
    images = load_images(tmp_path)
    assert images.classes == ("cat", "dog")
    assert images.given_names() == ["cat", "dog", None, None]
    assert images.split == ("", "", "test", "test")
    assert "Split 'test' has no class folders: its 2 images have no label." in images.notes


@pytest.mark.parametrize("names", [("control/0.png", "test/0.png"), ("plane/0.png", "train/0.png")])
def test_a_split_beside_one_folder_is_refused(tmp_path: Path, paint: Paint, names: tuple[str, ...]) -> None:
    for name in names:
        paint(tmp_path / name)
    with pytest.raises(DataError, match=r"has splits \((test|train)\) but no .* called so is a class"):
        load_images(tmp_path)


def test_a_class_called_images_or_train_is_never_invented(tmp_path: Path, paint: Paint) -> None:
    """Tiny-ImageNet's root: class folders in train, a table in val, nothing in test."""
    for name in ("n01443537", "n01629819"):
        for number in range(2):
            paint(tmp_path / "train" / name / "images" / f"{name}_{number}.JPEG")
        (tmp_path / "train" / name / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t62\t62\n")
        paint(tmp_path / "test" / "images" / f"test_{name}.JPEG")
    lines = []
    for number, name in enumerate(("n01629819", "n01443537", "n01443537")):
        paint(tmp_path / "val" / "images" / f"val_{number}.JPEG")
        lines.append(f"val_{number}.JPEG\t{name}\t0\t32\t44\t62\n")
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(lines))
    (tmp_path / "wnids.txt").write_text("n01443537\nn01629819\n")
    images = load_images(tmp_path)
    assert images.classes == ("n01443537", "n01629819")
    given = dict(zip(images.file_name, images.given_names(), strict=True))
    assert given["val/images/val_0.JPEG"] == "n01629819"
    assert given["val/images/val_1.JPEG"] == "n01443537"
    assert given["test/images/test_n01443537.JPEG"] is None
    assert Counter(images.split or ()) == {"train": 4, "val": 3, "test": 2}
    assert any("of split 'val' are those of val/val_annotations.txt" in note for note in images.notes)
    assert any("Split 'test' has no class folders: its 2 images have no label" in note for note in images.notes)


def test_metadata_of_each_split(tmp_path: Path, paint: Paint) -> None:
    for split in ("train", "test"):
        rows = ["file_name,label"]
        for number, label in enumerate(("a_1", "b_2")):
            paint(tmp_path / split / f"{number}.png")
            rows.append(f"{number}.png,{label}")
        (tmp_path / split / "metadata.csv").write_text("\n".join(rows) + "\n")
    paint(tmp_path / "train" / "extra.png")
    images = load_images(tmp_path)
    assert images.classes == ("a_1", "b_2")
    assert images.file_name == ("test/0.png", "test/1.png", "train/0.png", "train/1.png")
    assert images.split == ("test", "test", "train", "train")
    assert images.read_errors == {}
    assert images.skipped == {"images that the table doesn't list": 1}


def test_metadata_whose_paths_begin_with_splits(tmp_path: Path, paint: Paint) -> None:
    rows = ["file_name,label"]
    for split in ("train", "test"):
        for label in ("a", "b"):
            paint(tmp_path / split / f"{label}.png")
            rows.append(f"{split}/{label}.png,{label}")
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n")
    assert load_images(tmp_path, split="test").file_name == ("test/a.png", "test/b.png")


def test_unlabelled_folder_gives_rows_without_label(tmp_path: Path, paint: Paint) -> None:
    for name in ("cat", "dog", "_unlabeled"):
        paint(tmp_path / name / "a.png")
    images = load_images(tmp_path)
    assert images.classes == ("cat", "dog")
    assert images.read_errors == {0: "no label"}


def test_what_other_programs_left_is_passed_over_and_counted(animals: Path, paint: Paint, heard: Any) -> None:
    for place in ("cat/@eaDir/0.png/x.png", "__MACOSX/cat/._0.png", ".thumbs/cat/0.png", "cat/thumbnails/0.png"):
        paint(animals / place)
    (animals / ".ipynb_checkpoints").mkdir()
    (animals / "dog" / "Thumbs.db").write_text("x")
    (animals / "dog" / "._0.png").write_text("x")
    images = load_images(animals, progress=heard)
    assert images.classes == ("cat", "dog")
    assert len(images) == len(find_images(animals)) == 6
    assert images.skipped == {
        "folders that other programs left": 2,
        "folders of thumbnails": 1,
        "hidden folders": 2,
        "hidden": 2,
    }


def test_links_are_followed_once_and_said(animals: Path, tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "elsewhere" / "emu" / "1.png")
    (animals / "emu").symlink_to(tmp_path / "elsewhere" / "emu", target_is_directory=True)
    (animals / "cat" / "round").symlink_to(animals, target_is_directory=True)
    (animals / "dog" / "9.png").symlink_to(tmp_path / "elsewhere" / "emu" / "1.png")
    images = load_images(animals)
    assert images.class_counts().tolist() == [3, 4, 1]
    said = " ".join(images.notes)
    assert "1 link to folders was followed, 1 of them out of the folder; 1 that lead back" in said
    assert "1 file is a link that leads out of the folder" in said


def test_the_only_table_of_a_folder_is_read(tmp_path: Path, paint: Paint, heard: Any) -> None:
    for name in ("0001", "0002"):
        paint(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image_id,label\n0001,cat\n0002,dog\n")
    images = load_images(tmp_path, progress=heard)
    assert images.given_names() == ["cat", "dog"]
    assert images.read_errors == {}
    (tmp_path / "more.csv").write_text("image_id,label\n0001,cat\n0002,dog\n")
    with pytest.raises(
        DataError, match=r"no class folders, and 2 tables \(labels.csv, more.csv\): name one with labels="
    ):
        load_images(tmp_path)


def test_splits_without_classes_are_refused(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "train" / "cat.1.png")
    paint(tmp_path / "test" / "1.png")
    with pytest.raises(DataError, match=r"has splits \(test, train\) but no class folders in them"):
        load_images(tmp_path)


def test_classes_whose_images_all_lie_deeper_are_said(tmp_path: Path, paint: Paint) -> None:
    for name in ("Art/Bike", "Art/Clock", "Product/Bike", "Product/Clock"):
        paint(tmp_path / name / "a.png")
    images = load_images(tmp_path)
    assert images.classes == ("Art", "Product")
    assert any("first level (Art, Product), though all images lie deeper (Bike, Clock)" in n for n in images.notes)


def test_classes_with_splits_inside(tmp_path: Path, paint: Paint) -> None:
    for name in ("cat/train", "cat/test", "dog/train"):
        paint(tmp_path / name / "a.png")
    assert load_images(tmp_path).split == ("test", "train", "train")


def test_parquet_shards_of_a_clone_of_the_hub(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {"info": {"features": {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}}}
    (tmp_path / "data").mkdir()
    for number, name in enumerate(("test-00000-of-00001", "train-00000-of-00002", "train-00001-of-00002")):
        table = pa.table({"image": pa.array([b"%d" % number, b"x"], pa.binary()), "label": [0, 1]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        pq.write_table(table, tmp_path / "data" / f"{name}.parquet")
    (tmp_path / "README.md").write_text("x")
    for source in (tmp_path, tmp_path / "data" / "*.parquet", sorted((tmp_path / "data").iterdir())):
        images = load_images(source if isinstance(source, list) else str(source))
        assert images.classes == ("zebra", "ant")
        assert images.split == ("test", "test", "train", "train", "train", "train")
        assert images.labels.tolist() == [0, 1] * 3
        assert [images.reader.read(row) for row in (0, 2, 4)] == [b"0", b"1", b"2"]
        assert images.reader.part(images.rows[[4, 0, 5]]).read(0) == b"2"
    only = load_images(str(tmp_path / "data" / "train-*.parquet"))
    assert len(only) == 4


def test_an_empty_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, animals: Path) -> None:
    monkeypatch.chdir(animals)
    for load in (load_images, find_images):
        with pytest.raises(DataError, match="the path given is empty"):
            load("")
    with pytest.raises(DataError, match="no table of labels at an empty path"):
        load_images(animals, labels="")
    assert len(load_images(".")) == 6


@pytest.mark.parametrize("scheme", ["https", "ftp"])
def test_places_elsewhere_are_refused_with_a_sentence(scheme: str) -> None:
    with pytest.raises(DataError, match=f"isn't read in place|{scheme}"):
        load_images(f"{scheme}://bucket/photos")


def test_patterns_that_match_nothing_or_folders(animals: Path) -> None:
    with pytest.raises(DataError, match="No file matches"):
        load_images(str(animals / "*.parquet"))
    with pytest.raises(DataError, match="is a folder: name the one above"):
        load_images(str(animals / "*"))


def test_a_path_that_no_system_can_hold() -> None:
    with pytest.raises(DataError, match="There is no file or folder x"):
        load_images("x" * 5000)


@pytest.mark.parametrize("inside", ["", "images/"])
@pytest.mark.parametrize("named", ["", "images/"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_only_table_of_each_split(tmp_path: Path, paint: Paint, inside: str, named: str, ending: str) -> None:
    if named and not inside:
        inside = named
    for split, names in (("Train", "aab"), ("valid", "ba")):
        rows = []
        for number, name in enumerate(names):
            paint(tmp_path / split / inside / f"{number}.png")
            rows.append((f"{named}{number}.png", name))
        paint(tmp_path / split / inside / "more.png")
        text = "file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
        if ending == "jsonl":
            text = "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in rows)
        (tmp_path / split / f"labels.{ending}").write_text(text)
    images = load_images(tmp_path)
    assert list(images.given_names()) == list("aabba")
    assert images.split == ("Train",) * 3 + ("valid",) * 2
    assert images.file_name[3] == f"valid/{named}0.png"
    assert images.read_errors == {}
    assert images.skipped == {"images that the table doesn't list": 2}


def test_a_table_beside_the_folder_of_each_split(tmp_path: Path, paint: Paint) -> None:
    for split, names in (("train", "aab"), ("test", "ba")):
        for number in range(len(names)):
            paint(tmp_path / split / f"{number}.png")
        rows = "".join(f"{number},{label}\n" for number, label in enumerate(names))
        (tmp_path / f"{split}.csv").write_text(f"id,label\n{rows}")
    paint(tmp_path / "test" / "more.png")
    images = load_images(tmp_path)
    assert list(images.given_names()) == list("baaab")
    assert images.split == ("test",) * 2 + ("train",) * 3
    assert images.read_errors == {}
    assert images.skipped == {"images that the table doesn't list": 1}
    (tmp_path / "test.csv").write_text("id,size\n0,1\n1,1\n")
    images = load_images(tmp_path)
    assert images.split == ("train",) * 3
    assert any("test.csv has no column that is known to hold the label" in note for note in images.notes)
    (tmp_path / "submission.csv").write_text("id,label\n0,a\n")
    with pytest.raises(DataError, match=r"3 tables \(submission.csv, test.csv, train.csv\): name one"):
        load_images(tmp_path)


def test_images_without_an_ending_are_no_images_and_the_sentence_says_so(tmp_path: Path, paint: Paint) -> None:
    for name in ("cat", "dog"):
        paint(tmp_path / name / "0.png").rename(tmp_path / name / "0")
    with pytest.raises(DataError, match=r"without an ending 2 \(a file counts as an image by its ending"):
        load_images(tmp_path)
