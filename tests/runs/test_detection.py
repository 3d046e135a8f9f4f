"""What a user reads of a detection."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deft.errors import DataError
from deft.runs.detection import Detection, Verdicts

COLUMNS = [
    "sample_id",
    "file_name",
    "split",
    "given_label",
    "given_label_id",
    "predicted_label",
    "predicted_label_id",
    "is_label_issue",
    "issue_kind",
    "label_score",
    "predicted_prob",
    "topk_labels",
    "topk_probs",
    "read_error",
    "image_note",
]


@pytest.fixture
def found() -> Detection:
    """Five images: clean, wrong, clean, unreadable, very wrong."""
    return Detection(
        sample_id=("a", "b", "c", "d", "e"),
        file_name=("cat/a.png", "cat/b.png", "dog/<script>.png", "dog/d.png", 'dog/🐶,"e".png'),
        split=None,
        classes=("cat", "dog", "o'fish"),
        given=np.array([0, 0, 1, 1, 1]),
        verdicts=Verdicts(
            p_clean=np.array([0.9, 0.3, 0.7, np.nan, 0.01], np.float32),
            is_clean=np.array([True, False, True, False, False]),
            predicted=np.array([0, 1, 1, -1, 2]),
            topk=np.array([[0, 1], [1, 0], [1, 2], [-1, -1], [2, 1]]),
            topk_probs=np.array([[0.8, 0.1], [0.6, 0.3], [0.9, 0.05], [np.nan, np.nan], [0.99, 0.01]], np.float32),
        ),
        read_errors={3: "dog/d.png: truncated"},
        settings={"detector": "test"},
        info={"device": "cpu"},
    )


def test_the_table_has_the_documented_columns(found: Detection) -> None:
    assert list(found.table.columns) == COLUMNS
    row = found.table.iloc[1]
    assert (row["given_label"], row["predicted_label"], bool(row["is_label_issue"])) == ("cat", "dog", True)
    assert row["label_score"] == pytest.approx(0.3)
    assert row["topk_labels"] == ["dog", "cat"]


def test_an_unreadable_row_is_no_issue_and_not_clean(found: Detection) -> None:
    row = found.table.iloc[3]
    assert row["read_error"] == "dog/d.png: truncated"
    assert not row["is_label_issue"]
    assert pd.isna(row["predicted_label"])
    assert row["topk_labels"] == []
    assert not found.is_clean[3]


def test_suspects_come_worst_first(found: Detection) -> None:
    assert found.suspects()["sample_id"].tolist() == ["e", "b"]
    assert found.suspects(limit=1)["sample_id"].tolist() == ["e"]


def test_titles_of_all_classes_are_made_once(found: Detection) -> None:
    """Each card of a report names classes: with thousands of them, a page took a minute."""
    assert found.titles is found.titles


def test_the_summary_counts(found: Detection) -> None:
    summary = found.summary()
    assert (summary["images"], summary["judged"], summary["flagged"], summary["unreadable"]) == (5, 4, 2, 1)
    assert summary["estimated_noise_rate"] == 0.5
    low, high = summary["noise_rate_interval"]
    assert low < 0.5 < high
    dog = summary["per_class"][1]
    assert (dog["Images"], dog["Judged"], dog["Label Issues"], dog["Inverse Label Issues"]) == (3, 2, 1, 1)
    assert {"given": "cat", "suggested": "dog", "images": 1} in summary["confused_pairs"]


def test_files_hold_what_was_found(found: Detection, tmp_path: Path) -> None:
    found.save(tmp_path)
    names = ["labels.csv", "labels.parquet", "manifest.json", "summary.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    flat = pd.read_csv(tmp_path / "labels.csv")
    assert flat["file_name"].tolist() == list(found.file_name)
    assert json.loads(flat["topk_labels"][4]) == ["o'fish", "dog"]
    assert json.loads((tmp_path / "summary.json").read_text())["flagged"] == 2
    notes = json.loads(pq.read_schema(tmp_path / "labels.parquet").metadata[b"deft"])
    assert "low means" in notes["label_score"]


def test_a_saved_detection_is_the_same(found: Detection, tmp_path: Path) -> None:
    found.save(tmp_path)
    again = Detection.load(tmp_path)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert dict(again.read_errors) == dict(found.read_errors)
    assert again.summary() == found.summary()


def test_a_folder_without_a_detection(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no labels\.parquet"):
        Detection.load(tmp_path)


def test_a_table_of_somebody_else(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(DataError, match="not one that deft wrote"):
        Detection.load(tmp_path)
