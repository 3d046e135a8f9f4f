"""Parts are scored as a whole detection would, whatever stops them."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.engines.conftest import NAMES, picture

import deft
from deft.engines.judges import Judge, LabelMatching
from deft.engines.ledger import MANIFEST, Ledger, Record
from deft.engines.parts import Part, find_units, make_parts
from deft.engines.score import Scored, score
from deft.engines.scorer import Work
from deft.errors import DataError
from deft.runs.source import Source


@pytest.fixture(scope="module")
def shards(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photos in three Parquet files of image bytes, one of them of a single class."""
    folder = tmp_path_factory.mktemp("shards")
    rows = [(name, path.read_bytes()) for name in NAMES for path in sorted((photos / name).iterdir())]
    for number, (start, stop) in enumerate(((0, 8), (8, 20), (20, 27))):
        labels, images = zip(*rows[start:stop], strict=True)
        pq.write_table(pa.table({"image": images, "label": labels}), folder / f"{number}.parquet")
    return folder


def scored(source: Path, output: Path, detector: Path | Judge, **settings: Any) -> tuple[Scored, pd.DataFrame]:
    settings = {"part_size": 5, "device": "cpu", "workers": 0, **settings}
    found = score(Source(str(source)), output, detector, **settings)
    return found, pd.concat([pd.read_parquet(path) for path in sorted((output / "parts").iterdir())])


def assert_equal(table: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Rows are the same, up to the rounding of batches of another size."""
    close = ["label_score", "predicted_prob", "none_prob", "prompt_margin"]
    lists = ["topk_labels", "topk_probs", "duplicate_group", "duplicate_kind", "is_clean", "noise_threshold"]
    same = [name for name in whole.columns if name not in (*close, *lists)]
    table = table.reset_index(drop=True).replace({np.nan: None})
    whole = whole.replace({np.nan: None})
    pd.testing.assert_frame_equal(table[same], whole[same], check_dtype=False)
    for name in whole.columns.intersection(close):
        np.testing.assert_allclose(table[name].astype(float), whole[name].astype(float), atol=1e-6, err_msg=name)


def test_a_folder_in_parts_is_what_detect_says(photos: Path, detector: Path, tmp_path: Path) -> None:
    found, table = scored(photos, tmp_path / "out", detector)
    whole = deft.TrainedDeFT.from_pretrained(detector, device="cpu").detect(deft.load_images(photos))
    assert_equal(table, whole.table)
    assert found == Scored(27, 25, int(whole.is_label_issue.sum()), 6, 0)
    assert table["read_error"].notna().sum() == 2
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["judged"] == 25


def test_parquet_files_of_one_class_and_of_broken_images(shards: Path, detector: Path, tmp_path: Path) -> None:
    source = tmp_path / "shards"
    shutil.copytree(shards, source)
    pq.write_table(
        pa.table({"image": [b"broken 1", b"broken 2", b"broken 3"], "label": ["cat", "dog", "dog"]}),
        source / "9.parquet",
    )
    found, table = scored(source, tmp_path / "out", detector, part_size=6)
    whole = deft.TrainedDeFT.from_pretrained(detector, device="cpu").detect(deft.load_images(source))
    assert_equal(table, whole.table)
    assert (found.images, found.judged, found.parts) == (30, 25, 7)
    assert [path.name for path in sorted((tmp_path / "out" / "parts").iterdir())][2:4] == [
        "part-000001-0000000000.parquet",
        "part-000001-0000000006.parquet",
    ]


def test_web_dataset_shards(photos: Path, detector: Path, tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "shards").mkdir()
    for number in range(2):
        with tarfile.open(tmp_path / "shards" / f"{number}.tar", "w") as tar:
            for name in NAMES:
                for path in sorted((photos / name).iterdir())[number::2]:
                    for ending, content in ((".png", path.read_bytes()), (".cls", name.encode())):
                        member = tarfile.TarInfo(f"{name}{path.stem}{ending}")
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
    _, table = scored(tmp_path / "shards", tmp_path / "out", detector)
    found = deft.load_images(tmp_path / "shards")
    assert_equal(table, deft.TrainedDeFT.from_pretrained(detector, device="cpu").detect(found).table)


def test_photos_in_a_store_are_scored_as_those_on_the_disk(photos: Path, detector: Path, tmp_path: Path) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    for path in photos.rglob("*.png"):
        files.pipe_file(f"/scored/photos/{path.relative_to(photos).as_posix()}", path.read_bytes())
    settings: dict[str, Any] = {"part_size": 10, "device": "cpu", "workers": 0}
    score(Source("memory://scored/photos"), tmp_path / "store", detector, **settings)
    _, disk = scored(photos, tmp_path / "disk", detector, part_size=10)
    store = pd.concat([pd.read_parquet(path) for path in sorted((tmp_path / "store" / "parts").iterdir())])
    assert store["label_score"].equals(disk["label_score"])
    assert store["file_name"].equals(disk["file_name"])


class Counting:
    """An engine that notes what it is asked to do, and stops after some parts."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.asked: list[str] = []

    def __call__(self, parts: Sequence[Part], work: Work) -> Iterator[Record]:
        from deft.engines.scorer import Scorer

        scorer = Scorer(work)
        for part in parts[: self.most]:
            self.asked.append(part.file)
            yield scorer.score(part)
        if self.most < len(parts):
            raise KeyboardInterrupt


def test_a_restart_does_what_is_missing_or_damaged(photos: Path, detector: Path, tmp_path: Path) -> None:
    _, whole = scored(photos, tmp_path / "whole", detector)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        scored(photos, out, detector, engine=Counting(4))
    lost, cut, *_ = sorted((out / "parts").iterdir())
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-20])
    with (out / MANIFEST).open("ab") as file:
        file.write(b'{"file": "part-0000')  # killed within a line
    again = Counting()
    found, table = scored(photos, out, detector, engine=again)
    assert again.asked[:2] == [lost.name, cut.name]
    assert (len(again.asked), found.found, found.parts) == (4, 2, 6)
    pd.testing.assert_frame_equal(table, whole)
    third = Counting()
    assert scored(photos, out, detector, engine=third)[0].found == 6
    assert third.asked == []


