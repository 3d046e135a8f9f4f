"""The same scores from a Ray cluster of two nodes, one of which is killed half way; skipped where Ray is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.engines.conftest import NAMES
from typer.testing import CliRunner

from deft.cli.app import app
from deft.engines.ray_data import RayEngine
from deft.engines.score import score
from deft.errors import DataError, SettingsError
from deft.runs.source import Source

ray = pytest.importorskip("ray", exc_type=ImportError)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Ray warns of itself
    pytest.mark.filterwarnings("error::DeprecationWarning:deft.engines.ray_data"),
]
SETTINGS: dict[str, Any] = {"part_size": 2, "device": "cpu", "workers": 0}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    soon = {"health_check_period_ms": 1000, "health_check_initial_delay_ms": 0}  # a dead node is noticed in seconds
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": soon}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def table(output: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted((output / "parts").iterdir())], ignore_index=True)


def noted(output: Path) -> list[str]:
    return (output / "manifest.jsonl").read_text().splitlines()


def test_a_command_learns_from_a_sample_and_a_cluster_scores_the_rest_without_a_word_of_ray_s(
    photos: Path, clip_folder: Path, cluster: Any, tmp_path: Path
) -> None:
    run, kept = tmp_path / "run", tmp_path / "run" / "detector"
    typed = ("detect", photos, "-o", run, "--model", clip_folder, "--sample", "12", "--epochs", "1", "--device", "cpu")
    done = CliRunner().invoke(app, [str(word) for word in (*typed, "-q")])
    assert done.exit_code == 0, done.output
    score(Source(str(photos)), tmp_path / "local", kept, **{**SETTINGS, "part_size": 9})
    words = ["score", photos, tmp_path / "ray", "--detector", kept, "--engine", "ray", "--actors", "1"]
    words += ["--part-size", "9", "--device", "cpu", "--workers", "0"]
    told = subprocess.run(
        [sys.executable, "-m", "deft", *map(str, words)],
        env={**os.environ, "RAY_ADDRESS": cluster.address},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert told.stderr.splitlines() == ["Listing images", "Scoring parts (3 steps)"]
    assert len(told.stdout.splitlines()) == 2
    pd.testing.assert_frame_equal(table(tmp_path / "ray"), table(tmp_path / "local"))
    whole = pd.read_parquet(run / "labels.parquet")
    same = ["sample_id", "file_name", "given_label", "predicted_label", "is_label_issue", "read_error"]
    pd.testing.assert_frame_equal(table(tmp_path / "ray")[same], whole[same])
    assert whole["read_error"].notna().sum() == 2
    np.testing.assert_allclose(table(tmp_path / "ray")["label_score"], whole["label_score"], atol=1e-6)


def test_broken_images_are_rows_and_a_restart_does_what_is_missing_or_damaged(
    photos: Path, detector: Path, cluster: Any, tmp_path: Path
) -> None:
    data, out = tmp_path / "shards", tmp_path / "ray"
    data.mkdir()
    good = [(path.read_bytes(), name) for name in NAMES for path in sorted((photos / name).iterdir())]
    cut = [(content[: len(content) // 2], name) for content, name in good[:3]]
    for number, rows in enumerate((good[:12], cut, good[12:])):
        images, labels = zip(*rows, strict=True)
        pq.write_table(pa.table({"image": images, "label": labels}), data / f"{number}.parquet")
    settings = {**SETTINGS, "part_size": 6}
    score(Source(str(data)), tmp_path / "local", detector, **settings)
    engine = RayEngine(actors=1, address=cluster.address)
    found = score(Source(str(data)), out, detector, engine=engine, **settings)
    assert (found.images, found.judged, found.parts) == (30, 25, 6)
    pd.testing.assert_frame_equal(table(out), table(tmp_path / "local"))
    assert table(out)["read_error"][12:15].notna().all()
    whole = table(out)
    lost, damaged, *_ = sorted((out / "parts").iterdir())
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-20])
    found = score(Source(str(data)), out, detector, engine=engine, **settings)
    assert (found.found, found.parts, len(noted(out))) == (4, 6, 8)
    pd.testing.assert_frame_equal(table(out), whole)
    assert not ray.is_initialized()  # a cluster that was joined is left


def test_what_is_wrong_with_the_data_is_a_sentence(photos: Path, detector: Path, cluster: Any, tmp_path: Path) -> None:
    shutil.copytree(photos / "cat", tmp_path / "data" / "unicorn")
    engine = RayEngine(actors=1, address=cluster.address)
    with pytest.raises(DataError, match="unicorn"):
        score(Source(str(tmp_path / "data")), tmp_path / "out", detector, engine=engine, **SETTINGS)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nonsense"])
def test_where_no_cluster_answers_a_sentence_says_so_at_once(
    photos: Path, detector: Path, tmp_path: Path, address: str
) -> None:
    with pytest.raises(SettingsError, match=f"^No Ray cluster answers at {address}: .*[^.]\\.$"):
        score(Source(str(photos)), tmp_path / "out", detector, engine=RayEngine(address=address), **SETTINGS)


def test_a_killed_node_loses_nothing_and_doubles_nothing(
    photos: Path, detector: Path, cluster: Any, tmp_path: Path
) -> None:
    score(Source(str(photos)), tmp_path / "local", detector, **SETTINGS)
    killed: list[int] = []

    def kill() -> None:
        parts = tmp_path / "ray" / "parts"
        until = time.monotonic() + 300
        while time.monotonic() < until and (not parts.is_dir() or len(list(parts.glob("part-*"))) < 4):
            time.sleep(0.02)
        killed.append(len(list(parts.glob("part-*"))))
        cluster.remove_node(next(node for node in cluster.list_all_nodes() if node is not cluster.head_node))

    watcher = threading.Thread(target=kill)
    watcher.start()
    engine = RayEngine(actors=2, address=cluster.address)
    found = score(Source(str(photos)), tmp_path / "ray", detector, engine=engine, **SETTINGS)
    watcher.join()
    assert 4 <= killed[0] < found.parts == 14
    assert len(cluster.list_all_nodes()) == 1
    pd.testing.assert_frame_equal(table(tmp_path / "ray"), table(tmp_path / "local"))
    assert len(set(noted(tmp_path / "ray"))) == 14
