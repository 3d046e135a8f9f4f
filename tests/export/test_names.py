"""Names that lead nowhere else and never meet."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deft.export.names import LONGEST, distinct, folder_names, image_name, safe_name

HOSTILE = [
    "..",
    ".",
    "",
    "a/b",
    "/etc/passwd",
    "..\\..\\x",
    "C:\\x",
    "con",
    "NUL.txt",
    "a\0b",
    "x\n",
    "  ",
    "a.",
    "\udcff",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_one_harmless_piece(name: str) -> None:
    _check(safe_name(name))


@given(st.text(max_size=300))
def test_any_text_becomes_one_harmless_piece(name: str) -> None:
    _check(safe_name(name))


def _check(safe: str) -> None:
    assert safe
    assert safe.isprintable()
    assert len(safe.encode("utf-8")) <= LONGEST + 4
    assert PurePosixPath(safe).parts == (safe,)
    assert PureWindowsPath(safe).parts == (safe,)
    assert not safe.startswith(".")
    assert safe.rstrip(". ") == safe
    assert not PureWindowsPath(safe).drive
    base = Path("/somewhere/clean")
    assert (base / safe).resolve().parent == base


def test_ordinary_names_stay() -> None:
    for name in ("cat", "T-shirt", "go kart", "Ärger", "猫", "🐶", "St. Bernard", "it's"):
        assert safe_name(name) == name


@given(st.lists(st.sampled_from(["a.png", "A.png", "a-2.png", "A-2.PNG", "b/a.png", "b/A.png", "c", "C", "c-2"])))
def test_distinct_names_differ_whatever_the_case_and_keep_their_folder_and_ending(names: list[str]) -> None:
    made = distinct(names)
    assert len({name.casefold() for name in made}) == len(names)
    for before, after in zip(names, made, strict=True):
        assert PurePosixPath(after).parent == PurePosixPath(before).parent
        assert PurePosixPath(after).suffix == PurePosixPath(before).suffix
    assert distinct(names)[: len(set(names[:1]))] == names[:1]


def test_classes_that_look_alike_on_disk_get_folders_of_their_own() -> None:
    folders = folder_names(["a/b", "a:b", "A/B", "..", "."])
    assert folders["a/b"] == "a_b"
    assert len({name.casefold() for name in folders.values()}) == 5


@pytest.mark.parametrize(
    ("name", "ending", "expected"),
    [
        ("b/cat 1.jpg", None, "cat 1.jpg"),
        ("b\\cat.jpg", None, "cat.jpg"),
        ("train.parquet#17", ".png", "train-17.png"),
        ("array#3", ".png", "array-3.png"),
        ("scan.v2", ".jpg", "scan.v2.jpg"),
        ("../../evil.png", None, "evil.png"),
    ],
)
def test_names_of_images(name: str, ending: str | None, expected: str) -> None:
    assert image_name(name, ending) == expected
