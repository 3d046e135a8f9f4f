"""The page as a whole: complete, self-contained, small, and safe whatever the names are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import deft
from deft.data.images import LabeledImages
from deft.data.readers import ArrayReader
from deft.errors import DataError, SettingsError
from deft.report.build import build_report
from deft.report.facts import errors, how

from .runs import make

EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "' onmouseover='alert(3)",
    "</style></title></textarea><svg onload=alert(4)>",
    "\u202egnp.exe\u2066",
    "שלום עולם",
    "🐶👨\u200d👩\u200d👧",
    "{{ 7 * 7 }}{% for x in y %}",
    "a&lt;b&amp;\x00\x1b[31m\ud83d",
    "javascript:alert(5)",
)


class Parsed(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and "addEventListener" in data:
            self.script += data
        self.texts.append(data)

    @property
    def shapes(self) -> set[tuple[str, str]]:
        """Every element with every attribute that it has."""
        return {(tag, name) for tag, attributes in self.elements for name in ("", *attributes)}

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


def page_of(*classes: str, **changes: object) -> str:
    images, found = make(80, classes, **changes)
    return build_report(images, found, name=str(classes[0])).html()


def test_no_name_becomes_markup() -> None:
    tame_names = tuple(f"kind {letter}" for letter in "abcdefghij")
    tame = Parsed(page_of(*tame_names, read_errors={5: "photos/x.png: truncated"}))
    files = tuple(f"{EVIL[row % len(EVIL)]}/{row}.png" for row in range(80))
    wild_text = page_of(
        *EVIL, file_name=files, read_errors={5: EVIL[0]}, info={"device": EVIL[0], "versions": {EVIL[1]: EVIL[2]}}
    )
    wild = Parsed(wild_text)
    assert wild.shapes <= tame.shapes | {("li", ""), ("ul", ""), ("bdi", "class")}  # the notes on odd names
    assert wild.script == tame.script
    assert sum(tag == "script" for tag, _ in wild.elements) == 1
    assert not [name for _, name in wild.shapes if name.startswith("on")]
    assert all(value.startswith("data:image/webp;base64,") for value in wild.values("src"))
    assert all(value.startswith("#") for value in wild.values("href"))
    texts = "".join(wild.texts)
    assert "<script>alert(1)</script>" in texts
    assert "{{ 7 * 7 }}" in texts
    assert "👨\u200d👩\u200d👧" in texts
    assert "\x00" not in wild_text


def test_every_name_in_the_text_is_isolated() -> None:
    turned = "\u202egnp.exe"
    text = page_of("kind a", turned, "kind c", file_name=tuple(f"{turned}{row}" for row in range(80)))
    before = [text[:place] for place in range(len(text)) if text.startswith(turned, place)]
    assert len(before) > 20
    for start in before:
        opening = start.rpartition("<")[2]
        assert opening.startswith(("bdi", "text ")) or start.endswith(("\u2068", "&#x2068;")), start[-200:]


def test_a_reason_does_not_say_the_name_again() -> None:
    """A right-to-left mark in the name would turn the reason behind it."""
    names = tuple(f"\u202egnp.{row}" for row in range(80))
    _, found = make(80, ("cat", "dog"), file_name=names, read_errors={5: "\u202egnp.5: empty file", 6: "x"})
    assert errors(found).rows == (("\u202egnp.5", "empty file"), ("\u202egnp.6", "x"))


def test_a_run_made_with_reviews_says_so() -> None:
    reviews = {"run": "run", "kept": 2, "corrected": 1, "set_aside": 3}
    facts = {fact.name: fact.value for fact in how(make(8, info={"reviews": reviews})[1])}
    assert facts["with reviews"] == "2 labels confirmed, 1 corrected, 3 images set aside"
    assert "with reviews" not in {fact.name for fact in how(make(8)[1])}


def test_the_page_loads_nothing() -> None:
    page = Parsed(page_of("cat", "dog", "bird"))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "base", "form", "video", "audio", "source", "use", "image"}
    (policy,) = [a["content"] or "" for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert set(re.findall(r"url\(.{0,6}", "".join(page.texts))) == {'url("data:'}  # pictures that stand on the page
    assert "@import" not in "".join(page.texts)


def test_it_can_be_read_without_seeing_it() -> None:
    page = Parsed(page_of("cat", "dog", "bird", read_errors={5: "x"}))
    for tag, attributes in page.elements:
        if tag == "img":
            assert "labelled" in (attributes["alt"] or "")
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in page.values("href")} <= set(ids)
    assert set(page.values("for")) <= set(ids)


def test_suspects_stand_worst_first_and_grouped() -> None:
    images, found = make(80)
    gallery = build_report(images, found, limit=12).page.gallery
    assert gallery.flagged == 20
    assert [card.rank for card in gallery.cards] == list(range(1, 13))
    worst = found.suspects(12)
    assert [card.file_name for card in gallery.cards] == worst["file_name"].tolist()
    assert [card.given for card in gallery.cards] == worst["given_label"].tolist()
    # In groups: each class's heading, then its cards, and no place taken twice.
    places = sorted([group.place for group in gallery.groups] + [card.place for card in gallery.cards])
    assert places == list(range(len(places)))
    for group in gallery.groups:
        mine = [card.place for card in gallery.cards if card.class_id == group.class_id]
        assert mine == list(range(group.place + 1, group.place + 1 + group.shown))


def test_a_picture_that_is_gone_leaves_a_card() -> None:
    images, found = make(8)
    lost = LabeledImages(
        ArrayReader([b"broken"] * 8),
        images.rows,
        images.labels,
        images.classes,
        images.file_name,
        own_id=images.sample_id,
    )
    page = build_report(lost, found)
    assert [card.picture for card in page.page.gallery.cards] == ["", ""]
    assert "can&#39;t be read" in page.html() or "can't be read" in page.html()


def test_curves_only_where_the_truth_is_known() -> None:
    images, found = make(40)
    assert len(build_report(images, found).page.curves) == 2
    images, found = make(40, truth=False)
    page = build_report(images, found).page
    assert page.curves == ()
    assert page.truth == ()
    assert "truth" not in build_report(images, found).html()


def test_ten_thousand_noisy_images_stay_under_five_megabytes(tmp_path: Path) -> None:
    images, found = make(10_000)
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (4, 400, 400, 3), np.uint8)  # nothing compresses worse
    heavy = LabeledImages(
        ArrayReader([noise[row % 4] for row in range(10_000)]),
        images.rows,
        images.labels,
        images.classes,
        images.file_name,
        own_id=images.sample_id,
    )
    build_report(heavy, found).write(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_nothing_flagged_nothing_judged_nothing_shown() -> None:
    calm = make(20, flagged=np.zeros(20, bool))
    assert "No label was flagged." in build_report(*calm).html()
    assert "none is shown" in build_report(*make(20), limit=0).html()
    mute = make(6, read_errors=dict.fromkeys(range(6), "broken"))
    assert "Not judged" in build_report(*mute).html()


def test_verdicts_on_other_images_are_refused() -> None:
    images, found = make(8)
    with pytest.raises(DataError, match="8 rows were judged, 7 given"):
        build_report(images.keep(range(7)), found)
    with pytest.raises(SettingsError, match="not -1"):
        build_report(images, found, limit=-1)


def test_it_is_in_the_index() -> None:
    assert deft.build_report is build_report


def test_duplicates_are_counted_and_those_with_different_labels_are_named() -> None:
    images, found = make(12)
    assert "duplicates" not in {fact.name for fact in build_report(images, found).page.sizes}
    groups = np.full(12, -1, np.int64)
    groups[[1, 4]], groups[[2, 3]] = 0, 1  # two dogs, and a bird that is also a cat
    old = replace(found, verdicts=replace(found.verdicts, duplicate_group=groups))  # of a run that doesn't say how
    facts = {fact.name: fact.note for fact in build_report(images, old).page.sizes}
    assert facts["duplicates"] == "in 2 groups, each of one picture"
    kinds = np.where(groups < 0, -1, np.where(groups == 0, 0, 2))
    twice = replace(old, verdicts=replace(old.verdicts, duplicate_kind=kinds))
    told = {fact.name: (fact.value, fact.note) for fact in build_report(images, twice).page.sizes}
    assert told["duplicates"] == (
        "4 images",
        "in 2 groups, each of one picture; known by the same pixels 2, a model's features 2",
    )
    assert told["duplicates with different labels"] == (
        "1 group",
        "such as photos/0002.png (bird), photos/0003.png (cat)",
    )
    assert "duplicates in several splits" not in told
    page = build_report(images, twice).page
    assert [row[:4] for row in page.torn.rows] == [
        ("1", "photos/0002.png", "bird", "a model's features"),
        ("1", "photos/0003.png", "cat", "a model's features"),
    ]
    assert not build_report(images, found).page.torn.rows
