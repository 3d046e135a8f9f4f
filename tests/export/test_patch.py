"""A patch of labels: made, stored, put on another copy, taken back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.readers import ArrayReader
from deft.errors import DataError, SettingsError
from deft.export.apply import Match, apply_patch, change_labels, find_rows, write_applied
from deft.export.patch import Change, Patch, make_patch
from deft.export.plan import Plan
from deft.export.write import write_export
from deft.progress import Silent
from deft.runs.decisions import Decision
from deft.runs.detection import Detection
from deft.runs.outcomes import decide

QUIET = Silent()
NAMES = ("cat", "dog", "owl")
LABELS = st.sampled_from([*NAMES, None])


@pytest.fixture
def patch(images: LabeledImages, found: Detection) -> Patch:
    """cat/1 becomes a dog by the verdict, dog/0 a cat, and dog/1 goes by Ada's word."""
    review = Decision("dog/1.png", "bad_image", "dog", None, "Ada", "2026-11-24T09:00:00.000+00:00")
    outcomes = decide(found, {"dog/1.png": review}, fix="relabel")
    return make_patch(Plan(images, found, outcomes), QUIET)


def _labels(images: LabeledImages) -> dict[str, str | None]:
    names = [*images.classes, None]
    return {name: names[label] for name, label in zip(images.file_name, images.labels.tolist(), strict=True)}


GIVEN = {f"{name}/{number}.png": name for name in ("cat", "dog") for number in range(3)}
PATCHED = {**GIVEN, "cat/1.png": "dog", "dog/0.png": "cat", "dog/1.png": None}


def test_a_patch_is_small_json_that_says_what_and_why(patch: Patch, tmp_path: Path) -> None:
    patch.save(tmp_path / "patch.json")
    stored = json.loads((tmp_path / "patch.json").read_text(encoding="utf-8"))
    assert [(one["sample"], one["from"], one["to"], one["reason"], one["by"]) for one in stored["changes"]] == [
        ("cat/1.png", "cat", "dog", "verdict", "test"),
        ("dog/0.png", "dog", "cat", "verdict", "test"),
        ("dog/1.png", "dog", None, "review: bad_image", "Ada"),
    ]
    assert Patch.load(tmp_path / "patch.json") == patch


def test_export_writes_the_same_patch(images: LabeledImages, found: Detection, tmp_path: Path) -> None:
    plan = Plan(images, found, decide(found, {}, fix="relabel"))
    assert write_export(plan, tmp_path / "out", "patch").images == 2
    assert Patch.load(tmp_path / "out" / "patch.json") == make_patch(plan, QUIET)
    with pytest.raises(DataError, match="No label changes"):
        write_export(Plan(images, found, decide(found, {}, fix="keep")), tmp_path / "none", "patch")


def test_it_changes_exactly_what_it_says(patch: Patch, images: LabeledImages, tmp_path: Path) -> None:
    applied = apply_patch(patch, images, QUIET)
    assert dict(zip(images.file_name, applied.labels, strict=True)) == PATCHED
    assert (applied.changed, applied.already, applied.problems, applied.notes) == ((1, 3, 4), (), (), ())
    for name in ("t.csv", "t.parquet"):
        write_applied(images, applied.labels, tmp_path / name)
        again = load_images(tmp_path / name)
        assert [label for _, label in sorted(_labels(again).items())] == [label for _, label in sorted(PATCHED.items())]
        assert again.read_errors == {4: "no label"}


def _elsewhere(images: LabeledImages, tmp_path: Path, kind: str) -> LabeledImages:
    """The same data in another place and form."""
    photos = tmp_path / "photos"
    if kind == "moved":
        return load_images(shutil.copytree(photos, tmp_path / "moved"))
    if kind == "renamed":  # every file has another name: only the content tells
        for name in ("cat", "dog"):
            (tmp_path / "renamed" / name).mkdir(parents=True)
            for number in range(3):
                shutil.copy(photos / name / f"{number}.png", tmp_path / "renamed" / name / f"x{9 - number}.png")
        return load_images(tmp_path / "renamed")
    names = list(reversed(GIVEN))  # "table": inside a table, in another order
    cells = [{"bytes": (photos / name).read_bytes(), "path": None} for name in names]
    pq.write_table(pa.table({"image": cells, "label": [GIVEN[name] for name in names]}), tmp_path / "t.parquet")
    return load_images(tmp_path / "t.parquet")


