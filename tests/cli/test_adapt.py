"""`deft adapt`, `predict` and `evaluate`, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from transformers import pipeline
from typer.testing import CliRunner, Result

from deft.adaptation.validation import Watched
from deft.cli.app import app

Folders = Callable[[str], Path]
FAST = ["--epochs", "2", "--device", "cpu", "--batch-size", "4", "-q"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of eight photos."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name, colour in (("cat", 60), ("golden_retriever", 190)):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(colour - 50, colour + 50, size=(24, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def resnet(backbone_folder: Folders) -> Path:
    return backbone_folder("resnet")


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Path:
    """A run on the photos."""
    words = ["--model", "tiny", "--method", "small-loss", "--noise-rate", "0.25", "--tuning", "frozen", "--epochs", "1"]
    result = deft("detect", photos, "-o", tmp_path / "run", *words, "--device", "cpu", "-q")
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def flagged(run: Path) -> int:
    return int(json.loads((run / "summary.json").read_text())["flagged"])


def test_from_photos_to_a_model_to_answers(photos: Path, resnet: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    made = deft("adapt", photos, "-o", model, "--backbone", resnet, *FAST, "--validation", "0.25")
    assert made.exit_code == 0, made.output
    assert "learned 2 classes" in made.stdout
    assert "last epoch" in made.stdout
    names = {"README.md", "config.json", "model.safetensors", "preprocessor_config.json", "training.json"}
    assert {path.name for path in model.iterdir()} == {*names, "manifest.json", "run.toml"}
    card = (model / "README.md").read_text()
    assert "Data: photos\n" in card
    assert str(tmp_path) not in card
    answers = pipeline("image-classification", str(model), device="cpu")(str(photos / "cat" / "0.png"))
    assert {one["label"] for one in answers} == {"cat", "golden_retriever"}

    told = deft("predict", model, photos, "-o", tmp_path / "answers.csv", "--device", "cpu", "-q", "--top", "2")
    assert told.exit_code == 0, told.output
    assert "16 images" in told.stdout
    table = pd.read_csv(tmp_path / "answers.csv")
    assert table["file_name"][0] == "cat/0.png"
    assert json.loads(table["topk_labels"][0])[0] == table["predicted_label"][0]

    scored = deft("evaluate", model, photos, "--device", "cpu", "-q", "--format", "json")
    assert scored.exit_code == 0, scored.output
    outcome = json.loads(scored.stdout)
    given = [name.split("/")[0] for name in table["file_name"]]
    assert outcome["accuracy"] == pytest.approx((table["predicted_label"] == given).mean())
    assert np.sum(outcome["confusion"]) == 16


def test_predictions_of_unlabelled_photos_as_csv_and_parquet(photos: Path, resnet: Path, tmp_path: Path) -> None:
    model, loose = tmp_path / "model", tmp_path / "loose"
    deft("adapt", photos, "-o", model, "--backbone", resnet, *FAST)
    loose.mkdir()
    for number in range(3):
        (photos / "cat" / f"{number}.png").rename(loose / f"{number}.png")
    (loose / "broken.png").write_bytes(b"broken")
    out = tmp_path / "answers.parquet"
    told = deft("predict", model, loose, "--format", "csv", "-o", out, "--device", "cpu", "-q")
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[0].startswith("sample_id,file_name,predicted_label")
    assert len(told.stdout.splitlines()) == 5
    stored = pd.read_parquet(out)
    assert stored["predicted_label"].notna().tolist() == [True, True, True, False]
    assert stored["read_error"][3]
    one = deft("predict", model, loose / "1.png", "--device", "cpu", "-q")
    assert "1.png" in one.stdout


@pytest.mark.parametrize("fix", ["drop", "relabel", "weigh"])
def test_a_run_is_opened_with_its_verdicts(run: Path, resnet: Path, tmp_path: Path, fix: str) -> None:
    wrong = flagged(run)
    assert wrong == 4
    words = ["--fix", fix, "--format", "json"]
    made = deft("adapt", run, "-o", tmp_path / "model", "--backbone", resnet, *FAST, *words)
    assert made.exit_code == 0, made.output
    counts = json.loads(made.stdout)["data"]["counts"]
    assert counts["flagged"] == wrong
    used = {"drop": 0, "relabel": counts.get("relabelled"), "weigh": wrong}[fix]
    assert counts["trained on"] == 16 - wrong + used


def test_what_people_decided_counts(run: Path, resnet: Path, tmp_path: Path) -> None:
    from deft.runs.decisions import Decision, Decisions, now

    table = pd.read_csv(run / "labels.csv")
    one = table[table["is_label_issue"]].iloc[0]
    given = str(one["given_label"])
    with Decisions(run) as log:
        log.record(Decision(str(one["sample_id"]), "kept", given, given, "Ada", now()), None)
    made = deft("adapt", run, "-o", tmp_path / "model", "--backbone", resnet, *FAST, "--format", "json")
    assert made.exit_code == 0, made.output
    counts = json.loads(made.stdout)["data"]["counts"]
    assert counts["confirmed by people"] == 1
    assert counts["trained on"] == 16 - flagged(run) + 1


def test_ctrl_c_resumes_to_the_same_model(
    photos: Path, resnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["adapt", photos, "--backbone", resnet, *FAST, "--validation", "0.25"]
    deft(*words, "-o", tmp_path / "unbroken")
    losses = Watched.losses

    def stopping(self, train, epoch):  # type: ignore[no-untyped-def]
        if epoch == 1:
            raise KeyboardInterrupt
        return losses(self, train, epoch)

    monkeypatch.setattr(Watched, "losses", stopping)
    stopped = deft(*words, "-o", tmp_path / "broken")
    assert stopped.exit_code == 130
    assert "Resume with: deft adapt" in stopped.stderr
    monkeypatch.undo()
    refused = deft(*words, "-o", tmp_path / "broken")
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    resumed = deft(*words, "-o", tmp_path / "broken", "--resume")
    assert resumed.exit_code == 0, resumed.output
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("unbroken", "broken"))
    assert first == second


def test_tiny_with_the_text_as_its_head(photos: Path, tmp_path: Path) -> None:
    words = ["--backbone", "tiny", "--tuning", "frozen", "--head", "text", *FAST]
    made = deft("adapt", photos, "-o", tmp_path / "model", *words)
    assert made.exit_code == 0, made.output
    assert deft("evaluate", tmp_path / "model", photos, "--device", "cpu", "-q").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backbone", "microsoft/resnet-50"], "Use the model 'tiny'"),
        (["--backbone", "tiny", "--fix", "relabel"], "--fix is for a folder that deft detect left"),
        (["--backbone", "tiny", "--keep", "best"], "--keep best needs --validation"),
        (["--backbone", "tiny", "--method", "magic"], "magic"),
        (["--backbone", "tiny", "--validation", "1.5"], "between 0 and 1"),
        (["--backbone", "tiny", "--method", "gce", "--set", "p=0.5"], "There is no setting 'p'. Known: q, warmup."),
        (["--backbone", "tiny", "--method", "gce", "--set", "q=half"], "q can't be 'half': a number is needed"),
        (["--backbone", "tiny", "--method", "elr", "--set", "beta=1"], "below 1"),
        (["--backbone", "tiny", "--set", "optimization.optimizer=lion"], "one of sgd, adam, adamw"),
        (["--backbone", "tiny", "--set", "preprocessing.fit=stretch"], "one of crop, squash"),
        (["--backbone", "tiny", "--set", "preprocessing.size=64"], "There is no setting 'size'. Known: mean, std, fit"),
        (["--backbone", "tiny", "--validation", "nowhere.csv"], "no file or folder nowhere.csv"),
        (["--backbone", "tiny", "--method", "co-teaching", "--tuning", "frozen"], "--noise-rate"),
        (["--backbone", "resnet", "--tuning", "vpt"], "VPT needs"),
        (["--backbone", "resnet", "--tuning", "lora"], "Full, Frozen and Bias fit"),
    ],
)
def test_usage_errors_are_one_sentence(
    photos: Path, resnet: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    words = [str(resnet) if word == "resnet" else word for word in words]
    result = deft("adapt", photos, "-o", tmp_path / "model", *words, "--device", "cpu", "-q")
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr


def test_settings_of_the_method_and_of_the_optimization_are_set(photos: Path, resnet: Path, tmp_path: Path) -> None:
    words = ["--method", "gce", "--set", "q=0.4", "--set", "optimization.weight_decay=0.25", "--lr", "0.125"]
    made = deft("adapt", photos, "-o", tmp_path / "model", "--backbone", resnet, *FAST, *words, "--format", "json")
    assert made.exit_code == 0, made.output
    record = json.loads(made.stdout)
    assert record["method"] == {"type": "GCE", "q": 0.4, "warmup": 0}
    optimization = record["optimization"]
    assert (optimization["weight_decay"], optimization["learning_rate"], optimization["optimizer"]) == (
        0.25,
        0.125,
        "adamw",
    )


def test_how_photos_become_pixels_is_set(photos: Path, resnet: Path, tmp_path: Path) -> None:
    words = ["--set", "preprocessing.fit=squash", "--set", "preprocessing.mean=0.4,0.5,0.6"]
    made = deft("adapt", photos, "-o", tmp_path / "model", "--backbone", resnet, *FAST, *words, "--format", "json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["preprocessing"] == {"fit": "squash", "mean": [0.4, 0.5, 0.6]}
    stated = json.loads((tmp_path / "model" / "preprocessor_config.json").read_text())
    assert (stated["image_mean"], "do_center_crop" in stated) == ([0.4, 0.5, 0.6], False)
    assert "preprocessing" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_options_for_data_do_not_go_with_a_run(run: Path, resnet: Path, tmp_path: Path) -> None:
    result = deft("adapt", run, "-o", tmp_path / "model", "--backbone", resnet, "--label-col", "x", *FAST)
    assert result.exit_code == 2
    assert "leave out --label-col" in " ".join(result.stderr.split())


def test_a_finished_model_is_not_written_over(photos: Path, resnet: Path, tmp_path: Path) -> None:
    words = ["adapt", photos, "-o", tmp_path / "model", "--backbone", resnet, *FAST]
    assert deft(*words).exit_code == 0
    again = deft(*words)
    assert again.exit_code == 2
    assert "holds a model already" in again.stderr


def test_answers_go_into_a_table_outside_of_the_data(photos: Path, tmp_path: Path) -> None:
    inside = deft("predict", tmp_path, photos, "-o", photos / "answers.csv")
    assert "inside the data" in inside.stderr
    other = deft("predict", tmp_path, photos, "-o", tmp_path / "answers.txt")
    assert "expected one of .csv, .parquet" in other.stderr
    nothing = deft("predict", tmp_path / "nowhere", photos)
    assert "There is no folder" in nothing.stderr
    assert "deft adapt RUN -o MODEL makes one" in nothing.stderr
