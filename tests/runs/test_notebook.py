"""What a notebook shows of a detection."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from deft.data.images import LabeledImages
from deft.data.readers import ArrayReader
from deft.runs.detection import Detection, Verdicts
from deft.runs.judged import new_detection

EVIL = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "\u202egnp.exe\x1b")


def judged(count: int, pictures: bool = True) -> Detection:
    rows = np.arange(count)
    pixels = np.full((count, 8, 8, 3), 128, np.uint8)
    images = LabeledImages(
        reader=ArrayReader(pixels if pictures else [b"broken"] * count),
        rows=rows,
        labels=rows % 3,
        classes=EVIL,
        own_id=tuple(f"id{row}" for row in rows),
        file_name=tuple(f"{EVIL[row % 3]}/{row}" for row in rows),
    )
    verdicts = Verdicts(
        p_clean=np.linspace(0.4, 0.1, count).astype(np.float32),
        is_clean=np.zeros(count, bool),
        predicted=(rows + 1) % 3,
        topk=((rows + 1) % 3)[:, None],
        topk_probs=np.ones((count, 1), np.float32),
    )
    return new_detection(images, verdicts, read_errors={}, settings={}, info={})


class Parsed(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_worst_stand_first_with_their_pictures() -> None:
    page = Parsed(judged(30)._repr_html_())
    assert page.tags.count("tr") == 21
    assert page.tags.count("img") == 20
    assert page.text.index("/29") < page.text.index("/28")


def test_names_are_text_and_nothing_else() -> None:
    html = judged(6)._repr_html_()
    page = Parsed(html)
    assert set(page.tags) == {"table", "caption", "thead", "tbody", "tr", "th", "td", "bdi", "img"}
    assert page.attributes == {"style", "scope", "alt", "src"}
    assert EVIL[0] in page.text
    assert EVIL[1] in page.text
    assert html.encode("utf-8")


def test_without_images_the_table_stands_alone() -> None:
    found = replace(judged(6), images=None)
    assert "img" not in Parsed(found._repr_html_()).tags
    assert Parsed(found._repr_html_()).tags.count("tr") == 7


def test_an_image_that_is_gone_says_so() -> None:
    assert "no picture" in judged(6, pictures=False)._repr_html_()


def test_it_is_short_where_there_is_only_text() -> None:
    assert repr(judged(6)) == "Detection(6 images, 3 classes, 6 flagged)"
