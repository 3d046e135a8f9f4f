"""Words for a model: made from names without touching numbers that belong to them, or given by a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deft.data.words import alike, give_words, read_alike, title, wordless, words_for
from deft.errors import DataError

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["golden_retriever", "  Siamese__cat "], ("golden retriever", "Siamese cat")),
        (["T-shirt", "go-kart"], ("T-shirt", "go-kart")),
        (["n02085620-Chihuahua", "n02112018-Pomeranian"], ("Chihuahua", "Pomeranian")),
        (["001.Black_footed_Albatross", "002.Laysan_Albatross"], ("Black footed Albatross", "Laysan Albatross")),
        (["01_cat", "02_dog"], ("cat", "dog")),
        (["2_emu", "0_cat", "1_dog"], ("emu", "cat", "dog")),
        (["n02085620", "n02112018"], ("n02085620", "n02112018")),
        (["cafe\u0301", "x"], ("caf\u00e9", "x")),
    ],
)
def test_words_for(names: list[str], words: tuple[str, ...]) -> None:
    assert words_for(names) == words


@pytest.mark.parametrize(
    "names",
    [
        ["3.5mm jack", "2.5mm jack"],
        ["0.5L bottle", "1.0L bottle", "frog"],
        ["Bugatti Veyron 16.4 Coupe 2009", "Golf 1.6 TDI"],
        ["2.0 TDI", "1.6 TDI"],
        ["1. FC Union", "1. FC Kaiserslautern"],  # the same number is no code of either
        ["001.Crow", "Jay"],  # not all have one
        ["2008 Ford", "2012 BMW"],
        ["7_up", "Coke"],
        ["001.Crow"],
        ["1 euro", "2 euro"],
        ["1_cent", "2_euro"],
        ["0 doors", "1 door", "2 doors"],
        ["0_cat", "5_dog"],
    ],
)
def test_numbers_that_belong_to_a_name_stay(names: list[str]) -> None:
    assert words_for(names) == tuple(name.replace("_", " ") for name in names)


@given(st.lists(NAMES, max_size=8))
def test_there_are_words_for_every_name(names: list[str]) -> None:
    words = words_for(names)
    assert len(words) == len(names)
    for name, text in zip(names, words, strict=True):
        assert text or not name


def test_words_that_are_given(tmp_path: Path) -> None:
    assert give_words(["b", "a"], ["big B", "small  a"]) == (("big B", "small a"), None)
    words, told = give_words(["n1", "n_2", "n3"], {"n1": "crane", "N 2": "crane machine", "n9": "not here"})
    assert words == ("crane", "crane machine", "n3")
    assert told == "No words are given for 'n3': made from the names themselves."
    assert give_words(["cat", "dog"], {0: "a cat", 1: "a dog"})[0] == ("a cat", "a dog")
    path = tmp_path / "words.txt"
    path.write_text("a\tthe letter a\nA\tthe capital letter A\n")
    assert give_words(["A", "a"], path)[0] == ("the capital letter A", "the letter a")


@pytest.mark.parametrize("mark", ["\t", " ", ",", ", ", ": ", ";", " = "])
@pytest.mark.parametrize("names", [("n1", "x22", "n_2"), ("0", "1", "2"), ("n01440764", "n01443537", "n01484850")])
def test_files_of_names_with_their_words(tmp_path: Path, mark: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "words.txt"
    texts = ("grey crane", "sausage, in a roll", "cat")
    path.write_text("".join(f"{name}{mark}{text}\n" for name, text in zip(names, texts, strict=True)))
    assert give_words(names, path) == (texts, None)
    path.write_text("".join(f"{name}{mark}{text}\n" for name, text in zip(names[::-1], texts[::-1], strict=True)))
    assert give_words(names, path) == (texts, None)


def test_words_that_begin_like_names_are_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("cat of any kind\ndog\n")
    assert give_words(["cat", "dog"], path) == (("cat of any kind", "dog"), None)
    path.write_text("cat, a pet\ndog, a pet\n")
    words, told = give_words(["cat", "dog"], path)
    assert words == ("cat, a pet", "dog, a pet")
    assert told == "All words begin with the name of their class; if that isn't meant, put a tab behind the names."


def test_words_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text('n1,"cat, domestic"\nn2,dog\n')
    assert give_words(["n1", "n2"], path)[0] == ("cat, domestic", "dog")


def test_the_index_of_imagenet(tmp_path: Path) -> None:
    path = tmp_path / "imagenet_class_index.json"
    path.write_text('{"0": ["n01440764", "tench"], "1": ["n01443537", "great_white"]}')
    assert give_words(["n01443537", "n01440764"], path)[0] == ("great_white", "tench")


def test_words_that_cannot_be_given() -> None:
    with pytest.raises(DataError, match="words for 3 classes, but the data has 2"):
        give_words(["a", "b"], ["1", "2", "3"])
    with pytest.raises(DataError, match="none of which is a class of the data: 'a', 'b'"):
        give_words(["a", "b"], {"x": "y"})
    with pytest.raises(DataError, match="words for class 'a' are blank"):
        give_words(["a", "b"], ["", "x"])


def test_classes_that_read_alike_are_said() -> None:
    said = read_alike(["n02012849", "n03126707", "frog"], ["crane", "crane", "frog"])
    assert said is not None
    assert "'n02012849' and 'n03126707' as 'crane'" in said
    assert read_alike(["a", "b"], ["a", "b"]) is None
    assert read_alike(["A", "a"], ["A", "a"]) is not None
    hidden = ["cat", "cat\u200b", "dog"]
    assert words_for(hidden) == ("cat", "cat", "dog")
    assert r"'cat' and 'cat\u200b' as 'cat'" in str(read_alike(hidden, words_for(hidden)))


def test_wordless() -> None:
    assert wordless(("0", "-1")) is not None
    assert wordless(("n02123045", "n02085620")) is not None
    assert wordless(("0", "cat")) is None
    assert wordless(()) is None


def test_title_names_the_words_where_they_say_more() -> None:
    assert title("n02012849", "crane") == "n02012849 (crane)"
    assert title("001.Black_footed_Albatross", "Black footed Albatross") == "001.Black_footed_Albatross"


def test_alike() -> None:
    assert alike("Golden_Retriever") == alike("golden  retriever")
    assert alike("-1") == alike("1")  # a reason to look for the exact spelling first
