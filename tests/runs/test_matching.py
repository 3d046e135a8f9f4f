"""A run knows its data by content: never another image, never another label, silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from deft.data.identify import identify
from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.runs.decisions import Decision, Decisions, now
from deft.runs.detection import Detection, Verdicts
from deft.runs.folder import open_run
from deft.runs.judged import new_detection
from deft.runs.reorder import in_order
from deft.runs.source import Source


def judged(images: LabeledImages, unread: tuple[int, ...] = ()) -> Detection:
    count = len(images)
    p_clean = np.where(np.isin(np.arange(count), unread), np.nan, 0.9).astype(np.float32)
    topk, probs = images.labels[:, None], np.ones((count, 1), np.float32)
    verdicts = Verdicts(p_clean, np.nan_to_num(p_clean) > 0.5, images.labels, topk, probs)
    return new_detection(images, verdicts, read_errors=dict.fromkeys(unread, "broken"), settings={}, info={})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three cats and three dogs of different colours, and a table that names them."""
    root = tmp_path / "photos"
    for number, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (8, 8), (60 * index, 100 * number, 5)).save(root / name / f"{index}.png")
    files = [f"{name}/{index}.png" for name in ("cat", "dog") for index in range(3)]
    pd.DataFrame({"file_name": files, "label": [name.split("/")[0] for name in files]}).to_csv(
        root / "labels.csv", index=False
    )
    return root


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Path:
    """A run over the table, as a detector leaves it."""
    return made(Source(str(photos / "labels.csv")), tmp_path / "run")


def made(source: Source, folder: Path, unread: tuple[int, ...] = ()) -> Path:
    judged(identify(source.open(), folder), unread).save(folder)
    source.save(folder)
    return folder


def names_and_pixels(images: LabeledImages) -> list[tuple[str, bytes]]:
    pixels = [bytes(images.reader.read(int(row))) for row in images.rows]
    return list(zip(images.sample_id, pixels, strict=True))


def packed(photos: Path, table: Path, order: list[int]) -> Path:
    """A Parquet file that holds the images themselves, in some order: names are row numbers."""
    listed = pd.read_csv(photos / "labels.csv").iloc[order]
    data = [{"bytes": (photos / name).read_bytes(), "path": None} for name in listed["file_name"]]
    pd.DataFrame({"image": data, "label": listed["label"].to_list()}).to_parquet(table)
    return table


def test_nothing_has_changed(run: Path) -> None:
    found, images = open_run(run)
    assert found.content is not None
    assert found.sample_id == images.sample_id
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_table_in_another_order_gives_every_verdict_its_own_image(photos: Path, tmp_path: Path) -> None:
    table = packed(photos, tmp_path / "table.parquet", [0, 1, 2, 3, 4, 5])
    run = made(Source(str(table)), tmp_path / "run")
    before = names_and_pixels(open_run(run)[1])
    packed(photos, table, [5, 3, 1, 0, 2, 4])
    found, images = open_run(run)
    assert names_and_pixels(images) == before
    assert images.labels.tolist() == found.given.tolist() == [0, 0, 0, 1, 1, 1]


def test_images_under_other_names_are_found_by_content(photos: Path, tmp_path: Path) -> None:
    run = made(Source(str(photos)), tmp_path / "run")
    before = names_and_pixels(open_run(run)[1])
    (photos / "cat" / "0.png").rename(photos / "cat" / "first.png")
    (photos / "cat" / "1.png").rename(photos / "cat" / "0.png")
    assert names_and_pixels(open_run(run)[1]) == before


def test_an_image_that_was_replaced_under_its_name_is_told(run: Path, photos: Path) -> None:
    Image.new("RGB", (8, 8), (1, 2, 3)).save(photos / "dog" / "1.png")
    with pytest.raises(DataError, match=r"other images now under 1 of the 6 names of this run, such as .*dog/1\.png"):
        open_run(run)


def test_a_cell_that_was_changed_is_told(run: Path, photos: Path) -> None:
    table = photos / "labels.csv"
    table.write_text(table.read_text().replace("dog/1.png,dog", "dog/1.png,cat"))
    with pytest.raises(DataError, match=r"1 of the 6 labels .*dog/1\.png: 'dog' is 'cat' now"):
        open_run(run)


def test_a_label_that_people_decided_may_be_put_into_effect(photos: Path, tmp_path: Path) -> None:
    """A run made with reviews judges decided labels; the data still has those from before."""
    source = Source(str(photos / "labels.csv"))
    images = identify(source.open(), None)
    labels = images.labels.copy()
    labels[4] = 0
    judged(images.relabel(labels)).save(tmp_path / "run")
    source.save(tmp_path / "run")
    with pytest.raises(DataError, match="are others than this run judged"):
        open_run(tmp_path / "run")
    with Decisions(tmp_path / "run") as log:
        log.record(Decision(images.sample_id[4], "corrected", "dog", "cat", "Ada", now()), 0)
    assert open_run(tmp_path / "run")[1].labels.tolist() == labels.tolist()


@pytest.mark.parametrize("when", ["then", "now"])
def test_an_image_that_cannot_be_read_is_no_other(photos: Path, tmp_path: Path, when: str) -> None:
    photo = photos / "cat" / "1.png"
    whole = photo.read_bytes()
    if when == "then":
        photo.write_bytes(b"")
    run = made(Source(str(photos / "labels.csv")), tmp_path / "run", (1,) if when == "then" else ())
    if when == "then":
        photo.write_bytes(whole)
    else:
        photo.unlink()
    assert len(open_run(run)[1]) == 6


def test_copies_of_a_file_are_as_good_as_each_other(photos: Path, tmp_path: Path) -> None:
    (photos / "cat" / "2.png").write_bytes((photos / "cat" / "1.png").read_bytes())
    run = made(Source(str(photos)), tmp_path / "run")
    before = names_and_pixels(open_run(run)[1])
    (photos / "cat" / "2.png").rename(photos / "cat" / "copy.png")
    assert names_and_pixels(open_run(run)[1]) == before
    (photos / "cat" / "copy.png").unlink()
    with pytest.raises(DataError, match="no longer has 1 of the 6 images"):
        open_run(run)


def test_opening_writes_nothing(run: Path, photos: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    (photos / "cat" / "0.png").touch()  # its stamp is another one now, so it is read again
    open_run(run)
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_contents_go_with_their_rows(run: Path) -> None:
    found, _ = open_run(run)
    turned = in_order(found, np.array([5, 4, 3, 2, 1, 0]))
    assert found.content is not None
    assert turned.content == found.content[::-1]


def test_a_run_of_an_older_version_goes_by_names(photos: Path, tmp_path: Path) -> None:
    source = Source(str(photos))
    found = judged(source.open())
    assert found.content is None
    found.save(tmp_path / "run")
    source.save(tmp_path / "run")
    assert open_run(tmp_path / "run")[0].sample_id == found.sample_id
