"""The same scores from a Ray cluster of two nodes, one of which is killed half way; skipped where Ray is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import deft
from deft.engines.ray_data import RayEngine
from deft.engines.score import score
from deft.errors import DataError
from deft.runs.source import Source

ray = pytest.importorskip("ray", exc_type=ImportError)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Ray warns of itself
]


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def table(output: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted((output / "parts").iterdir())])


def test_a_killed_node_loses_nothing_and_doubles_nothing(
    photos: Path, detector: Path, cluster: Any, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"part_size": 2, "device": "cpu", "workers": 0}
    score(Source(str(photos)), tmp_path / "local", detector, **settings)
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
    found = score(Source(str(photos)), tmp_path / "ray", detector, engine=RayEngine(actors=2), **settings)
    watcher.join()
    assert 4 <= killed[0] < found.parts == 14
    assert len([node for node in ray.nodes() if node["Alive"]]) == 1
    pd.testing.assert_frame_equal(table(tmp_path / "ray"), table(tmp_path / "local"))
    assert len(set((tmp_path / "ray" / "manifest.jsonl").read_text().splitlines())) == 14


def test_what_is_wrong_with_the_data_is_a_sentence(photos: Path, detector: Path, cluster: Any, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(photos / "cat", tmp_path / "data" / "unicorn")
    with pytest.raises(DataError, match="unicorn"):
        score(Source(str(tmp_path / "data")), tmp_path / "out", detector, engine=RayEngine(), workers=0)
    assert deft.__version__
