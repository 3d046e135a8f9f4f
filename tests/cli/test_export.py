"""`deft export` and `deft apply` from a run folder, and what they refuse."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from deft.cli.app import app
from deft.data.load import load_images
from deft.runs.decisions import Decision, Decisions, now
from deft.runs.detection import Detection, Verdicts
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.reviewed import apply_decisions, hand_on
from deft.runs.source import Source

runner = CliRunner()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (6, 5), (40 * index, 100 * number, 10)).save(root / name / f"{index}.png")
    return root


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Path:
    """A run that flags cat/1, and suggests a dog."""
    images = load_images(photos)
    p_clean = np.array([0.9, 0.1, 0.9, 0.9, 0.9, 0.9], np.float32)
    predicted = np.array([0, 1, 0, 1, 1, 1])
    verdicts = Verdicts(p_clean, p_clean > 0.5, predicted, predicted[:, None], np.full((6, 1), 0.8, np.float32))
    found = Detection(
        images.file_name, images.file_name, None, images.classes, images.labels, verdicts, {}, {"detector": "test"}
    )
    found.save(tmp_path / "run")
    Source(str(photos)).save(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("option", ["-o", "--out", "--to"])
def test_every_name_of_the_folder_is_taken(run: Path, tmp_path: Path, option: str) -> None:
    result = runner.invoke(app, ["export", str(run), option, str(tmp_path / "clean")])
    assert result.exit_code == 0
    assert len(list((tmp_path / "clean").rglob("*.png"))) == 5


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["-o", "a", "--to", "b"], "-o and --to both name the folder for the result; give one of them."),
        ([], "The folder for the result is missing: deft export RUN -o DIR."),
    ],
)
def test_two_folders_or_none_are_refused(run: Path, typed: list[str], said: str) -> None:
    result = runner.invoke(app, ["export", str(run), *typed])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not Path("a").exists()


def _review(run: Path, sample: str, label: str) -> None:
    with Decisions(run) as log:
        log.record(Decision(sample, "corrected", "cat", label, "Ada", now()), 0)


def _again(run: Path, new: Path) -> Path:
    """A run that was made from another with its reviews, and judges as that one did."""
    found, images = open_run(run)
    with Decisions(run) as log:
        images = apply_decisions(images, log.history()).images
    lost = sorted(images.read_errors)
    p_clean = found.p_clean.copy()
    p_clean[lost] = np.nan
    errors = {row: f"{images.file_name[row]}: {why}" for row, why in images.read_errors.items()}
    verdicts = replace(found.verdicts, p_clean=p_clean)
    new_detection(images, verdicts, read_errors=errors, settings=found.settings, info={}).save(new)
    Source.load(run).save(new)
    hand_on(run, new)
    return new


def _deft(*arguments: object) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_a_clean_folder_is_what_comes_without_options(run: Path, tmp_path: Path) -> None:
    result = _deft("export", run, "--to", tmp_path / "clean", "-q")
    assert result.exit_code == 0, result.stderr
    assert "6 images in the run: keep 5, drop (verdict) 1" in result.stdout
    assert "5 images written as imagefolder" in result.stdout
    assert "1 image left out (1 with a wrong label by the verdict), listed in left_out.csv." in result.stdout
    assert len(list((tmp_path / "clean").rglob("*.png"))) == 5


@pytest.mark.parametrize(
    ("use", "fix", "expected"),
    [
        ("verdicts", "relabel", ["cat", "dog", "cat"]),
        ("verdicts", "drop", ["cat", "cat"]),
        ("both", "relabel", ["dog", "dog", "cat"]),
        ("both", "drop", ["dog", "cat"]),
        ("reviews", "drop", ["dog", "cat", "cat"]),
        ("both", "keep", ["dog", "cat", "cat"]),
    ],
)
def test_whose_word_counts(run: Path, tmp_path: Path, use: str, fix: str, expected: list[str]) -> None:
    """Ada says that cat/0 is a dog; the detector that cat/1 is."""
    _review(run, "cat/0.png", "dog")
    result = _deft("export", run, "--to", tmp_path / "out", "--as", "csv", "--use", use, "--fix", fix, "-q")
    assert result.exit_code == 0, result.stderr
    labels = pd.read_csv(tmp_path / "out" / "labels.csv")["label"].tolist()
    assert labels == [*expected, "dog", "dog", "dog"]


@pytest.mark.parametrize(
    "format", ["imagefolder", "csv", "parquet", "hf", "cleanlab", "fiftyone", "labelstudio", "patch"]
)
def test_every_format_by_name(run: Path, tmp_path: Path, format: str) -> None:
    result = _deft("export", run, "--to", tmp_path / "out", "--as", format, "--fix", "relabel", "-q")
    assert result.exit_code == 0, result.stderr
    assert f"{1 if format == 'patch' else 6} {'change' if format == 'patch' else 'images'} written" in result.stdout
    assert any((tmp_path / "out").iterdir())


def test_a_run_made_with_reviews_exports_all_that_was_decided(run: Path, tmp_path: Path) -> None:
    """Its given labels are the corrected ones, but those of the data aren't."""
    _review(run, "cat/0.png", "dog")
    with Decisions(run) as log:
        log.record(Decision("cat/2.png", "bad_image", "cat", None, "Ada", now()), 0)
        log.record(Decision("dog/0.png", "bad_image", "dog", None, "Ada", now()), 0)
        log.record(Decision("dog/1.png", "corrected", "dog", "cat", "Ada", now()), 0)
    new = _again(run, tmp_path / "new")
    for number, at in enumerate((run, new)):
        for format, use in (("patch", "reviews"), ("csv", "both"), ("labelstudio", "both")):
            result = _deft("export", at, "--to", tmp_path / f"{format}{number}", "--as", format, "--use", use, "-q")
            assert result.exit_code == 0, result.stderr
    files = ("patch{}/patch.json", "csv{}/left_out.csv")
    assert all((tmp_path / name.format(0)).read_text() == (tmp_path / name.format(1)).read_text() for name in files)
    tables = [pd.read_csv(tmp_path / f"csv{number}/labels.csv").drop(columns="label_score") for number in (0, 1)]
    assert tables[0].equals(tables[1])
    tasks = [json.loads((tmp_path / f"labelstudio{number}/tasks.json").read_text()) for number in (0, 1)]
    given = [{task["data"]["sample_id"]: task["data"]["given_label"] for task in some} for some in tasks]
    assert given[0] == given[1]
    with Decisions(new) as log:  # taken back: each image is as it came
        log.undo("dog/0.png", "Ada", now(), 1)
        log.undo("dog/1.png", "Ada", now(), 1)
    assert _deft("export", new, "--to", tmp_path / "back", "--as", "csv", "-q").exit_code == 0
    table = pd.read_csv(tmp_path / "back/labels.csv").set_index("sample_id")
    assert table["label"].to_dict() == {"cat/0.png": "dog", "dog/0.png": "dog", "dog/1.png": "dog", "dog/2.png": "dog"}
    assert table["label_before"].to_dict() == {**table["label"].to_dict(), "cat/0.png": "cat"}