@pytest.mark.parametrize("kind", ["moved", "renamed", "table"])
def test_another_copy_takes_it_on_and_gives_it_back(
    patch: Patch, images: LabeledImages, tmp_path: Path, kind: str
) -> None:
    other = _elsewhere(images, tmp_path, kind)
    by_content = {images.reader.read(row): name for row, name in enumerate(images.file_name)}
    names = [by_content[other.reader.read(row)] for row in range(6)]
    applied = apply_patch(patch, other, QUIET)
    assert dict(zip(names, applied.labels, strict=True)) == PATCHED
    assert not applied.problems
    target = tmp_path / "applied.parquet"
    write_applied(other, applied.labels, target)
    corrected = load_images(target)
    twice = apply_patch(patch, corrected, QUIET)
    assert (twice.labels, twice.changed, len(twice.already)) == (applied.labels, (), 3)
    back = apply_patch(patch.reversed(), corrected, QUIET)
    assert dict(zip(names, back.labels, strict=True)) == GIVEN


def test_same_names_in_other_folders_are_told_apart(photos: Path, tmp_path: Path) -> None:
    """Two files of one content: the path tells which one is meant, even behind another folder."""
    shutil.copy(photos / "cat" / "0.png", photos / "dog" / "0.png")
    shutil.copytree(photos, tmp_path / "copy" / "train")
    content = _content(load_images(photos), "dog/0.png")
    patch = Patch((Change("dog/0.png", "dog/0.png", content, "dog", "cat", "verdict", "test"),))
    applied = apply_patch(patch, load_images(tmp_path / "copy"), QUIET)
    assert applied.changed == (3,)


def _content(images: LabeledImages, name: str) -> str | None:
    from deft.data.image_bytes import content_id

    return content_id(images, images.file_name.index(name))


def test_images_alike_that_nothing_tells_apart_are_left_and_listed(images: LabeledImages, photos: Path) -> None:
    content = _content(images, "cat/0.png")
    shutil.copy(photos / "cat" / "0.png", photos / "cat" / "1.png")
    change = Change("gone.png", "gone.png", content, "cat", "dog", "verdict", "test")
    (match,) = find_rows([change], load_images(photos), QUIET)
    assert match.row is None
    assert "2 images of this content (cat/0.png, cat/1.png)" in match.problem


def test_mismatches_are_listed_and_left_as_they_are(patch: Patch, photos: Path) -> None:
    (photos / "dog" / "0.png").unlink()
    (photos / "owl").mkdir()
    (photos / "cat" / "1.png").rename(photos / "owl" / "1.png")
    data = load_images(photos)
    applied = apply_patch(patch, data, QUIET)
    assert applied.problems == (
        "cat/1.png: is labelled 'owl', neither 'cat' nor 'dog'; left as it is",
        "dog/0.png: not in this data",
    )
    assert len(applied.changed) == 1
    assert _labels(data)["owl/1.png"] == "owl" == applied.labels[data.file_name.index("owl/1.png")]


def test_a_copy_in_another_encoding_is_known_by_name_and_said_so(patch: Patch, photos: Path) -> None:
    (photos / "cat" / "1.png").write_bytes((photos / "cat" / "1.png").read_bytes() + b"more")
    applied = apply_patch(patch, load_images(photos), QUIET)
    assert len(applied.changed) == 3
    assert applied.notes == ("cat/1.png: has this name but another content",)


def test_a_row_number_is_no_name(images: LabeledImages, tmp_path: Path) -> None:
    """Row 1 of another table of the same name may be another image."""
    change = Change("t.parquet#1", "t.parquet#1", "blake2b:of something else", "cat", "dog", "verdict", "test")
    table = _elsewhere(images, tmp_path, "table")
    assert table.file_name[1] == "t.parquet#1"
    assert find_rows([change], table, QUIET) == [Match(None, "no image of this name has its content")]
    with pytest.raises(DataError, match="Of the patch's 1 image, none is in this data"):
        apply_patch(Patch((change,)), table, QUIET)


def test_an_image_that_could_not_be_read_is_known_by_name(images: LabeledImages) -> None:
    change = Change("dog/2.png", "dog/2.png", None, "dog", "cat", "verdict", "test")
    assert apply_patch(Patch((change,)), images, QUIET).labels[5] == "cat"


