"""The page in a real browser, by keyboard alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from deft.data.digits import digits
from deft.data.load import load_images
from deft.data.printable import isolated
from deft.data.sources import DEMO
from deft.reviewing.desk import Desk
from deft.runs.audit import Audit, undecided
from deft.runs.decisions import Decision, Decisions, now, read_decisions
from deft.runs.detection import Detection
from deft.runs.left import Left, verdicts_of_people, what_is_left
from deft.runs.reviewed import hand_on
from deft.runs.source import Source

from .conftest import made_up

if TYPE_CHECKING:
    from tests.review.conftest import Room

pytestmark = pytest.mark.browser


def test_fifty_decisions_by_keyboard_are_what_the_log_holds(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    table = found.table.set_index("sample_id")
    expected: dict[str, tuple[str, str | None]] = {}
    for number in range(50):
        sample = ada.shown()
        row = table.loc[sample]
        given, top = str(row["given_label"]), [str(name) for name in row["topk_labels"]]
        third = next(name for name in found.classes if name not in (given, *top))
        turns: list[tuple[list[str], tuple[str, str | None]]] = [
            (["k"], ("kept", given)),
            (["s"], ("corrected", top[0])),
            (["3"], ("corrected" if top[2] != given else "kept", top[2])),
            (["c", *third, "Enter"], ("corrected", third)),
            (["n"], ("none_of_these", None)),
            (["b"], ("bad_image", None)),
            (["x"], ("skipped", None)),
            (["k"], ("kept", given)),
        ]
        keys, expected[sample] = turns[number % len(turns)]
        ada.press(*keys)
        if number % 8 == 7:  # the last one wasn't meant so: back, and decide otherwise
            ada.key("u")
            ada.wait_for_image(sample)
            ada.press("n")
            expected[sample] = ("none_of_these", None)
    worst = found.suspects(50)["sample_id"].tolist()
    assert list(expected) == worst
    kept = read_decisions(run)
    assert {name: (one.status, one.to_label) for name, one in kept.items()} == expected
    assert {one.reviewer for one in kept.values()} == {"Ada"}
    assert all(one.from_label == table.loc[name, "given_label"] for name, one in kept.items())
    with Decisions(run) as log:
        assert len(log.history()) == 50 + 2 * 6
    decided = sum(one.status != "skipped" for one in kept.values())
    assert f"{decided} of {len(found.suspects(None))} decided" in ada.page.locator("#count").inner_text()


def test_two_browsers_do_not_overwrite_each_other_silently(run: Path, room: Room) -> None:
    server = room.serve(run)
    ada, ben = room.sit(server), room.sit(server)
    sample = ada.shown()
    assert ben.shown() == sample
    ada.press("k")
    ben.key("s")
    alert = ben.page.get_by_role("alert")
    alert.get_by_text("nothing was saved").wait_for()
    assert f"{sample}: kept by Ada" in alert.inner_text()
    assert ben.shown() == sample
    assert read_decisions(run)[sample].status == "kept"
    ben.press("s")  # Ben has seen it and insists
    assert read_decisions(run)[sample].status == "corrected"
    assert not alert.is_visible()


def test_a_grid_confirms_many_at_once(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    worst = found.suspects(24)["sample_id"].tolist()
    ada.key("g")
    ada.page.get_by_role("option").nth(23).wait_for()
    ada.key("a")
    ada.key("ArrowRight")
    ada.key("Space")  # all but the second
    assert ada.page.get_by_role("option", selected=True).count() == 23
    ada.key("s")
    ada.page.wait_for_selector(f".tile:first-child[data-id='{worst[1]}']")
    kept = read_decisions(run)
    assert set(kept) == set(worst) - {worst[1]}
    assert all(one.to_label == found.classes[found.predicted[found.sample_id.index(n)]] for n, one in kept.items())
    ada.key("u")
    ada.page.wait_for_selector(f".tile:first-child[data-id='{worst[0]}']")
    assert read_decisions(run) == {}
    ada.key("ArrowDown")  # the focus moves by rows
    ada.key("k")
    ada.page.wait_for_selector(".tile:nth-child(1)")
    ada.page.locator("#said").get_by_text("kept").wait_for(state="attached")
    (only,) = read_decisions(run).values()
    assert only.status == "kept"
    assert only.sample_id not in (worst[0], worst[1])


def test_all_alike_and_the_search_by_name(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    table = found.suspects(None)
    first = table.iloc[0]
    alike = table[
        (table["given_label"] == first["given_label"]) & (table["predicted_label"] == first["predicted_label"])
    ]
    ada.key("a")
    ada.page.wait_for_selector(".tile")
    names = ada.page.get_by_role("option").evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    assert names == alike["sample_id"].tolist()
    ada.key("/")
    ada.key("Escape")
    ada.page.locator("#filters button[type=reset]").press("Enter")
    ada.key("g")
    ada.key("/")
    ada.page.keyboard.type(table.iloc[7]["sample_id"])
    ada.wait_for_image(table.iloc[7]["sample_id"])
    ada.page.keyboard.type("nothing like it")
    ada.page.get_by_text("No image fits the filter").wait_for()


def test_leaving_the_search_keeps_what_was_searched_for(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    worst = found.suspects(9)["sample_id"].tolist()
    for sample, leave in ((worst[8], "Escape"), (worst[7], "Enter")):
        ada.key("/")
        ada.page.keyboard.press("ControlOrMeta+a")
        ada.page.keyboard.type(sample)
        ada.wait_for_image(sample)
        ada.key(leave)
        ada.page.wait_for_timeout(500)  # Chromium empties a search on Escape, which was acted on 200 ms later
        assert ada.shown() == sample
        ada.press("n")
        ada.page.get_by_text("Nothing left to do here").wait_for()
    assert set(read_decisions(run)) == {worst[7], worst[8]}


def test_undo_does_not_take_back_what_somebody_else_decided(run: Path, room: Room) -> None:
    ada, ben = room.sit(room.serve(run)), room.sit(room.serve(run, "Ben"))
    sample = ada.shown()
    ada.press("k")
    ben.key("s")
    ben.page.get_by_role("alert").get_by_text("nothing was saved").wait_for()
    ben.press("s")
    ada.key("u")
    alert = ada.page.get_by_role("alert")
    alert.get_by_text("nothing was taken back").wait_for()
    assert "by Ben" in alert.inner_text()
    assert read_decisions(run)[sample].status == "corrected"


def test_undo_goes_back_through_decisions_about_one_image(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    sample = ada.shown()
    ada.press("k")
    for key in ("n", "b"):
        ada.key("ArrowLeft")
        ada.wait_for_image(sample)
        ada.press(key)
    for status in ("none_of_these", "kept"):
        ada.key("u")
        ada.wait_for_image(sample)
        ada.page.locator(".decided").get_by_text(status.replace("_", " ")).wait_for()
        assert read_decisions(run)[sample].status == status
    ada.key("u")
    ada.page.locator(".decided").wait_for(state="detached")
    assert read_decisions(run) == {}


def test_the_next_image_is_there_before_it_is_asked_for(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    worst = found.suspects(5)["sample_id"].tolist()
    ada.page.wait_for_load_state("networkidle")
    ada.press("ArrowRight")
    assert not any(worst[1] in address for address in asked)  # it was loaded with the page
    ada.page.wait_for_load_state("networkidle")
    assert any(worst[4] in address for address in asked)


def test_the_page_shows_what_changed_between_two_runs(run: Path, found: Detection, tmp_path: Path, room: Room) -> None:
    flagged = np.flatnonzero(found.is_label_issue)
    with Decisions(run) as log:
        Desk(found, log, "Ada").decide("suggest", [(found.sample_id[row], 0) for row in flagged[:3]])
    given, is_clean, p_clean = found.given.copy(), found.is_clean.copy(), found.p_clean.copy()
    given[flagged[:3]], is_clean[flagged[:3]], p_clean[flagged[:3]] = found.predicted[flagged[:3]], True, 1.0
    new = replace(found, given=given, verdicts=replace(found.verdicts, is_clean=is_clean, p_clean=p_clean))
    hand_on(run, tmp_path / "next")
    new.save(tmp_path / "next")
    Source(DEMO).save(tmp_path / "next")
    ada = room.sit(room.serve(tmp_path / "next", "Ada"))
    ada.page.get_by_role("button", name="3 labels changed").click()
    ada.wait_for_image(found.sample_id[flagged[0]])
    told = ada.page.locator(".history").inner_text()
    old = found.classes[found.given[flagged[0]]]
    assert f"Run before: {old}, flagged" in told
    assert "Decided: corrected to" in told
    assert ada.page.get_by_role("button", name="3 no longer flagged").is_enabled()
    assert ada.page.get_by_role("button", name="0 newly flagged").is_disabled()


NASTY = (
    "<img src=x onerror=alert(1)>",
    "\"quoted\" & 'odd'",
    "\u202egnp.exe",
    "🦊 fox",
    "<script>document.title='owned'</script>",
    *(f"class {number} with a very long name that goes on and on" for number in range(5)),
)


def test_names_are_text_whatever_they_hold(found: Detection, tmp_path: Path, room: Room) -> None:
    folder = tmp_path / "nasty"
    names = tuple(f"{NASTY[row % len(NASTY)]}/{row}.png" for row in range(len(found)))
    replace(found, classes=NASTY, file_name=names).save(folder)
    Source(DEMO).save(folder)
    ada = room.sit(room.serve(folder, "<b>Eve</b>"), (390, 844))
    title = ada.page.title()
    for _ in range(6):
        assert ada.shown() in names
        ada.press("s")
    ada.key("ArrowLeft")
    ada.page.get_by_text("<b>Eve</b>").wait_for()
    ada.key("g")
    ada.page.wait_for_selector(".tile")
    assert ada.page.title() == title
    assert ada.page.locator("main img[src=x], main script, main b").count() == 0
    assert ada.width() <= 390


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_evidence_stands_beside_the_image(run: Path, found: Detection, room: Room, size: tuple[int, int]) -> None:
    ada = room.sit(room.serve(run), size)
    row = found.sample_id.index(ada.shown())
    why = ada.page.locator(".evidence")
    ada.page.locator(".why").get_by_text(found.reasons.of(row, isolated).sentence).wait_for()
    assert why.locator(".near").first.locator("li").count() == 5
    ada.page.wait_for_load_state("networkidle")
    assert ada.page.evaluate("[...document.querySelectorAll('.near img')].every(image => image.naturalWidth > 0)")
    assert ada.width() <= size[0]
    before = ada.page.locator(".actions").bounding_box()
    ada.press("k")
    ada.page.locator(".evidence .near").first.wait_for()
    assert ada.page.locator(".actions").bounding_box() == before  # buttons stay where they are


def test_all_evidence_is_in_view_on_a_wide_screen(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run), (1440, 900))
    ada.page.locator(".both img").last.wait_for()
    last, buttons = ada.page.locator(".both").bounding_box(), ada.page.locator(".actions").bounding_box()
    assert last is not None
    assert buttons is not None
    assert last["y"] + last["height"] <= buttons["y"]  # not under the buttons


def test_a_small_score_is_not_nothing(found: Detection, tmp_path: Path, room: Room) -> None:
    worst = int(np.nanargmin(np.where(found.is_label_issue, found.p_clean, 1)))
    p_clean = found.p_clean.copy()
    p_clean[worst] = 1e-5
    own = replace(found, verdicts=replace(found.verdicts, p_clean=p_clean))
    own.save(tmp_path / "run")
    Source(DEMO).save(tmp_path / "run")
    ada = room.sit(room.serve(tmp_path / "run"))
    assert ada.shown() == found.sample_id[worst]
    assert ada.page.locator(".labels dd").last.inner_text() == "< 0.001 · wrong label"
    ada.key("g")
    ada.page.locator(".tile .score").first.get_by_text("< 0.001").wait_for()


def test_a_flagged_label_with_nothing_better_says_so(run: Path, found: Detection, room: Room) -> None:
    worst = int(np.argmin(np.where(found.is_label_issue, found.p_clean, 1)))
    predicted = found.predicted.copy()
    predicted[worst] = found.given[worst]
    replace(found, verdicts=replace(found.verdicts, predicted=predicted)).save(run)
    ada = room.sit(room.serve(run))
    assert ada.shown() == found.sample_id[worst]
    assert "Nothing fits better" in ada.page.locator(".actions").inner_text()
    assert "none of the classes" in ada.page.locator(".labels").inner_text()
    ada.key("s")  # there is nothing to take, so nothing is recorded
    ada.page.locator("#said").get_by_text("no suggestion").wait_for(state="attached")
    assert read_decisions(run) == {}
    ada.key("g")
    ada.page.locator(".tile").first.get_by_text("nothing fits better", exact=True).wait_for()
    assert ada.page.locator(".actions .suggest").inner_text().startswith("No suggestion")
    ada.key("a")  # with others, which have one
    ada.page.locator(".actions .suggest").get_by_text("Take suggestions").wait_for()
    ada.key("f")
    ada.page.locator("select[name=kind]").select_option("none_of_the_classes")
    ada.page.wait_for_selector(".tile:only-child")


def test_an_image_without_a_suggestion_says_so(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    ada.key("f")
    ada.page.locator("select[name=verdict]").select_option("unread")
    ada.wait_for_image(found.sample_id[7])
    assert ada.page.get_by_text("No suggestion").is_visible()  # a sentence, and no button that does nothing
    assert ada.page.locator("button.suggest").count() == 0
    ada.key("Escape")
    ada.press("b")
    assert "The one image of this filter was seen." in ada.page.locator(".nothing").inner_text()


def test_the_focus_stays_where_a_key_left_it_and_letters_can_be_switched_off(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    keep = ada.page.get_by_role("button", name=re.compile("^Keep"))
    keep.focus()
    ada.press("Enter")
    assert keep.evaluate("button => button === document.activeElement")
    ada.key("?")
    ada.page.get_by_role("checkbox").press("Space")
    ada.key("Escape")
    ada.key("n")
    ada.press("ArrowRight")
    assert [one.status for one in read_decisions(run).values()] == ["kept"]


def test_a_reload_goes_on_and_can_still_undo(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    worst = found.suspects(3)["sample_id"].tolist()
    ada.press("k")
    ada.press("n")
    ada.page.reload()
    ada.wait_for_image(worst[2])
    ada.key("u")
    ada.wait_for_image(worst[1])
    assert set(read_decisions(run)) == {worst[0]}


def test_a_server_that_is_gone_is_said(run: Path, room: Room) -> None:
    server = room.serve(run)
    ada = room.sit(server)
    ada.press("k")
    server.stop()
    ada.key("k")
    ada.page.get_by_role("alert").get_by_text("every decision up to now is kept").wait_for()
    assert len(read_decisions(run)) == 1


def test_what_somebody_else_decides_counts(run: Path, found: Detection, room: Room) -> None:
    worst = found.suspects(2)["sample_id"].tolist()
    given = found.classes[found.given[found.sample_id.index(worst[0])]]
    with Decisions(run) as log:
        log.record(Decision(worst[0], "kept", given, given, "Ben", now()), 0)
    ada = room.sit(room.serve(run))
    assert ada.shown() == worst[1]
    assert ada.page.locator("#count").inner_text().startswith("1 of")


def test_a_picture_can_be_seen_larger(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    zoomed = ada.page.locator("#zoom img")
    for opening in ("key", "click", "wheel"):
        if opening == "key":
            ada.key("z")
        elif opening == "click":
            ada.page.locator("figure img").click()
        else:
            ada.page.locator("figure img").hover()
            ada.page.mouse.wheel(0, -100)
        zoomed.wait_for()
        ada.page.mouse.move(300, 300)
        ada.page.mouse.wheel(0, -300)
        ada.page.wait_for_selector("#zoom img[style*='scale(1.25)']")
        ada.key("z")
        zoomed.wait_for(state="hidden")
    assert "8 × 8 pixels" in ada.page.locator(".file-facts").inner_text()


def test_a_message_takes_a_decision_back_and_buttons_stay_where_they_are(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    sample = ada.shown()
    places = {name: ada.page.locator(f".actions .{name}").bounding_box() for name in ("keep", "suggest")}
    ada.press("k")
    assert {name: ada.page.locator(f".actions .{name}").bounding_box() for name in places} == places
    ada.page.locator("#toast").get_by_text(f"{sample}: kept").wait_for()
    ada.page.locator("#toast button").click()
    ada.wait_for_image(sample)
    assert read_decisions(run) == {}


@pytest.mark.parametrize("size", [(1440, 900), (1000, 800), (800, 800), (390, 844)])
def test_a_message_covers_no_button_of_the_grid(run: Path, room: Room, size: tuple[int, int]) -> None:
    ada = room.sit(room.serve(run), size)
    ada.key("g")
    ada.page.get_by_role("option").nth(1).click()
    ada.key("k")
    ada.page.locator("#toast").get_by_text(": kept").wait_for()
    ada.page.get_by_role("option").nth(1).click()
    said, buttons = ada.page.locator("#toast").bounding_box(), ada.page.locator(".actions").bounding_box()
    assert said is not None
    assert buttons is not None
    assert said["y"] + said["height"] <= buttons["y"]


def test_a_long_path_is_shown_once_and_its_end_in_the_grid(tmp_path: Path, room: Room) -> None:
    place = tmp_path / "a-folder-with-a-long-name" / "another-one"
    place.mkdir(parents=True)
    images = digits()[0].keep(np.arange(40))
    rows = []
    for row in range(len(images)):
        Image.fromarray(np.asarray(images.reader.read(row))).save(place / f"{row:03d}.png")
        rows.append((str(place / f"{row:03d}.png"), images.classes[images.labels[row]]))
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file_name,label", *(",".join(row) for row in rows)]), encoding="utf-8")
    own = replace(load_images(table), clean_labels=images.clean_labels)
    made_up(own).save(tmp_path / "run")
    Source(str(table)).save(tmp_path / "run")
    ada = room.sit(room.serve(tmp_path / "run"), (390, 844))
    ada.page.locator(".file-facts", has_text="8 × 8 pixels").wait_for()
    assert ada.page.locator("figure").inner_text().count(str(place)) == 1
    ada.key("g")
    tile = ada.page.locator(".tile .file").first
    tile.wait_for()
    cut, shown = tile.evaluate("""tile => {
      const range = document.createRange();
      range.selectNodeContents(tile);
      const [held, own] = [range.getBoundingClientRect(), tile.getBoundingClientRect()];
      return [tile.scrollWidth > tile.clientWidth, held.right - own.right];
    }""")
    assert cut
    assert shown < 1  # its end is within the tile


def test_shift_click_selects_the_range_that_it_promises(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    ada.key("g")
    tiles = ada.page.get_by_role("option")
    tiles.nth(23).wait_for()
    tiles.nth(2).click()
    tiles.nth(7).click(modifiers=["Shift"])
    assert ada.page.get_by_role("option", selected=True).count() == 6
    tiles.nth(0).click(modifiers=["Shift"])  # from the same end
    assert ada.page.get_by_role("option", selected=True).count() == 8


def test_pages_are_numbered_and_decisions_are_shown_whole(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    flagged = len(found.suspects(None))
    pages = -(-flagged // 24)
    ada.key("g")
    ada.page.get_by_text(f"Page 1 of {pages}").wait_for()
    ada.key("PageDown")
    ada.page.get_by_text(f"Page 2 of {pages}").wait_for()
    ada.key("a")
    ada.key("s")
    ada.page.get_by_text(f"Page 2 of {-(-(flagged - min(24, flagged - 24)) // 24)}").or_(
        ada.page.get_by_text("Page 1 of")
    ).first.wait_for()
    ada.key("f")
    ada.page.locator("select[name=show]").select_option("corrected")
    shown = ada.page.locator(".tile .said").first
    shown.wait_for()
    assert "corrected to" in shown.inner_text()
    assert shown.evaluate("line => line.scrollWidth <= line.clientWidth + 1")


def test_all_alike_has_a_chip_that_ends_it(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    ada.press("ArrowRight")
    sample = ada.shown()
    ada.key("a")
    ada.page.wait_for_selector(".tile")
    row = found.suspects(None).set_index("sample_id").loc[sample]
    assert f"{row['given_label']} → {row['predicted_label']}" in ada.page.locator("#chip").inner_text()
    ada.page.get_by_role("button", name="Show all again").click()
    ada.wait_for_image(sample)
    assert not ada.page.locator("#chip").is_visible()
    assert f"of {len(found.suspects(None))} decided" in ada.page.locator("#count").inner_text()


def test_what_is_left_is_told_and_a_random_sample_is_offered(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))

    def expected() -> Left:
        decisions = read_decisions(run)
        still = undecided(found.sample_id, found.judged, decisions)
        return what_is_left(found, still, verdicts_of_people(found, decisions))

    ada.page.locator("#open-ahead").get_by_text(f"about {expected().wrong:.0f} wrong left").click()
    told = ada.page.locator("#ahead")
    assert f"of the {int(found.judged.sum())} images that nobody has decided about" in told.inner_text()
    told.get_by_role("button", name=re.compile("at random, to know .* to within 10 points")).click()
    audit = Audit.load(run)
    while audit is None:
        audit = Audit.load(run)
    for name in audit.drawn[:20]:  # in the order of drawing, flagged or not
        ada.wait_for_image(name)
        ada.key("k")
    while len(read_decisions(run)) < 20:
        continue
    left = expected()
    ada.page.locator("#open-ahead").get_by_text(f"about {left.wrong:.0f} wrong left").click()
    assert "Random sample: 0 of 20 wrong, so 0.0 % to 16.1 %" in told.inner_text()
    assert f"(90 % likely: {left.low:.0f} to {left.high:.0f}, by the scores and what was decided)" in told.inner_text()


def test_where_nothing_is_flagged_any_more_the_least_believed_come_next(
    run: Path, found: Detection, log: Decisions, room: Room
) -> None:
    Desk(found, log, "Ada").decide("keep", [(name, 0) for name in found.suspects(None)["sample_id"]])
    ada = room.sit(room.serve(run))
    ada.page.get_by_text("Nothing left to do here").wait_for()
    ada.page.get_by_role("button", name=re.compile("aren't flagged, likeliest wrong first")).click()
    believed = np.where(found.judged & found.is_clean, found.p_clean, 2)
    ada.wait_for_image(found.sample_id[int(believed.argmin())])


def test_what_is_left_counts_the_last_decision(run: Path, found: Detection, log: Decisions, room: Room) -> None:
    flagged, judged = found.suspects(None)["sample_id"].tolist(), int(found.judged.sum())
    Desk(found, log, "Ada").decide("keep", [(name, 0) for name in flagged[2:]])
    still = judged - len(flagged) + 2
    ada = room.sit(room.serve(run))
    ada.page.locator("#open-ahead").wait_for()
    ada.press("k")
    ada.page.locator("#open-ahead").click()
    told = ada.page.locator("#ahead[open]")
    told.wait_for()
    assert f"of the {still - 1} images that nobody has decided about" in told.inner_text()
    ada.key("Escape")
    ada.press("k")
    assert f"of the {still - 2} images that nobody has decided about" in ada.page.locator(".nothing").inner_text()


def test_a_neighbour_of_a_third_class_speaks_for_neither(run: Path, found: Detection, room: Room) -> None:
    ada = room.sit(room.serve(run))
    table = found.table.set_index("sample_id")
    kinds = set()
    for _ in range(12):
        row = table.loc[ada.shown()]
        ada.page.wait_for_selector(".near span")
        for span in ada.page.locator(".near span").all():
            label, kind = span.inner_text(), span.get_attribute("class")
            wanted = {row["given_label"]: "same", row["predicted_label"]: "other"}.get(label, "third")
            assert kind == wanted
            kinds.add(kind)
        ada.press("ArrowRight")
    assert kinds == {"same", "other", "third"}


def test_of_a_believed_label_the_grid_says_no_more_than_its_name(run: Path, found: Detection, room: Room) -> None:
    predicted = np.where(found.is_clean, found.given, found.predicted)
    replace(found, verdicts=replace(found.verdicts, predicted=predicted)).save(run)
    ada = room.sit(room.serve(run))
    ada.key("g")
    ada.key("f")
    ada.page.locator("select[name=verdict]").select_option("believed")
    ada.page.wait_for_selector(".tile:not(.doubted)")
    tile = ada.page.locator(".tile").first.inner_text()
    assert "→" not in tile
    assert "nothing" not in tile


def test_there_is_no_page_to_turn_to_before_the_first_and_after_the_last(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    ada.key("g")
    back, on = (ada.page.get_by_role("button", name=name) for name in ("Page back", "Page on"))
    ada.page.wait_for_selector(".tile")
    assert back.is_disabled()
    assert on.is_enabled()
    while on.is_enabled():
        at = ada.page.locator(".pages").inner_text()
        ada.key("PageDown")
        ada.page.wait_for_selector(f".pages:not(:text-is({at!r}))")
    assert back.is_enabled()


def test_the_grids_buttons_stay_where_they_are_whatever_the_names(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run), (1440, 900))
    ada.key("g")
    ada.page.wait_for_selector(".tile")
    seen = set()
    for key in ["ArrowRight"] * 6 + ["Space"]:
        ada.key(key)
        seen.add(tuple(box["x"] for one in ada.page.locator(".actions button").all() if (box := one.bounding_box())))
    assert len(seen) == 1


def test_it_shows_that_a_filter_is_on_and_says_when_nothing_fits_it(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    assert not ada.page.locator("#open-filters.filtered").count()
    ada.key("f")
    ada.page.locator("select[name=show]").select_option("corrected")
    ada.page.get_by_text("No image fits the filter").wait_for()  # of those flagged, none is corrected
    assert "seen" not in ada.page.locator(".nothing").inner_text()
    assert ada.page.locator("#open-filters.filtered").is_visible()
    ada.page.get_by_role("button", name="Reset").click()
    ada.page.wait_for_selector("figcaption")
    assert not ada.page.locator("#open-filters.filtered").count()


def test_a_score_out_of_range_is_refused_where_it_was_typed(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run))
    ada.key("f")
    low = ada.page.locator("input[name=low]")
    low.fill("3")
    low.press("Enter")
    assert low.evaluate("field => field.validity.rangeOverflow && document.activeElement === field")
    colours = [
        field.evaluate("field => getComputedStyle(field).borderColor")
        for field in (low, ada.page.locator("input[name=high]"))
    ]
    assert len(set(colours)) == 2


def test_all_alike_without_a_suggestion_says_what_is_shown(run: Path, found: Detection, room: Room) -> None:
    worst = int(np.argmin(np.where(found.is_label_issue, found.p_clean, 1)))
    predicted = found.predicted.copy()
    predicted[worst] = found.given[worst]
    replace(found, verdicts=replace(found.verdicts, predicted=predicted)).save(run)
    ada = room.sit(room.serve(run))
    ada.key("a")
    ada.page.wait_for_selector(".tile")
    label = found.classes[found.given[worst]]
    assert ada.page.locator("#chip span").inner_text() == f"Only {label} with any suggestion"
    same = int((found.is_label_issue & (found.given == found.given[worst])).sum())
    assert ada.page.locator(".tile").count() == min(same, 24)


def test_the_phones_head_keeps_its_height_when_the_time_left_is_known(run: Path, room: Room) -> None:
    ada = room.sit(room.serve(run), (390, 844))
    ada.page.locator("#open-ahead").wait_for()
    before = ada.page.locator("header").bounding_box()
    ada.press("k")
    ada.press("k")
    ada.press("k")
    ada.page.locator("#count").get_by_text("left").wait_for()
    after = ada.page.locator("header").bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] == pytest.approx(before["height"], abs=0.5)


def test_a_tile_breaks_a_long_label_at_its_underscore_and_keeps_its_file_on_one_line(
    run: Path, found: Detection, room: Room
) -> None:
    long = tuple(f"{name}rocodile_{name}ead" for name in found.classes)
    replace(found, classes=long, file_name=tuple(f"some_long/folder_{row}.png" for row in range(len(found)))).save(run)
    ada = room.sit(room.serve(run), (390, 844))
    ada.key("g")
    tile = ada.page.locator(".tile").first
    lines = tile.locator(".given bdi").evaluate(
        """label => { const range = document.createRange(); return [...label.childNodes].filter((part) => part.data)
        .map((part) => { range.selectNodeContents(part); return range.getClientRects().length; }); }"""
    )
    assert lines == [1, 1]  # each of its two parts is whole
    height = tile.locator(".file").evaluate("line => line.getBoundingClientRect().height")
    assert height < 2 * tile.locator(".score").evaluate("line => line.getBoundingClientRect().height")
