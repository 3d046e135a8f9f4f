"""From what people call their classes to words, and from labels to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deft.data.names import alike, class_names, clean_name, encode, tidy, wordless
from deft.errors import DataError

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("golden_retriever", "golden retriever"),
        ("  Siamese__cat ", "Siamese cat"),
        ("T-shirt", "T-shirt"),
        ("go-kart", "go-kart"),
        ("n02085620-Chihuahua", "Chihuahua"),
        ("001.Black_footed_Albatross", "Black footed Albatross"),
        ("n02085620", "n02085620"),
        ("3.5", "3.5"),
        ("cafe\u0301", "caf\u00e9"),
        ("caf\udce9", "caf\u00e9"),
    ],
)
def test_clean_name(text: str, words: str) -> None:
    assert clean_name(text) == words


@given(WORDS)
def test_cleaning_twice_is_cleaning_once_in_spelling(text: str) -> None:
    once = clean_name(text)
    assert once == once.strip()
    assert "_" not in once
    assert alike(once) == alike(once.upper().lower().replace(" ", "_")) or not once.isascii()


@given(st.lists(st.one_of(st.none(), WORDS), max_size=30))
def test_labels_come_back_as_their_own_names(labels: list[str | None]) -> None:
    tidied = tidy(labels)
    spellings = {label for label in tidied if isinstance(label, str)}
    if len({alike(clean_name(text)) for text in spellings}) < len(spellings):
        with pytest.raises(DataError, match="differ only in"):
            encode(tidied, None)
        return
    numbers, names = encode(tidied, None)
    assert len(numbers) == len(labels)
    assert len(set(names)) == len(names)
    for number, label in zip(numbers.tolist(), tidied, strict=True):
        if label is None:
            assert number == -1
        else:
            assert names[number] == (str(label) if isinstance(label, int) else clean_name(label) or label)


@pytest.mark.parametrize(
    ("labels", "tidied"),
    [
        ([1, None, 2], [1, None, 2]),
        ([1.0, float("nan"), np.float32(2)], [1, None, 2]),
        (["1", " 02 ", ""], [1, 2, None]),
        (["1", "cat"], ["1", "cat"]),
        ([1, "cat"], ["1", "cat"]),
        ([True, False], ["True", "False"]),
        ([b"cat", np.str_("dog")], ["cat", "dog"]),
        ([np.int64(3), -1], [3, -1]),
        (["²", "3"], ["²", "3"]),
        ([2.5], ["2.5"]),
    ],
)
def test_tidy(labels: list[Any], tidied: list[Any]) -> None:
    assert tidy(labels) == tidied


def test_a_label_that_names_nothing() -> None:
    with pytest.raises(DataError, match="must be text or an integer, not list"):
        tidy([["cat"]])


def test_names_only_change_case_is_an_error_with_counts() -> None:
    with pytest.raises(DataError, match=r"'cat' \(2 images\) and 'Cat' \(1 images\)"):
        encode(["cat", "Cat", "cat", "dog"], None)


def test_given_names_read_other_spellings() -> None:
    names = class_names(["golden retriever", "T-shirt"])
    numbers, _ = encode(["Golden_Retriever", "t shirt", "golden  RETRIEVER", None], names)
    assert numbers.tolist() == [0, 1, 0, -1]


def test_given_names_number_integers_by_position() -> None:
    numbers, names = encode([2, 0, 1], class_names(["zebra", "ant", "bee"]))
    assert numbers.tolist() == [2, 0, 1]
    assert names == ("zebra", "ant", "bee")
    with pytest.raises(DataError, match=r"not among the 3 class names given: 3 \(1 images\), -1 \(1 images\)"):
        encode([3, 0, -1], class_names(["zebra", "ant", "bee"]))


def test_given_names_that_lack_a_label() -> None:
    with pytest.raises(DataError, match=r"1 labels are not among .*'emu' \(2 images\)\. The names are cat, dog\."):
        encode(["emu", "cat", "emu"], class_names(["cat", "dog"]))


@pytest.mark.parametrize(
    ("name", "text", "classes"),
    [
        ("names.txt", "\ufeffcat\ngolden_retriever\n\n", ("cat", "golden retriever")),
        ("names.txt", "7\tcat\n3\tdog\n9\tcat\n", ("cat", "dog")),
        ("names.txt", "n02123045 tabby, tabby cat\nn02085620 Chihuahua\n", ("tabby, tabby cat", "Chihuahua")),
        ("names.txt", "hot dog\nblack cat\n", ("hot dog", "black cat")),
        ("names.json", '["cat", "dog"]', ("cat", "dog")),
        ("names.json", '{"1": "cat", "0": "dog"}', ("cat", "dog")),
    ],
)
def test_files_of_names(tmp_path: Path, name: str, text: str, classes: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    names = class_names(path)
    assert names is not None
    assert names.names == classes
    if text.startswith("7"):
        assert encode([9, 3, 7], names)[0].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("names.txt", "cat\n\ndog\n", "Line 2"),
        ("names.txt", "cat\nCat\n", "differ only"),
        ("names.json", "{", "can't be read"),
        ("names.json", "[1]", "must be a list of names"),
        ("names.txt", "1\t_\n", "is blank"),
    ],
)
def test_files_of_names_that_are_wrong(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        class_names(path)


def test_no_file_of_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        class_names(tmp_path / "none.txt")


def test_wordless() -> None:
    assert wordless(("0", "1")) is not None
    assert wordless(("n02123045", "n02085620")) is not None
    assert wordless(("0", "cat")) is None
    assert wordless(()) is None
