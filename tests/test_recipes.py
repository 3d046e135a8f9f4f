"""The recipes of CONTRIBUTING.md, each followed to the letter and used through the public door."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```python\n# (?:(\w+) in )?src/(deft/\S+)\.py\n(.*?)```", re.DOTALL)
FILES = {
    "deft/bench/datasets/two_lists",
    "deft/data/colon_lines",
    "deft/detectors/fair_share",
    "deft/encoders/alias",
    "deft/export/label_list",
    "deft/methods/focal",
}
START = """
import importlib, sys
for room in ("data", "detectors", "methods", "encoders", "export", "bench/datasets"):
    importlib.import_module("deft." + room.replace("/", ".")).__path__.append(f"{sys.argv[1]}/deft/{room}")
for table, module, line in TABLES:
    home = importlib.import_module(module)
    setattr(home, table, {**getattr(home, table), **line})
sys.argv = ["deft", *sys.argv[2:]]
"""
"""The new files are found in their rooms, and the lines stand in their tables, before anything else is loaded."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the new files, and `start.py` with the lines in their tables."""
    folder = tmp_path_factory.mktemp("house")
    tables, files = [], set()
    for table, path, body in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        if table:
            key, value = re.fullmatch(r'"(.+)": "(.+)",\n', body).groups()  # type: ignore[union-attr]
            tables.append((table, path.replace("/", "."), {key: value}))
        else:
            files.add(path)
            place = folder / f"{path}.py"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(body, encoding="utf-8")
    assert files == FILES
    assert len(tables) == len(FILES)
    (folder / "start.py").write_text(f"TABLES = {tables!r}\n{START}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for number in range(6):
            pixels = rng.integers(0, 255, (24, 24, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(house: Path, photos: Path) -> Path:
    """What the new detector said of the photos."""
    folder = house / "run"
    _deft(house, "detect", str(photos), "--method", "fair-share", "--model", "tiny", "-o", str(folder), "--quiet")
    return folder


def test_a_new_detector_judges(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert summary["settings"]["detector"] == "fair-share"
    assert summary["images"] == 12


def test_a_new_format_is_exported(house: Path, run: Path) -> None:
    target = house / "list"
    _deft(house, "export", str(run), "--to", str(target), "--as", "list", "--fix", "relabel", "--quiet")
    lines = (target / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12
    assert {line.partition("\t")[0] for line in lines} <= {"cat", "dog"}


def test_a_new_method_learns(house: Path, photos: Path) -> None:
    options = ("--backbone", "tiny", "--method", "focal", "--tuning", "frozen", "--epochs", "1", "--quiet")
    _deft(house, "adapt", str(photos), *options, "-o", str(house / "model"))
    record = json.loads((house / "model" / "training.json").read_text(encoding="utf-8"))
    assert record["method"] == {"type": "Focal", "gamma": 2.0}


def test_a_new_encoder_is_loaded(house: Path) -> None:
    folder = house / "alias"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "deft-alias", "of": "tiny"}), encoding="utf-8")
    said = _python(house, f"import deft; print(deft.load_encoder({str(folder)!r}).name)")
    assert said.strip() == str(folder)


def test_a_new_kind_of_table_is_read(house: Path, photos: Path) -> None:
    table = photos / "list.colons"
    table.write_text("cat: cat/0.png\ndog: dog/1.png\n", encoding="utf-8")
    code = f"import deft; i = deft.load_images({str(table)!r}); print(i.file_name, [i.classes[k] for k in i.labels])"
    assert _python(house, code).strip() == "('cat/0.png', 'dog/1.png') ['cat', 'dog']"


def test_a_new_data_set_is_recognised_and_read(house: Path, photos: Path) -> None:
    for part, numbers in (("train", range(4)), ("test", range(4, 6))):
        rows = [f"{name}/{number}.png {name}\n" for name in ("cat", "dog") for number in numbers]
        (photos / f"photos.{part}").write_text("".join(rows), encoding="utf-8")
    code = (
        "from deft.bench.datasets.registry import benchmark_set, recognised\n"
        f"name, = recognised({str(photos)!r})\n"
        f"splits = benchmark_set(name).read({str(photos)!r})\n"
        "print(name, len(splits.train), len(splits.test), splits.test.labels.tolist())"
    )
    assert _python(house, code).strip() == "two-lists 8 4 [0, 0, 1, 1]"
    for part in ("train", "test"):
        (photos / f"photos.{part}").unlink()


def _deft(house: Path, *words: str) -> str:
    return _python(house, "from deft.cli import main; main()", *words)


def _python(house: Path, code: str, *words: str) -> str:
    start = (house / "start.py").read_text(encoding="utf-8")
    command = [sys.executable, "-c", f"{start}\n{code}", str(house), *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.returncode in (0, 3), done.stderr
    return done.stdout