def test_a_patch_goes_on_and_comes_off(run: Path, photos: Path, tmp_path: Path) -> None:
    made = _deft("export", run, "--to", tmp_path / "out", "--as", "patch", "--fix", "relabel", "-q")
    assert made.exit_code == 0
    assert f"deft apply {shlex.quote(str(tmp_path / 'out/patch.json'))} DATA -o TABLE" in made.stdout  # to be copied
    patch, once, twice, back = (tmp_path / name for name in ("out/patch.json", "1.csv", "2.csv", "3.csv"))
    result = _deft("apply", patch, photos, "-o", once, "-q")
    assert (result.exit_code, result.stdout) == (0, f"1 of 1 changes made: {once}\n")
    result = _deft("apply", patch, once, "-o", twice, "-q")
    assert (result.exit_code, result.stdout) == (0, f"0 of 1 changes made, 1 were there already: {twice}\n")
    result = _deft("apply", patch, twice, "-o", back, "--reverse", "-q")
    assert (result.exit_code, result.stdout) == (0, f"1 of 1 changes taken back: {back}\n")
    read = [pd.read_csv(path)["label"].tolist() for path in (once, twice, back)]
    assert read[0] == read[1] == ["cat", "dog", "cat", "dog", "dog", "dog"]
    assert read[2] == ["cat"] * 3 + ["dog"] * 3


def test_what_a_patch_could_not_do_is_listed(run: Path, photos: Path, tmp_path: Path) -> None:
    _review(run, "cat/0.png", "dog")
    assert _deft("export", run, "--to", tmp_path / "out", "--as", "patch", "--fix", "relabel", "-q").exit_code == 0
    (photos / "cat" / "1.png").unlink()
    result = _deft("apply", tmp_path / "out" / "patch.json", photos, "-o", tmp_path / "t.csv", "-q")
    assert result.exit_code == 0
    assert "1 of 2 changes made, 1 could not be" in result.stdout
    assert "Not: cat/1.png: not in this data" in result.stdout


def test_moved_images_are_found_where_they_are_said_to_be(run: Path, photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "moved")
    assert _deft("export", run, "--to", tmp_path / "out", "-q").exit_code == 2
    result = _deft("export", run, "--to", tmp_path / "out", "--data", tmp_path / "moved", "-q")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["RUN", "--to", "full"], "not empty"),
        (["RUN", "--to", "photos/clean"], "inside the"),
        (["RUN", "--to", "photos/cat/clean"], "inside the"),
        (["RUN", "--to", "out", "--as", "coco"], "coco"),
        (["RUN", "--to", "out", "--use", "reviews"], "No image of this run was reviewed"),
        (["RUN", "--to", "out", "--as", "csv", "--link", "hard"], "--link belongs to"),
        (["RUN", "--to", "out", "--root", "photos"], "--root belongs to"),
        (["RUN", "--to", "out", "--push", "me/x"], "--push belongs to"),
        (["RUN", "--to", "out", "--private"], "--private belongs to"),
        (["RUN", "--to", "out", "--as", "hf", "--push", "x"], "user/name"),
        (["photos", "--to", "out"], "holds no labels.parquet"),
        (["nowhere", "--to", "out"], "There is no run folder"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    result = _deft("export", *["run" if option == "RUN" else option for option in options], "-q")
    assert result.exit_code == 2
    assert says in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("out", "says"),
    [("t.txt", ".csv or .parquet"), ("photos/t.csv", "inside the data"), ("there.csv", "there already")],
)
def test_apply_writes_only_new_tables(run: Path, photos: Path, tmp_path: Path, out: str, says: str) -> None:
    (tmp_path / "there.csv").write_text("mine")
    result = _deft("apply", tmp_path / "patch.json", photos, "-o", tmp_path / out, "-q")
    assert result.exit_code == 2
    assert says in result.stderr
    assert (tmp_path / "there.csv").read_text() == "mine"
