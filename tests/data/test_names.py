"""Class names stay as the data spells them; labels find their class, and nothing is merged in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deft.data.labels import read_labels
from deft.data.names import class_names, class_order, encode, in_order, places
from deft.errors import DataError

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(WORDS, max_size=30))
@settings(deadline=None)
def test_every_spelling_is_a_class_of_its_own(labels: list[str]) -> None:
    found = encode(labels, None)
    assert [found.names[number] for number in found.numbers.tolist()] == labels
    assert set(found.names) == set(labels)


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["1", "01", "001"], ("001", "01", "1")),
        (["-1", "1", "0"], ("-1", "0", "1")),
        (["b", "B", "a", "10"], ("10", "B", "a", "b")),
        (["²", "3"], ("3", "²")),
    ],
)
def test_order_of_classes(names: list[str], ordered: tuple[str, ...]) -> None:
    assert class_order(names) == ordered


def test_a_list_of_names_numbers_integers_from_zero_where_there_is_a_zero() -> None:
    found = encode([2, 0, 1, None], class_names(["zebra", "ant", "bee", "cat"]))
    assert found.numbers.tolist() == [2, 0, 1, -1]
    assert found.names == ("zebra", "ant", "bee", "cat")
    assert found.notes == ("Integer labels are taken to count from 0: 0 is 'zebra', the first class name.",)


def test_a_list_of_names_numbers_integers_from_one_where_the_last_is_the_count() -> None:
    found = encode([2, 3, 3], class_names(["zebra", "ant", "bee"]))
    assert found.numbers.tolist() == [1, 2, 2]
    assert "count from 1: 1 is 'zebra'" in found.notes[0]


@pytest.mark.parametrize("labels", [[1, 2, 3], ["1", "2"], [2]])
def test_where_integers_may_count_from_either_the_user_is_asked(labels: list[int]) -> None:
    names = class_names(["cat", "ship", "frog", "dog"])
    with pytest.raises(DataError, match=r"may count from 0 or from 1\. Say which .*0<TAB>cat or 1<TAB>cat"):
        encode(labels, names)
    told = class_names(dict(enumerate(["cat", "ship", "frog", "dog"], start=1)))
    assert encode(labels, told).numbers.tolist() == [int(label) - 1 for label in labels]


def test_numbers_that_are_the_names_themselves() -> None:
    assert encode([1, 3, 2], class_names(["1", "2", "3"])).numbers.tolist() == [0, 2, 1]
    assert encode([-1, 1], class_names(["-1", "1"])).numbers.tolist() == [0, 1]


def test_integers_beyond_the_names_are_refused() -> None:
    with pytest.raises(DataError, match=r"not among the 3 class names given: 3 \(1 image\)"):
        encode([3, 0], class_names(["zebra", "ant", "bee"]))


def test_minus_one_is_no_label_where_names_are_given_and_is_said() -> None:
    found = encode([0, -1, 1], class_names(["zebra", "ant"]))
    assert found.numbers.tolist() == [0, -1, 1]
    assert "Labels of -1 are read as no label." in found.notes


def test_given_names_that_lack_a_label() -> None:
    with pytest.raises(DataError, match=r"1 label is not among .*'emu' \(2 images\)\. The names are cat, dog\."):
        encode(["emu", "cat", "emu"], class_names(["cat", "dog"]))


def test_a_given_name_in_the_one_other_spelling_of_the_data_keeps_that_spelling() -> None:
    found = encode(["Golden_Retriever", "cat"], class_names(["golden retriever", "cat"]))
    assert found.names == ("Golden_Retriever", "cat")
    assert found.words == ("golden retriever", "cat")


def test_spellings_that_a_given_name_brings_together_are_said() -> None:
    found = encode(["t shirt", "T_Shirt", "T_Shirt"], class_names(["T-shirt", "cap"]))
    assert found.numbers.tolist() == [0, 0, 0]
    assert found.names == ("T-shirt", "cap")
    assert "Read as one class, 'T-shirt'" in found.notes[0]
    assert "'t shirt' (1 image), 'T_Shirt' (2 images)" in found.notes[0]


def test_names_that_differ_only_in_case_stay_apart() -> None:
    names = class_names(["cardigan", "Cardigan", "a", "A"])
    assert encode(["A", "Cardigan", "a", "cardigan"], names).numbers.tolist() == [3, 1, 2, 0]


def test_a_name_that_comes_twice_gets_its_number() -> None:
    found = encode([0, 1, 2], class_names(["crane", "crane", "frog"]))
    assert found.names == ("crane (0)", "crane (1)", "frog")
    assert found.words == ("crane", "crane", "frog")
    assert in_order(["x", "x", "x (0)"]).names == ("x (0)'", "x (1)", "x (0)")


def test_ids_keep_their_names_and_get_words() -> None:
    names = class_names({"n02012849": "crane", "n03126707": "crane", "n01644900": "tailed_frog"})
    found = encode(["n03126707", "n01644900", "n02012849"], names)
    assert found.names == ("n02012849", "n03126707", "n01644900")
    assert found.words == ("crane", "crane", "tailed frog")
    assert found.numbers.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("name", "text", "classes", "words"),
    [
        ("names.txt", "\ufeffcat\ngolden_retriever\n\n", ("cat", "golden_retriever"), ("cat", "golden retriever")),
        ("names.txt", "7\tcat\n3\tdog\n9\tcat\n", ("dog", "cat (7)", "cat (9)"), ("dog", "cat", "cat")),
        ("names.txt", "n02123045 tabby, tabby cat\n", ("n02123045",), ("tabby, tabby cat",)),
        ("names.txt", "hot dog\nblack cat\n", ("hot dog", "black cat"), ("hot dog", "black cat")),
        ("names.json", '["cat", "dog"]', ("cat", "dog"), ("cat", "dog")),
        ("names.json", '{"1": "cat", "0": "dog"}', ("dog", "cat"), ("dog", "cat")),
        ("names.json", '{"0": ["n1", "tench"], "1": ["n2", "big_cat"]}', ("n1", "n2"), ("tench", "big cat")),
        ("names.csv", "class,id\ncat,0\ndog,1\n", ("cat", "dog"), ("cat", "dog")),
        ("names.csv", "id,name\n1,cat\n2,dog\n", ("cat", "dog"), ("cat", "dog")),
        ("names.csv", 'id;name\n0;"cat, big"\n1;dog\n', ("cat, big", "dog"), ("cat, big", "dog")),
        ("names.txt", "cat\nCat\n", ("cat", "Cat"), ("cat", "Cat")),
    ],
)
def test_files_of_names(tmp_path: Path, name: str, text: str, classes: tuple[str, ...], words: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    names = class_names(path)
    assert names is not None
    assert names.names == classes
    assert names.words == words
    if text.startswith("7"):
        assert encode([9, 3, 7], names).numbers.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("names.txt", "cat\n\ndog\n", "Line 2"),
        ("names.json", "{", "can't be read"),
        ("names.txt", "", "holds no class names"),
        ("data.yaml", "names:\n  0: cat\n", "is YAML, which isn't read"),
        ("data.yml", "names: [cat]\n", "is YAML, which isn't read"),
        ("names.json", "[1]", "must be a list of names"),
        ("names.txt", "1\t_\n", "is blank"),
        ("names.txt", "a\tcat\na\tdog\n", "Line 2 .* gives 'a' another name"),
    ],
)
def test_files_of_names_that_are_wrong(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        class_names(path)


def test_files_that_hold_no_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        class_names(tmp_path / "none.txt")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\xff\xfe" * 100)
    with pytest.raises(DataError, match="isn't text in UTF-8") as caught:
        class_names(tmp_path / "photo.png")
    assert len(str(caught.value)) < 300


def test_places_are_found_by_spelling_then_by_the_only_like_one() -> None:
    assert places(["b", "A", "red_fox"], ["a", "A", "red fox", "b"]) == {"b": 3, "A": 1, "red_fox": 2}
    assert places(["A"], ["a", "a "]) == {}


def test_labels_and_truth_share_their_numbers() -> None:
    column = read_labels(["0.0", "1.0", "", "2.0"])
    assert np.array_equal(encode(column.values, class_names(["a", "b", "c"])).numbers, [0, 1, -1, 2])
