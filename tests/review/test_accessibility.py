"""Everything on the page can be read, has a name, and fits a phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from tests.review.conftest import Room, Seat

Role = Literal[
    "banner", "button", "combobox", "dialog", "img", "listbox", "main", "option", "progressbar", "searchbox",
    "spinbutton", "status", "textbox",
]  # fmt: skip
pytestmark = pytest.mark.browser


CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = (rgb) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] !== 0) throw new Error("a half transparent background");
    }
    return [255, 255, 255];
  };
  const against = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    if (!node.checkVisibility() || node.closest(".unseen")) continue;
    const style = getComputedStyle(node);
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    const where = `${node.tagName}.${node.className} ${node.textContent.trim().slice(0, 30)}`;
    if (own && node.tagName !== "OPTION") found.push(["text", against(parse(style.color), behind(node)), where]);
    if (node.matches("button, input:not([type=checkbox]), select")) {
      found.push(["edge", against(parse(style.borderTopColor), behind(node.parentElement)), where]);
    }
  }
  return found;
}"""


ROLES: tuple[Role, ...] = (
    "button", "combobox", "textbox", "searchbox", "spinbutton", "listbox", "option", "dialog", "img",
)  # fmt: skip
LANDMARKS: tuple[Role, ...] = ("main", "banner", "progressbar", "status")
STATES = (["k"], ["ArrowLeft"], ["f"], ["Escape", "c"], ["Escape", "?"], ["Escape", "g", "a"])
"""Keys that lead from one state of the page to the next: an image, one decided, filters, classes, help, grid."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["wide", "phone"])
def test_everything_can_be_read_and_has_a_name(
    run: Path, room: Room, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    ada = room.sit(room.serve(run), size, scheme)
    modes: list[bool] = []
    for keys in STATES:
        for key in keys:
            ada.key(key)
        ada.page.wait_for_load_state("networkidle")
        found = ada.page.evaluate(CONTRASTS)
        assert len(found) > 20
        assert [one for one in found if one[0] == "text" and one[1] < 4.5] == []
        assert [one for one in found if one[0] == "edge" and one[1] < 3] == []
        check_names(ada)
        modes.append(ada.page.locator(".tile, #class-list li").filter(visible=True).count() > 0)
        assert ada.width() <= size[0]
    assert modes == [False, False, False, True, False, True]  # all of them were there: choices of class, and tiles


def check_names(ada: Seat) -> None:
    """Every control has a name, every image a description, and the page its landmarks."""
    for role in ROLES:
        for one in ada.page.get_by_role(role).all():
            text = one.aria_snapshot().splitlines()[0]
            assert re.match(rf"- '?{role} (\"|/).+", text), text
    if not ada.page.locator("dialog[open]").count():
        for role in LANDMARKS:
            assert ada.page.get_by_role(role).count() == 1, role
        assert ada.page.get_by_role("group", name="Decide").count() == 1
    assert ada.page.locator("html").get_attribute("lang") == "en"
    assert ada.page.locator("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").count() == 0
