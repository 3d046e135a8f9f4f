"""A second run takes over what the first has decoded and encoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.detectors.label_match import LabelMatch
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.manifest import intact, replace_sealed
from deft.progress import Silent
from deft.runs.earlier import kept_features, link_computed
from deft.training.workspace import Workspace

T = TypeVar("T")


class Tasks(Silent):
    """Remembers what was worked on."""

    def __init__(self) -> None:
        self.done: dict[str, int | None] = {}

    def track(self, steps: Iterable[T], task: str, total: int | None = None) -> Iterator[T]:
        self.done[task] = total
        return iter(steps)


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return load_encoder("tiny", device="cpu")


@pytest.fixture(scope="module")
def images() -> LabeledImages:
    return digits()[0].keep(np.arange(80))


def test_features_are_not_computed_again(encoder: DualEncoder, images: LabeledImages, tmp_path: Path) -> None:
    first, again, fresh = Tasks(), Tasks(), Tasks()
    some = images.keep(np.arange(70))
    found = LabelMatch(encoder).detect(some, workspace=Workspace(workers=0, progress=first))
    found.save(tmp_path)
    assert first.done["Encoding images"] == 2
    shuffled = images.keep(np.arange(79, -1, -1))  # another order, and ten more
    second = LabelMatch(encoder).detect(shuffled, workspace=Workspace(workers=0, progress=again, earlier=tmp_path))
    assert again.done["Encoding images"] == 1
    alone = LabelMatch(encoder).detect(shuffled, workspace=Workspace(workers=0, progress=fresh))
    assert np.array_equal(second.predicted, alone.predicted)
    assert np.allclose(second.p_clean, alone.p_clean, atol=5e-3)  # features are kept in float16
    second.save(tmp_path)
    third = Tasks()
    LabelMatch(encoder).detect(images, workspace=Workspace(workers=0, progress=third, earlier=tmp_path))
    assert "Encoding images" not in third.done


def test_features_of_another_model_are_left_alone(encoder: DualEncoder, images: LabeledImages, tmp_path: Path) -> None:
    found = LabelMatch(encoder).detect(images, workspace=Workspace(workers=0))
    found.save(tmp_path)
    name = str(found.info["features"])
    assert found.content is not None
    kept = kept_features(tmp_path, name, found.content)
    assert kept is not None
    assert np.array_equal(kept, np.asarray(found.embeddings, np.float32))
    assert kept_features(tmp_path, "another", found.content) is None
    assert kept_features(tmp_path / "nowhere", name, found.content) is None
    replace(found, verdicts=replace(found.verdicts, features=None)).save(tmp_path / "bare")
    assert kept_features(tmp_path / "bare", name, found.content) is None


def test_decoded_images_are_linked(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pixels-1.u8").write_bytes(b"decoded")
    (tmp_path / "b").mkdir()
    link_computed(tmp_path / "a", tmp_path / "b", "pixels-*")
    assert (tmp_path / "b" / "pixels-1.u8").read_bytes() == b"decoded"
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["pixels-1.u8"]


def test_what_has_a_checksum_is_linked_with_it_if_it_is_whole(tmp_path: Path) -> None:
    run, new = tmp_path / "a", tmp_path / "b"
    for folder in (run, new):
        folder.mkdir()
    for name in ("outputs-1.npy", "outputs-2.npy"):
        with replace_sealed(run / name) as temporary:
            temporary.write_bytes(b"encoded")
    (run / "outputs-2.npy").write_bytes(b"damaged")
    (run / "outputs-3.npy").write_bytes(b"without a checksum")
    (run / "pixels-1.part").write_bytes(b"unfinished")
    link_computed(run, new, "*")
    assert {path.name for path in new.iterdir()} == {"outputs-1.npy", "manifest.json"}
    assert intact(new / "outputs-1.npy")
    assert (new / "outputs-1.npy").samefile(run / "outputs-1.npy")
