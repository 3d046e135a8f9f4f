"""Each format, read back by the library it is meant for."""

from __future__ import annotations

import csv
import gc
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.readers import ArrayReader
from deft.errors import DataError, SettingsError
from deft.export.plan import Plan
from deft.export.stamp import STAMP
from deft.export.write import write_export
from deft.runs.decisions import Decision
from deft.runs.detection import Detection
from deft.runs.outcomes import decide

from .conftest import judge

TIME = "2026-11-24T09:00:00.000+00:00"
REVIEWS = {
    "cat/0.png": Decision("cat/0.png", "corrected", "cat", "dog", "Ada", TIME),
    "dog/1.png": Decision("dog/1.png", "none_of_these", "dog", None, "Ada", TIME),
}
# Reviewed: cat/0 is a dog, dog/1 goes. Flagged: cat/1 and dog/0. Not readable: dog/2.
RELABELLED = {"cat/0.png": "dog", "cat/1.png": "dog", "cat/2.png": "cat", "dog/0.png": "cat"}
LEAVES_FILES_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""datasets 5.2 opens each metadata.csv and leaves it to the garbage collector."""

DROPPED = {"cat/0.png": "dog", "cat/2.png": "cat"}


@pytest.fixture
def plan(images: LabeledImages, found: Detection) -> Plan:
    return Plan(images, found, decide(found, REVIEWS, fix="relabel"))


def _content(image: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(image.convert("RGB"))[0, 0])


def _colours(photos: Path) -> dict[str, tuple[int, ...]]:
    return {name: _content(Image.open(photos / name)) for name in RELABELLED}


def _load_folder(folder: Path) -> Any:
    read = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(folder.parent / "cache"))
    gc.collect()  # so that what the library left open is closed in this test, and not in another
    return read


def _state(folder: Path) -> list[tuple[str, bytes, int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path), path.read_bytes(), path.stat().st_mtime_ns) for path in files]


@pytest.fixture
def embedded(photos: Path, tmp_path: Path) -> LabeledImages:
    """The same photos inside a Parquet file, without names."""
    names = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(3)]
    cells = [{"bytes": (photos / name).read_bytes(), "path": None} for name in names]
    pq.write_table(pa.table({"image": cells, "label": [name[:3] for name in names]}), tmp_path / "in.parquet")
    return load_images(tmp_path / "in.parquet")


@pytest.mark.parametrize("link", ["copy", "hard", "symlink"])
def test_a_clean_folder(plan: Plan, photos: Path, tmp_path: Path, link: Any) -> None:
    before = _state(photos)
    out = tmp_path / "clean"
    written = write_export(plan, out, link=link)
    assert written.images == 4
    assert _state(photos) == before
    files = {str(path.relative_to(out)) for path in out.rglob("*.png")}
    assert files == {"dog/0.png", "dog/1.png", "cat/2.png", "cat/0.png"}
    copied, source = out / "dog" / "1.png", photos / "cat" / "1.png"
    assert copied.read_bytes() == source.read_bytes()
    assert copied.is_symlink() == (link == "symlink")
    assert os.path.samefile(copied, source) == (link != "copy")
    again = load_images(out)
    names = [again.classes[label] for label in again.labels]
    with (out / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["sample_id"]: name for row, name in zip(rows, names, strict=True)} == RELABELLED
    assert {row["change"] for row in rows} == {"relabelled", "kept"}


def test_what_is_left_out_is_listed_with_its_reason(plan: Plan, tmp_path: Path) -> None:
    written = write_export(plan, tmp_path / "clean")
    listed = pd.read_csv(tmp_path / "clean" / "left_out.csv")
    assert listed["sample_id"].tolist() == ["dog/1.png", "dog/2.png"]
    assert listed["reason"].tolist() == ["review: none_of_these", "unreadable: damaged"]
    assert listed["by"].tolist()[0] == "Ada"
    assert written.notes == (
        "2 images left out (1 reviewed as none of the classes, 1 unreadable), listed in left_out.csv.",
    )


@LEAVES_FILES_OPEN
def test_hugging_face_reads_the_folder(plan: Plan, photos: Path, tmp_path: Path) -> None:
    write_export(plan, tmp_path / "clean")
    read = _load_folder(tmp_path / "clean")
    rows = list(read["train"])
    assert {row["sample_id"]: row["label"] for row in rows} == RELABELLED
    assert {row["sample_id"]: _content(row["image"]) for row in rows} == _colours(photos)


@LEAVES_FILES_OPEN
def test_splits_stay_apart(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for number in range(2):
                (root / split / name / f"{number}.png").write_bytes((photos / name / f"{number}.png").read_bytes())
    images = load_images(root)
    images = replace(images, own_id=images.file_name)
    found = judge(images, {0: 1})
    write_export(Plan(images, found, decide(found, {}, fix="relabel")), tmp_path / "clean")
    read = _load_folder(tmp_path / "clean")
    labels = {
        part: {row["sample_id"]: row["label"] for row in rows.remove_columns("image")} for part, rows in read.items()
    }
    given = {name: images.classes[label] for name, label in zip(images.sample_id, images.labels, strict=True)}
    expected = {**given, images.sample_id[0]: "dog"}
    assert {**labels["train"], **labels["test"]} == expected
    assert all(name.startswith(part) for part, rows in labels.items() for name in rows)
    again = load_images(tmp_path / "clean")
    assert sorted(again.split or ()) == sorted(images.split or ())


def test_two_files_of_one_name_both_stay(tmp_path: Path) -> None:
    for folder, level in (("a", 10), ("b", 20), ("c", 30)):
        (tmp_path / "in" / folder).mkdir(parents=True)
        Image.new("RGB", (4, 4), (level, 0, 0)).save(tmp_path / "in" / folder / "1.png")
    (tmp_path / "in" / "t.csv").write_text("file_name,label\na/1.png,x\nb/1.png,x\nc/1.png,y\n")
    images = load_images(tmp_path / "in" / "t.csv")
    found = judge(images, {})
    write_export(Plan(images, found, decide(found, {})), tmp_path / "out")
    made = {
        str(path.relative_to(tmp_path / "out")): _content(Image.open(path))[0]
        for path in (tmp_path / "out").rglob("*.png")
    }
    assert made == {"x/1.png": 10, "x/1-2.png": 20, "y/1.png": 30}


@pytest.mark.parametrize("format", ["imagefolder", "fiftyone", "labelstudio", "hf", "csv", "parquet", "cleanlab"])
def test_class_names_lead_nowhere_else(images: LabeledImages, found: Detection, tmp_path: Path, format: Any) -> None:
    names = ("../../cat", 'a/b/"<dog>&')
    images, found = images.relabel(images.labels, names), replace(found, classes=names)
    home = tmp_path / "home" / "deep"
    before = _state(tmp_path)
    write_export(Plan(images, found, decide(found, {}, fix="relabel")), home / "out", format)
    outside = [state for state in _state(tmp_path) if not state[0].startswith(str(home / "out"))]
    assert outside == before
    if format == "imagefolder":
        assert set(load_images(home / "out").classes) == set(names)


def test_images_inside_a_table_become_files(embedded: LabeledImages, photos: Path, tmp_path: Path) -> None:
    found = judge(embedded, {1: 1, 3: 0}, unreadable=(5,))
    plan = Plan(embedded, found, decide(found, {}, fix="relabel"))
    write_export(plan, tmp_path / "out")
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")}
    assert files == {"cat/in-0.png", "dog/in-1.png", "cat/in-2.png", "cat/in-3.png", "dog/in-4.png"}
    assert (tmp_path / "out" / "dog" / "in-1.png").read_bytes() == (photos / "cat" / "1.png").read_bytes()
    with pytest.raises(SettingsError, match="can't be linked"):
        write_export(plan, tmp_path / "other", link="hard")
    with pytest.raises(SettingsError, match=r"choose \.parquet"):
        write_export(plan, tmp_path / "other", "csv")
    assert not (tmp_path / "other").exists()


def test_bare_pixels_become_png(tmp_path: Path) -> None:
    pixels = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    grey = ArrayReader((pixels[0], pixels[1, :, :, :1], pixels[2, :, :, 0]))
    images = LabeledImages(grey, np.arange(3), np.array([0, 1, 1]), ("x", "y"), ("p", "q", "r"), ("p", "q", "r"))
    found = judge(images, {})
    write_export(Plan(images, found, decide(found, {})), tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "x" / "p.png")), pixels[0])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "y" / "q.png")), pixels[1, :, :, 0])


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize(("fix", "expected"), [("relabel", RELABELLED), ("drop", DROPPED)])
def test_a_corrected_table(
    images: LabeledImages, found: Detection, tmp_path: Path, format: Any, fix: Any, expected: dict[str, str]
) -> None:
    write_export(Plan(images, found, decide(found, REVIEWS, fix=fix)), tmp_path / "out", format)
    path = tmp_path / "out" / f"labels.{format}"
    again = load_images(path)
    assert not again.read_errors
    table = pd.read_csv(path) if format == "csv" else pd.read_parquet(path)
    assert dict(zip(table["sample_id"], table["label"], strict=True)) == expected
    assert [again.classes[label] for label in again.labels] == list(expected.values())
    assert table["by"].tolist()[0] == "Ada"


def test_a_parquet_file_holds_the_images_that_are_no_files(
    embedded: LabeledImages, photos: Path, tmp_path: Path
) -> None:
    found = judge(embedded, {1: 1}, unreadable=(5,))
    write_export(Plan(embedded, found, decide(found, {}, fix="relabel")), tmp_path / "out", "parquet")
    again = load_images(tmp_path / "out" / "labels.parquet")
    assert [again.classes[label] for label in again.labels] == ["cat", "dog", "cat", "dog", "dog"]
    assert again.reader.read(1) == (photos / "cat" / "1.png").read_bytes()
    read = datasets.Dataset.from_parquet(str(tmp_path / "out" / "labels.parquet"), cache_dir=str(tmp_path / "cache"))
    assert _content(read[1]["image"]) == _colours(photos)["cat/1.png"]
    assert read["label"][:] == ["cat", "dog", "cat", "dog", "dog"]


@pytest.mark.parametrize("inside", [False, True])
def test_hugging_face_reads_the_saved_data_set(
    images: LabeledImages, embedded: LabeledImages, photos: Path, tmp_path: Path, inside: bool
) -> None:
    source = embedded if inside else images
    found = judge(source, {1: 1}, unreadable=(5,))
    written = write_export(Plan(source, found, decide(found, {}, fix="relabel")), tmp_path / "out", "hf")
    read = datasets.load_from_disk(str(tmp_path / "out"))
    assert written.images == len(read) == 5
    assert read.features["label"].names == ["cat", "dog"]
    assert read["label"][:] == [0, 1, 0, 1, 1]
    assert _content(read[1]["image"]) == _colours(photos)["cat/1.png"]
    assert read["label_before"][:] == ["cat", "cat", "cat", "dog", "dog"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "data-00000-of-00001.arrow", "dataset_info.json", "state.json", "left_out.csv", STAMP,
    }  # fmt: skip
    again = load_images(tmp_path / "out")
    assert again.labels.tolist() == [0, 1, 0, 1, 1]


def test_hugging_face_splits(images: LabeledImages, tmp_path: Path) -> None:
    parted = replace(images, split=("train",) * 4 + ("test",) * 2)
    found = judge(parted, {}, unreadable=(5,))
    write_export(Plan(parted, found, decide(found, {})), tmp_path / "out", "hf")
    read = datasets.load_from_disk(str(tmp_path / "out"))
    assert {name: rows["file_name"][:] for name, rows in read.items()} == {
        "train": ["cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png"],
        "test": ["dog/1.png"],
    }


def test_a_file_that_vanished_since_is_left_out_and_told(plan: Plan, photos: Path, tmp_path: Path) -> None:
    (photos / "cat" / "2.png").unlink()
    for format in ("imagefolder", "hf"):
        written = write_export(plan, tmp_path / format, format)
        assert written.images == 3
        listed = pd.read_csv(tmp_path / format / "left_out.csv").set_index("sample_id")["reason"]
        assert listed["cat/2.png"] == "unreadable: file not found"


def test_cleanlab_knows_the_columns(plan: Plan, tmp_path: Path) -> None:
    write_export(plan, tmp_path / "out", "cleanlab")
    table = pd.read_csv(tmp_path / "out" / "label_issues.csv")
    assert len(table) == 6
    assert table["is_label_issue"].tolist() == [False, True, False, True, False, False]
    assert table["label_score"].tolist()[:5] == pytest.approx([0.9, 0.11, 0.9, 0.13, 0.9])
    assert np.isnan(table["label_score"][5])
    assert table["label"].tolist()[:4] == ["dog", "dog", "cat", "cat"]
    assert table["label"].isna().tolist() == [False] * 4 + [True, False]


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")  # cleanlab's own use of pandas
def test_to_cleanlab_has_the_columns_and_types_of_datalab(found: Detection) -> None:
    from cleanlab import Datalab

    labels = ["cat", "cat", "cat", "dog", "dog", "dog"] * 4
    probs = np.tile([0.9, 0.1], (24, 1))
    probs[[number for number, name in enumerate(labels) if name == "dog"]] = [0.1, 0.9]
    lab = Datalab({"label": labels}, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=probs, issue_types={"label": {}})
    theirs, ours = lab.get_issues("label"), found.to_cleanlab()
    assert set(theirs.columns) <= set(ours.columns)
    assert set(ours.columns) - set(theirs.columns) == {"label_quality"}
    for name in theirs.columns:
        assert ours[name].dtype == theirs[name].dtype, name
    assert ours["given_label"].tolist() == ["cat"] * 3 + ["dog"] * 3
    assert ours["predicted_label"].tolist()[:5] == ["cat", "dog", "cat", "cat", "dog"]
    assert list(ours.index) == list(range(6))


def test_fiftyone_samples(plan: Plan, photos: Path, tmp_path: Path) -> None:
    """As LegacyFiftyOneDatasetImporter and FiftyOneImageClassificationDatasetImporter of FiftyOne 1.22 read them."""
    write_export(plan, tmp_path / "out", "fiftyone")
    samples = json.loads((tmp_path / "out" / "samples.json").read_text())["samples"]
    assert [sample["filepath"] for sample in samples] == [str(photos / name) for name in plan.found.file_name[:5]]
    second = samples[1]
    assert second["ground_truth"]["label"] == "cat"
    assert (second["prediction"]["label"], second["prediction"]["confidence"]) == ("dog", pytest.approx(0.8))
    assert second["mistakenness"] == pytest.approx(0.89)
    assert second["tags"] == ["label_issue"]
    assert second["final"] == {
        "_cls": "Classification", "tags": [], "label": "dog", "confidence": None, "logits": None,
    }  # fmt: skip
    assert (samples[4]["final"], samples[4]["outcome"]) == (None, "drop")
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    paths = json.loads((tmp_path / "out" / "data.json").read_text())
    assert labels["classes"] == ["cat", "dog"]
    assert not any(os.path.splitext(name)[1] for name in paths), "the importer cuts keys at their ending"
    assert {paths[name]: one["label"] for name, one in labels["labels"].items()} == {
        str(photos / name): label for name, label in RELABELLED.items()
    }


def test_fiftyones_own_importers_read_it(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where it keeps its settings
    importers = pytest.importorskip("fiftyone.utils.data", reason="pip install fiftyone")
    write_export(plan, tmp_path / "out", "fiftyone")
    place = str(tmp_path / "out")
    with importers.LegacyFiftyOneDatasetImporter(dataset_dir=place) as everything:
        final = {sample.filepath: sample["final"] for sample in everything}
    assert all(os.path.isfile(path) for path in final)
    with importers.FiftyOneImageClassificationDatasetImporter(dataset_dir=place, data_path="data.json") as classes:
        labels = {path: label.label for path, _, label in classes}
    assert len(final) == 5
    assert labels == {path: label.label for path, label in final.items() if label is not None}
    assert sorted(labels.values()) == sorted(RELABELLED.values())


def test_label_studio_tasks(plan: Plan, photos: Path, tmp_path: Path) -> None:
    from urllib.parse import parse_qs, urlparse

    odd = photos / "cat" / "1 & ü#?.png"
    (photos / "cat" / "1.png").rename(odd)
    images = load_images(photos)
    images = replace(images, own_id=images.file_name)
    found = judge(images, {1: 1}, unreadable=(5,))
    written = write_export(Plan(images, found, decide(found, REVIEWS)), tmp_path / "out", "labelstudio")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert tasks[0]["data"]["file_name"] == "cat/1 & ü#?.png"  # the worst comes first
    first = tasks[0]
    address = urlparse(first["data"]["image"])
    assert address.path == "/data/local-files/"
    root = photos.parent
    assert f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={root};" in written.notes[-1]
    assert os.path.samefile(root / parse_qs(address.query)["d"][0], odd)
    result = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["dog"]}}
    assert first["predictions"] == [{"model_version": "test", "score": 0.8, "result": [result]}]
    by_name = {task["data"]["file_name"]: task for task in tasks}
    assert len(by_name) == 5
    assert by_name["cat/0.png"]["annotations"][0]["result"] == [result]
    assert "annotations" not in by_name["dog/1.png"]


def test_label_studios_own_checks_pass(plan: Plan, tmp_path: Path) -> None:
    sdk = pytest.importorskip("label_studio_sdk.label_interface", reason="pip install label-studio-sdk")
    write_export(plan, tmp_path / "out", "labelstudio")
    interface = sdk.LabelInterface((tmp_path / "out" / "label_config.xml").read_text())
    interface.validate()
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    predictions = [one for task in tasks for one in task.get("predictions", ())]
    annotations = [one for task in tasks for one in task.get("annotations", ())]
    assert len(predictions) == 5
    assert annotations
    assert all(interface.validate_prediction(one) for one in predictions)
    assert all(interface.validate_annotation(one) for one in annotations)


def test_label_studio_serves_only_below_its_root(plan: Plan, photos: Path, tmp_path: Path) -> None:
    write_export(plan, tmp_path / "out", "labelstudio", root=photos)
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=cat/1.png"
    with pytest.raises(SettingsError, match="outside of"):
        write_export(plan, tmp_path / "other", "labelstudio", root=tmp_path / "elsewhere")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("format", ["fiftyone", "labelstudio"])
def test_other_tools_get_files_where_there_are_none(embedded: LabeledImages, tmp_path: Path, format: Any) -> None:
    found = judge(embedded, {}, unreadable=(5,))
    write_export(Plan(embedded, found, decide(found, {})), tmp_path / "out", format)
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert names == [f"in-{row}.png" for row in range(5)]
    text = (tmp_path / "out" / ("samples.json" if format == "fiftyone" else "tasks.json")).read_text()
    assert "images/in-0.png" in text
    assert ".part" not in text


def test_keep_means_as_given(images: LabeledImages, found: Detection, tmp_path: Path) -> None:
    write_export(Plan(images, found, decide(found, {}, fix="keep")), tmp_path / "out", "csv")
    table = pd.read_csv(tmp_path / "out" / "labels.csv")
    assert table["label"].tolist() == table["label_before"].tolist() == ["cat"] * 3 + ["dog"] * 2


@pytest.mark.parametrize("format", ["imagefolder", "csv", "parquet", "hf"])
def test_nothing_left_is_said_and_leaves_nothing(images: LabeledImages, tmp_path: Path, format: Any) -> None:
    found = judge(images, {row: 1 - int(label) for row, label in enumerate(images.labels[:5])}, unreadable=(5,))
    with pytest.raises(
        DataError, match=r"Nothing is left to export: 5 with a wrong label by the verdict, 1 unreadable\."
    ):
        write_export(Plan(images, found, decide(found, {}, fix="drop")), tmp_path / "out", format)
    assert not (tmp_path / "out").exists()


def test_a_class_that_loses_all_its_images_is_named(images: LabeledImages, tmp_path: Path) -> None:
    found = judge(images, {3: 0, 4: 0, 5: 0})
    written = write_export(Plan(images, found, decide(found, {}, fix="drop")), tmp_path / "out")
    assert written.notes[-1] == "No image is left of: dog."


@pytest.mark.parametrize("format", ["fiftyone", "labelstudio"])
def test_no_readable_image_is_said_and_leaves_nothing(images: LabeledImages, tmp_path: Path, format: Any) -> None:
    found = judge(images, {}, unreadable=tuple(range(6)))
    with pytest.raises(DataError, match="none of the 6 images can be read"):
        write_export(Plan(images, found, decide(found, {})), tmp_path / "out", format)
    assert not (tmp_path / "out").exists()


def test_unknown_words_are_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no format .*Known: imagefolder, csv"):
        write_export(plan, tmp_path / "out", "coco")
    with pytest.raises(SettingsError, match="must be one of copy, hard"):
        write_export(plan, tmp_path / "out", link="soft")  # type: ignore[arg-type]


def test_images_of_another_run_are_refused(images: LabeledImages, found: Detection) -> None:
    with pytest.raises(DataError, match="not those of the verdicts"):
        Plan(images.keep([1, 0, 2, 3, 4, 5]), found, decide(found, {}))
    with pytest.raises(DataError, match="5 images"):
        Plan(images.keep([0, 1, 2, 3, 4]), found, decide(found, {}))


def test_pushing_without_a_network_is_one_clear_sentence(found: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="me/photos can't be pushed to the Hugging Face Hub") as told:
        found.push_to_hub("me/photos")
    assert "\n" not in str(told.value)
    with pytest.raises(SettingsError, match="user/name"):
        found.push_to_hub("photos of mine")


def test_what_is_pushed_is_the_table(found: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[Any] = []
    monkeypatch.setattr(
        datasets.Dataset, "push_to_hub", lambda self, *args, **options: pushed.append((self, args, options))
    )
    assert found.push_to_hub("me/photos", private=True) == "https://huggingface.co/datasets/me/photos"
    ((table, arguments, options),) = pushed
    assert (arguments, options) == (("me/photos",), {"private": True})
    assert table.column_names == list(found.table.columns)
    assert table["predicted_label"][:5] == ["cat", "dog", "cat", "cat", "dog"]
