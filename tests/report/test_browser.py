"""The report in a real browser: without a script and without a network, at two widths, light and dark."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deft.report.build import build_report

from .runs import make

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Relative luminance and contrast as WCAG 2.2 defines them, of every element that has text of its own.
LOWEST_CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255)).reduce(
    (sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  let worst = [21, ""];
  for (const e of document.querySelectorAll("body *:not(script)")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(e.closest("svg") ? style.fill : style.color)), light(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < worst[0]) worst = [contrast, e.outerHTML.slice(0, 120)];
  }
  return worst;
}"""

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images, found = make(
        80, ("cat", "dog", "a bird with a rather long name"), read_errors={5: "photos/x.png: truncated"}
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    build_report(images, found, name="photos").write(path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_can_be_read(browser: Any, report: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url[:80]))
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    contrast, where = page.evaluate(LOWEST_CONTRAST)
    assert contrast >= 4.5, where
    assert page.locator("button.copy").first.is_visible()  # the only script ran: its hash is the one allowed
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth === 32)")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    page.close()


def test_long_paths_keep_to_a_phone(browser: Any, tmp_path: Path) -> None:
    names = tuple(f"/photos/of-the-spring/n03445777/n03445777_{row:05d}.jpeg" for row in range(40))
    images, found = make(40, file_name=names)
    note = f"2 rows name a file that an earlier row names too; all are kept: {names[0]}, {names[1]}."
    found = replace(found, info={**found.info, "reading": {"notes": [note]}})
    path = tmp_path / "report.html"
    build_report(images, found, name="photos").write(path)
    page = browser.new_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.goto(path.as_uri())
    assert note in page.locator("body").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("button.copy").first.bounding_box()["height"] >= 24  # WCAG 2.2, target size
    page.close()


LINES = """
code => [...code.querySelector("bdi").childNodes].flatMap(node => {
  const range = document.createRange();
  range.selectNodeContents(node);
  return node.nodeType === Node.TEXT_NODE ? [[node.data, range.getClientRects().length]] : [];
})
"""


@pytest.mark.parametrize("width", [1440, 390])
def test_a_path_that_needs_two_lines_ends_the_first_after_a_slash(browser: Any, tmp_path: Path, width: int) -> None:
    images, found = make(40, file_name=tuple(f"Motorbikes/img_{row:04d}.jpg" for row in range(40)))
    path = tmp_path / "report.html"
    build_report(images, found, name="photos").write(path)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    shown = page.locator(".path code").first
    assert shown.inner_text().startswith("Motorbikes/img_")  # copied in one piece
    assert [lines for _, lines in shown.evaluate(LINES)] == [1, 1]
    page.close()


def test_classes_are_chosen_without_a_script(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    cards = page.locator("article:visible")
    assert cards.count() == 20
    assert page.locator("button.copy:visible").count() == 0
    page.locator("label", has_text="dog").click()
    dogs = cards.count()
    assert 0 < dogs < 20
    assert cards.locator(".labels .given").all_inner_texts() == ["dog"] * dogs
    page.keyboard.press("ArrowLeft")  # by keyboard to the class before it
    assert page.locator("article:visible .labels .given").all_inner_texts() != ["dog"] * dogs
    page.locator("label[for=all]").click()
    assert page.locator("h3.group:visible").count() == 0
    page.get_by_text("by given label").click()
    assert page.locator("h3.group:visible").count() == 3
    tops = [page.locator(f"h3.group >> nth={number}").bounding_box()["y"] for number in range(3)]
    assert tops == sorted(tops)
    context.close()


def test_a_path_is_copied(browser: Any, report: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(report.as_uri())
    page.locator("button.copy").first.click()
    page.get_by_role("button", name="Copy the path").first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "photos/0000.png"
    context.close()


def test_names_run_nothing(browser: Any, tmp_path: Path) -> None:
    evil = (
        "<script>window.hit = 1</script>",
        '"><img src=x onerror="window.hit = 1">',
        "</style><svg onload=window.hit=1>",
    )
    images, found = make(60, evil, file_name=tuple(f"{evil[row % 3]}{row}" for row in range(60)))
    build_report(images, found, name=evil[0]).write(tmp_path / "report.html")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("window.hit") is None
    assert page.locator("article .path code").first.inner_text() == f"{evil[0]}0"
    page.close()


LONG = " ".join(["a folder whose name takes several lines on paper"] * 4)
UNPROTECTED = "@media print{*{break-inside:auto!important;break-after:auto!important}}"


@pytest.fixture(scope="module")
def long_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of suspects and a table whose rows take several lines; the first and the last word of each are its own."""
    errors = {row: f"start{row:04d} {LONG} end{row:04d}" for row in range(1, 80, 2)}
    names = tuple(f"top{row:04d} {LONG} base{row:04d}.png" for row in range(80))
    images, found = make(80, file_name=names, read_errors=errors)
    path = tmp_path_factory.mktemp("long") / "report.html"
    build_report(images, found, name="photos").write(path)
    return path


def printed(browser: Any, report: Path, style: str) -> tuple[list[str], int]:
    """The text of each page that Chromium makes of a report on A4, and how often pages paint a picture."""
    from pypdf import PdfReader

    page = browser.new_page()
    page.goto(report.as_uri())
    page.add_style_tag(content=style)
    data = page.pdf(format="A4", prefer_css_page_size=True)
    page.close()
    document = PdfReader(io.BytesIO(data))
    assert {round(float(sheet.mediabox.width)) for sheet in document.pages} <= {595, 596}
    return [sheet.extract_text() for sheet in document.pages], sum(len(sheet.images) for sheet in document.pages)


def torn(texts: list[str], first: str, last: str) -> tuple[int, list[str]]:
    """How many things with these first and last words were printed, and which of them lie on more than one page."""
    pages: dict[str, set[int]] = {}
    for number, text in enumerate(texts):
        for name in re.findall(rf"\b(?:{first}|{last})(\d{{4}})", text):
            pages.setdefault(name, set()).add(number)
    return len(pages), [name for name, places in pages.items() if len(places) > 1]


@pytest.mark.parametrize("lower", [0, 130, 260])
def test_paper_tears_nothing(browser: Any, long_report: Path, lower: int) -> None:
    """Wherever the ends of the pages fall."""
    texts, pictures = printed(browser, long_report, f"@media print{{body{{padding-top:{lower}px!important}}}}")
    assert torn(texts, "start", "end") == (40, [])  # rows of a table
    assert torn(texts, "top", "base") == (60, [])  # cards of suspects, and the files of that table
    assert pictures == 20  # one that is cut is painted on two pages
    for title, legend in (("Look at n images", "expected from the scores"), ("Scores of 40", "threshold")):
        assert [title in text for text in texts] == [title in text and legend in text for text in texts]
    assert "evidence" not in texts[0]  # a button that nobody can press


def test_this_would_see_what_is_torn(browser: Any, long_report: Path) -> None:
    texts, _ = printed(browser, long_report, UNPROTECTED)
    assert torn(texts, "start", "end")[1]
    assert torn(texts, "top", "base")[1]
