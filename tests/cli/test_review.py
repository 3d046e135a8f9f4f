"""`deft review` and `deft detect --with-reviews`, as a user types them."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pandas as pd
import pytest
from tests.two_classes import write_photos
from typer.testing import CliRunner, Result

from deft.cli.app import app
from deft.runs.decisions import Decision, Decisions, now
from deft.runs.detection import Detection
from deft.runs.reviewed import load_before
from deft.runs.source import Source
from deft.runs.vocabulary import Status

FAST = ["--epochs", "2", "--context", "4", "--length", "3", "--device", "cpu", "--seed", "3"]


def deft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of ten photos."""
    return write_photos(tmp_path / "photos", 10)


@pytest.fixture
def run(photos: Path, clip_folder: Path, tmp_path: Path) -> Path:
    result = deft("detect", photos, "-o", tmp_path / "run", "--model", clip_folder, "--limit", "16", *FAST)
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def decide(run: Path, decisions: list[tuple[Status, str | None]]) -> list[str]:
    """Decide about the first images; gives their names."""
    found = Detection.load(run)
    with Decisions(run) as log:
        for row, (status, label) in enumerate(decisions):
            given = found.classes[found.given[row]]
            to_label = given if status == "kept" else label
            log.record(Decision(found.sample_id[row], status, given, to_label, "Ada", now()), 0)
    return list(found.sample_id[: len(decisions)])


def test_the_next_run_holds_exactly_the_decisions(run: Path, tmp_path: Path) -> None:
    before = pd.read_csv(run / "labels.csv")
    other = "dog" if before["given_label"][1] == "cat" else "cat"
    decided = [("kept", None), ("corrected", other), ("none_of_these", None), ("bad_image", None), ("skipped", None)]
    decide(run, decided)  # type: ignore[arg-type]
    result = deft("detect", run, "--with-reviews", "-o", tmp_path / "next", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "1 label confirmed, 1 corrected, 2 images set aside" in result.stdout
    after = pd.read_csv(tmp_path / "next" / "labels.csv")
    assert after["sample_id"].tolist() == before["sample_id"].tolist()
    expected = before["given_label"].tolist()
    expected[1] = other
    assert after["given_label"].tolist() == expected
    assert after["label_score"][:2].tolist() == [1.0, 1.0]
    assert not after["is_label_issue"][:4].any()
    assert after["read_error"].notna().tolist() == [False, False, True, True] + [False] * 12
    assert "none of the classes" in after["read_error"][2]
    settings = [json.loads((folder / "summary.json").read_text())["settings"] for folder in (run, tmp_path / "next")]
    assert settings[0] == settings[1]
    old = load_before(tmp_path / "next")
    assert old is not None
    assert old.table["given_label"].tolist() == before["given_label"].tolist()


def test_reviews_carry_on_through_runs(run: Path, tmp_path: Path) -> None:
    before = pd.read_csv(run / "labels.csv")
    other = "dog" if before["given_label"][0] == "cat" else "cat"
    (name,) = decide(run, [("corrected", other)])
    deft("detect", run, "--with-reviews", "-o", tmp_path / "b", "--detector", run / "detector", "--device", "cpu")
    with Decisions(tmp_path / "b") as log:
        log.undo(name, "Ben", now(), expected=1)
    result = deft(
        "detect", tmp_path / "b", "--with-reviews", "-o", tmp_path / "c", "--detector", run / "detector", "-q"
    )
    assert result.exit_code == 0, result.output
    labels = [pd.read_csv(tmp_path / folder / "labels.csv")["given_label"][0] for folder in ("b", "c")]
    assert labels == [other, before["given_label"][0]]


def test_what_the_run_decides_can_not_be_given(run: Path, tmp_path: Path) -> None:
    decide(run, [("kept", None)])
    for words in (["--model", "tiny"], ["--limit", "5"], ["--seed", "0"], ["--label-col", "x"]):
        result = deft("detect", run, "--with-reviews", "-o", tmp_path / "next", *words)
        assert result.exit_code == 2
        assert f"{words[0]} can't be given with it" in " ".join(result.stderr.split())


def test_a_run_without_decisions_says_what_to_do(run: Path, tmp_path: Path) -> None:
    result = deft("detect", run, "--with-reviews", "-o", tmp_path / "next")
    assert result.exit_code == 2
    assert "deft review" in result.stderr
    assert not (run / "reviews.sqlite").exists()


@pytest.mark.parametrize(
    "words",
    [["report"], ["review", "--no-browser"], ["export", "--to", "out"], ["detect", "--with-reviews", "-o", "out"]],
)
def test_what_a_run_lacks_is_said_with_what_to_do(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    decide(run, [("kept", None)])
    monkeypatch.chdir(tmp_path)
    result = deft(words[0], "nowhere", *words[1:])
    assert result.exit_code == 2
    assert "There is no run folder nowhere" in " ".join(result.stderr.split())
    photos.rename(tmp_path / "moved")
    result = deft(words[0], run, *words[1:])
    assert result.exit_code == 2
    assert "no longer at" in result.stderr
    assert "--data" in result.stderr


def test_a_run_is_judged_again_where_its_photos_are_now(run: Path, photos: Path, tmp_path: Path) -> None:
    decide(run, [("kept", None)])
    photos.rename(tmp_path / "moved")
    again = ["--with-reviews", "--data", tmp_path / "moved", "--detector", run / "detector", "-q"]
    result = deft("detect", run, "-o", tmp_path / "next", *again)
    assert result.exit_code == 0, result.output
    assert Source.load(tmp_path / "next").data == str(tmp_path / "moved")
    result = deft("detect", tmp_path / "moved", "-o", tmp_path / "other", "--data", tmp_path / "moved")
    assert result.exit_code == 2
    assert "--data belongs to --with-reviews" in " ".join(result.stderr.split())


def test_review_wants_a_run(tmp_path: Path) -> None:
    result = deft("review", tmp_path, "--no-browser")
    assert result.exit_code == 2
    assert "labels.parquet" in result.stderr


def test_a_taken_port_is_all_that_is_said(run: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        result = deft("review", run, "--no-browser", "--port", other.getsockname()[1])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "leave out --port for a free one" in " ".join(result.stderr.split())


def test_review_wants_a_name(run: Path) -> None:
    result = deft("review", run, "--no-browser", "--reviewer", "  ")
    assert result.exit_code == 2
    assert "--reviewer is empty" in result.stderr


def test_the_risk_of_other_devices_is_said_once_and_first(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[str] = []
    monkeypatch.setattr("deft.reviewing.serve.serve", lambda *given, **named: hosts.append(named["host"]))
    result = deft("review", run, "--host", "0.0.0.0")
    assert result.exit_code == 0
    assert result.stderr.count("without encryption") == 1
    result = deft("review", run, "--no-browser")
    assert result.stderr == ""
    assert hosts == ["0.0.0.0", "127.0.0.1"]


def test_a_host_that_is_not_this_machine_is_one_sentence(run: Path) -> None:
    result = deft("review", run, "--host", "192.0.2.77")
    assert result.exit_code == 2
    assert "give one of its own as --host, or 0.0.0.0" in result.stderr