@st.composite
def _data_and_patch(draw: st.DrawFn) -> tuple[LabeledImages, Patch]:
    """Images in memory, some of them alike, with a patch that was made for them."""
    count = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    labels = draw(st.lists(LABELS, min_size=count, max_size=count))
    finals = draw(st.lists(LABELS, min_size=count, max_size=count))
    pixels = np.array(kinds, np.uint8).reshape(count, 1, 1) * np.ones((1, 2, 2), np.uint8)
    names = tuple(f"f{number}.png" for number in range(count))
    numbers = np.array([-1 if label is None else NAMES.index(label) for label in labels], np.int64)
    images = LabeledImages(ArrayReader(pixels), np.arange(count), numbers, NAMES, names, names)
    changes = [
        Change(name, name, _content(images, name), label, final, "verdict", "test")
        for name, label, final in zip(names, labels, finals, strict=True)
        if label != final
    ]
    return images, Patch(tuple(draw(st.permutations(changes))))


def _relabel(images: LabeledImages, labels: Sequence[str | None]) -> LabeledImages:
    return images.relabel(np.array([-1 if label is None else NAMES.index(label) for label in labels], np.int64))


@given(_data_and_patch(), st.randoms(use_true_random=False))
def test_reverse_of_apply_is_the_identity_and_twice_is_once(case: tuple[LabeledImages, Patch], random: Any) -> None:
    """On the data itself, and on the same rows in another order."""
    images, patch = case
    order = list(range(len(images)))
    random.shuffle(order)
    for data in (images, images.keep(order)):
        before = tuple([*NAMES, None][label] for label in data.labels.tolist())
        once = apply_patch(patch, data, QUIET)
        assert len(once.changed) == len(patch)
        after = _relabel(data, once.labels)
        twice = apply_patch(patch, after, QUIET)
        assert (twice.labels, twice.changed) == (once.labels, ())
        assert apply_patch(patch.reversed(), after, QUIET).labels == before


@given(
    st.lists(LABELS, min_size=1, max_size=6),
    st.lists(st.tuples(LABELS, LABELS, st.booleans()), min_size=6, max_size=6),
)
def test_every_change_is_made_or_there_already_or_listed(
    labels: list[str | None], drawn: list[tuple[str | None, str | None, bool]]
) -> None:
    """Whatever the labels: no row changes but from `from` to `to`, and nothing is lost silently."""
    pairs = [
        (Change(str(row), str(row), None, old, new, "verdict", "x"), Match(row if there else None, "gone"))
        for row, (old, new, there) in enumerate(drawn[: len(labels)])
        if old != new
    ]
    changes, matches = [one for one, _ in pairs], [one for _, one in pairs]
    applied = change_labels(changes, matches, labels)
    assert len(applied.changed) + len(applied.already) + len(applied.problems) == len(changes)
    for row, (before, after) in enumerate(zip(labels, applied.labels, strict=True)):
        if before != after:
            change = changes[[match.row for match in matches].index(row)]
            assert (change.from_label, change.to_label) == (before, after)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "is no label patch, such as patch.json of deft export"),
        ("[1]", "no label patch"),
        ('{"kind": "deft label patch", "format": 2, "changes": []}', "format 2"),
        ('{"kind": "deft label patch", "format": 1}', "no list of changes"),
        ('{"kind": "deft label patch", "format": 1, "changes": [3]}', "Change 0 of .* isn't a JSON object"),
        ('{"kind": "deft label patch", "format": 1, "changes": [{"sample": 3}]}', "needs 'sample' as text, not 3"),
    ],
)
def test_what_is_no_patch_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(DataError, match=says):
        Patch.load(tmp_path / "p.json")
    with pytest.raises(DataError, match="can't be read"):
        Patch.load(tmp_path / "missing.json")


def test_a_patch_that_contradicts_itself_is_refused() -> None:
    change = Change("a", "a", None, "cat", "dog", "verdict", "x")
    with pytest.raises(DataError, match="changes a twice"):
        Patch((change, replace(change, to_label="owl")))
    with pytest.raises(DataError, match="to the same label"):
        Patch((replace(change, to_label="cat"),))


def test_tables_end_in_csv_or_parquet(images: LabeledImages, found: Detection, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must end in \.csv or \.parquet"):
        write_applied(images, tuple(one.label for one in decide(found, {})), tmp_path / "t.xlsx")
    assert not list(tmp_path.glob("*.xlsx*"))