@pytest.mark.parametrize("what", ["all", "a part"])
def test_verdicts_that_vanish_meanwhile_are_missed(photos: Path, detector: Path, tmp_path: Path, what: str) -> None:
    def vanishing(parts: Sequence[Part], work: Work) -> Iterator[Record]:
        for number, record in enumerate(Counting()(parts, work)):
            yield record
            if number == 1:
                gone = tmp_path / "out"
                shutil.rmtree(gone) if what == "all" else (gone / "parts" / record.file).unlink()

    with pytest.raises(DataError, match="vanished"):
        scored(photos, tmp_path / "out", detector, engine=vanishing)
    assert not (tmp_path / "out" / "summary.json").exists()
    if what == "all":
        shutil.rmtree(tmp_path / "out", ignore_errors=True)  # as the sentence says
    found, table = scored(photos, tmp_path / "out", detector)
    assert (found.found, found.parts, len(table)) == (0 if what == "all" else 5, 6, 27)


def test_other_data_or_another_detector_is_refused(photos: Path, detector: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    scored(data, tmp_path / "out", detector)
    (data / "cat" / "10.png").write_bytes(picture(np.random.default_rng(0), 50))
    with pytest.raises(DataError, match="scores with another data"):
        scored(data, tmp_path / "out", detector)
    with pytest.raises(DataError, match="and part_size"):
        scored(photos, tmp_path / "out", detector, part_size=6)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        scored(photos, tmp_path / "full", detector)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_classes_that_the_detector_does_not_know(detector: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos / "cat", tmp_path / "data" / "unicorn")
    shutil.copytree(photos / "dog", tmp_path / "data" / "dog")
    with pytest.raises(DataError, match="unicorn"):
        scored(tmp_path / "data", tmp_path / "out", detector)


def test_label_match_over_parts_is_what_detect_says(shards: Path, clip_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "shards"
    shutil.copytree(shards, source)  # the first file has one class, the second two; so have most parts
    pq.write_table(pa.table({"image": [b"broken 1"], "label": ["cat"]}), source / "9.parquet")
    found, table = scored(source, tmp_path / "out", LabelMatching(str(clip_folder)), part_size=6)
    whole = deft.LabelMatch(deft.load_encoder(str(clip_folder), device="cpu")).detect(deft.load_images(source))
    assert_equal(table, whole.table)
    assert (table["predicted_label_id"].to_numpy() == whole.table["predicted_label_id"].to_numpy()).all()
    assert (found.images, found.judged) == (28, 25)
    again = scored(source, tmp_path / "out", LabelMatching(str(clip_folder)), part_size=6)[0]
    assert again.found == again.parts
    with pytest.raises(DataError, match="another detector"):
        scored(source, tmp_path / "out", LabelMatching("tiny"), part_size=6)


def test_label_match_reads_the_words_that_are_given_for_all_files(
    shards: Path, clip_folder: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\ta tabby\ndog\ta hound\nbird\ta finch\n")
    settings: dict[str, Any] = {"part_size": 6, "device": "cpu", "workers": 0}
    score(Source(str(shards), words=str(words)), tmp_path / "out", LabelMatching(str(clip_folder)), **settings)
    table = pd.concat([pd.read_parquet(path) for path in sorted((tmp_path / "out" / "parts").iterdir())])
    images = deft.load_images(shards, words=words)
    whole = deft.LabelMatch(deft.load_encoder(str(clip_folder), device="cpu")).detect(images)
    assert_equal(table, whole.table)


def test_label_match_needs_two_classes(photos: Path, clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(photos / "cat", tmp_path / "data" / "cat")
    with pytest.raises(DataError, match="one class"):
        scored(tmp_path / "data", tmp_path / "out", LabelMatching(str(clip_folder)))


def test_what_is_read_file_by_file(shards: Path, photos: Path, tmp_path: Path) -> None:
    assert [Path(unit.name).name for unit in find_units(Source(str(shards)))] == [f"{n}.parquet" for n in range(3)]
    assert [unit.alone for unit in find_units(Source(str(photos)))] == [False]
    assert len(find_units(Source(f"{shards}/[01].parquet"))) == 2
    with pytest.raises(DataError, match="No file matches"):
        find_units(Source(f"{tmp_path}/*.parquet"))


def test_parts_hold_every_row_once_in_order(shards: Path) -> None:
    units = find_units(Source(str(shards)))
    parts = list(make_parts(units, [8, 0, 7], 3))
    assert [(part.unit, part.start, part.stop) for part in parts] == [
        *[(0, 0, 3), (0, 3, 6), (0, 6, 8)],
        *[(2, 0, 3), (2, 3, 6), (2, 6, 7)],
    ]
    assert sorted(part.file for part in parts) == [part.file for part in parts]
    assert sum(map(len, parts)) == 15


def test_a_record_is_only_of_a_part_that_is_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.parts.mkdir()
    (ledger.parts / "part-0.parquet").write_bytes(b"something")
    ledger.note(Record("part-0.parquet", 1, 1, 0, "0" * 32))
    assert ledger.done() == {}
