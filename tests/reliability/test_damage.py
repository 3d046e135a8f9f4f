"""Files that were cut, zeroed or flipped are found before they are used; caches are made anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deft.adaptation.model import AdaptedModel
from deft.data.load import load_images
from deft.detectors.deft_trained import TrainedDeFT
from deft.errors import DataError, DeftError
from deft.manifest import MANIFEST, check, checksum, intact, replace_sealed
from deft.runs.decisions import read_log
from deft.runs.folder import open_run

from .tools import FAST, deft, one_sentence

Damage = Callable[[bytes], list[bytes]]


def cut(content: bytes) -> list[bytes]:
    return [b"", content[: len(content) // 2], content[:-1]]


def zero(content: bytes) -> list[bytes]:
    return [bytes(len(content)), content[: len(content) // 2] + bytes(len(content) - len(content) // 2)]


def flip(content: bytes) -> list[bytes]:
    """One bit each, at places drawn by a seed."""
    rng = np.random.default_rng(len(content))
    flipped = []
    for place in rng.integers(len(content), size=6).tolist():
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        flipped.append(bytes(changed))
    return flipped


DAMAGES = pytest.mark.parametrize("damage", [cut, zero, flip])


def broken(path: Path, damage: Damage) -> list[bytes]:
    """Return the damaged contents of a file that differ from its own."""
    content = path.read_bytes()
    return [one for one in damage(content) if one != content]


@DAMAGES
@pytest.mark.parametrize("name", ["labels.parquet", "run.json", MANIFEST])
def test_a_damaged_run_is_not_opened(run: Path, name: str, damage: Damage) -> None:
    for content in broken(run / name, damage):
        (run / name).write_bytes(content)
        with pytest.raises(DataError, match=r"damaged"):
            open_run(run)


@DAMAGES
def test_a_damaged_log_of_decisions_is_not_read_as_another(run: Path, damage: Damage) -> None:
    path = run / "reviews.sqlite"
    log = read_log(run)
    found = 0
    for content in broken(path, damage):
        path.write_bytes(content)
        try:
            assert read_log(run) == log  # what was hit held nothing
        except DataError:
            found += 1
    assert found >= (0 if damage is flip else 2)  # see the next test for what holds something


def test_every_bit_of_a_decision_counts(run: Path) -> None:
    path = run / "reviews.sqlite"
    content = path.read_bytes()
    place = content.index(b"cat/3.png") - 1
    for offset in range(40):
        changed = bytearray(content)
        changed[place + offset] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(DataError, match=r"reviews\.sqlite can't be read"):
            read_log(run)


@DAMAGES
@pytest.mark.parametrize("name", ["detector.json", "detector.safetensors", MANIFEST])
def test_a_damaged_detector_is_not_used(run: Path, name: str, damage: Damage) -> None:
    path = run / "detector" / name
    for content in broken(path, damage):
        path.write_bytes(content)
        with pytest.raises(DeftError, match=r"damaged"):
            TrainedDeFT.from_pretrained(run / "detector", device="cpu")


@DAMAGES
@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "preprocessor_config.json", "training.json", MANIFEST]
)
def test_a_damaged_model_is_not_used(model: Path, name: str, damage: Damage) -> None:
    for content in broken(model / name, damage):
        (model / name).write_bytes(content)
        with pytest.raises(DeftError, match=r"damaged"):
            AdaptedModel.load(model, device="cpu")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json", "training.json"])
def test_a_model_that_lacks_a_file_is_not_used(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(DeftError, match=rf"{name} is missing"):
        AdaptedModel.load(model, device="cpu")


def test_the_card_of_a_model_may_be_edited(model: Path) -> None:
    (model / "README.md").write_text("Mine.")
    (model / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert AdaptedModel.load(model, device="cpu").classes == ("cat", "dog")


@DAMAGES
def test_a_damaged_checkpoint_is_not_resumed_from(run: Path, photos: Path, clip_folder: Path, damage: Damage) -> None:
    path = run / "checkpoint.safetensors"
    for content in broken(path, damage)[:2]:
        path.write_bytes(content)
        result = deft("detect", photos, "-o", run, "--model", clip_folder, *FAST, "--resume")
        assert "checkpoint.safetensors was damaged" in one_sentence(result)


@DAMAGES
@pytest.mark.parametrize("kind", ["u8", "json", "contents"])
def test_damaged_caches_are_made_anew(run: Path, photos: Path, clip_folder: Path, kind: str, damage: Damage) -> None:
    before = pd.read_parquet(run / "labels.parquet")
    path = run / "contents.parquet" if kind == "contents" else next(run.glob(f"pixels-*.{kind}"))
    sums = checksum(path)
    content = broken(path, damage)[-1]
    path.write_bytes(content)
    one_sentence(deft("detect", photos, "-o", run, "--model", clip_folder, *FAST, "--resume"), 0)
    pd.testing.assert_frame_equal(pd.read_parquet(run / "labels.parquet"), before)
    assert kind == "contents" or checksum(path) == sums
    assert kind == "u8" or intact(path)


def test_damage_is_one_sentence_on_the_command_line(run: Path, model: Path, photos: Path) -> None:
    for path in (run / "labels.parquet", run / "detector" / "detector.json", model / "model.safetensors"):
        path.write_bytes(path.read_bytes()[:-9])
    assert "labels.parquet was damaged" in one_sentence(deft("report", run))
    assert "labels.parquet was damaged" in one_sentence(deft("export", run, "--to", run.parent / "to"))
    judged = deft("detect", photos, "-o", run.parent / "new", "--detector", run / "detector")
    assert "detector.json was damaged" in one_sentence(judged)
    assert not (run.parent / "new").exists()
    assert "model.safetensors was damaged" in one_sentence(deft("predict", model, photos))


def test_a_run_without_a_manifest_is_read(run: Path) -> None:
    (run / MANIFEST).unlink()
    assert len(open_run(run)[0]) == 16


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"a": ' * 100_000])
@pytest.mark.parametrize("name", ["run.json", "detector/detector.json"])
def test_strange_json_is_a_sentence(run: Path, name: str, text: str) -> None:
    (run / name).write_text(text)
    (run / name).with_name(MANIFEST).unlink()
    with pytest.raises(DeftError):
        open_run(run) if name == "run.json" else TrainedDeFT.from_pretrained(run / "detector", device="cpu")


def test_while_a_file_is_replaced_both_contents_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for text in ("old", "new"):
        with replace_sealed(path) as temporary:
            temporary.write_text(text)
        check(path)
    known = json.loads((tmp_path / MANIFEST).read_text())["files"]
    assert known == {"a": [checksum(path)]}
    path.write_text("other")
    assert not intact(path)
    with pytest.raises(DataError, match="a was damaged"):
        check(path)
    path.unlink()
    with replace_sealed(tmp_path / "b") as temporary:
        temporary.write_text("b")
    assert set(json.loads((tmp_path / MANIFEST).read_text())["files"]) == {"b"}


def test_images_that_are_opened_are_those_of_the_copy(run: Path, photos: Path) -> None:
    """The copies that these tests break are whole to begin with."""
    assert len(load_images(photos)) == len(open_run(run)[0])
    shutil.rmtree(run)
