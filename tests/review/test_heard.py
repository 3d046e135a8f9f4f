"""What is kept in step with the log is what a walk through all of it gives."""

from __future__ import annotations

import numpy as np
import pytest

from deft.reviewing.desk import Desk
from deft.reviewing.heard import CODES, UNDECIDED, Heard
from deft.reviewing.query import Query
from deft.runs.audit import undecided
from deft.runs.decisions import Decisions, latest
from deft.runs.detection import Detection
from deft.runs.left import verdicts_of_people
from deft.runs.onward import labels_now, likely_wrong

ACTIONS = ("keep", "suggest", "label", "none_of_these", "bad_image", "skip")


def decide_at_random(desk: Desk, rng: np.random.Generator) -> None:
    """Decide about some images, as people do: several at once, again, and back."""
    rows = rng.permutation(np.delete(np.arange(len(desk.found)), 7))[: rng.integers(1, 6)]  # 7 can't be read
    seen = [(item["id"], item["revision"]) for item in desk.items([desk.found.sample_id[row] for row in rows.tolist()])]
    back = [one for one in seen if one[0] in latest(desk._log.history())]
    if back and rng.random() < 0.4:
        desk.undo(back)
        return
    action = str(rng.choice(ACTIONS))
    if action == "suggest":
        seen = [one for one in seen if desk.found.suggested[desk.row_of[one[0]]] >= 0] or seen[:0]
    if seen:
        desk.decide(action, seen, desk.found.classes[int(rng.integers(len(desk.found.classes)))])


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_the_whole_log_says_after_any_decisions(found: Detection, log: Decisions, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = Desk(found, log, "Ada"), Desk(found, log, "Ben")
    heard = Heard(found, log, one.row_of)
    for _ in range(60):
        decide_at_random(one if rng.random() < 0.5 else other, rng)
        if rng.random() < 0.6:  # now and then, several come at once
            heard.read_on()
    heard.read_on()
    whole = log.history()
    stands = latest(whole)
    codes = [CODES[stands[name].status] if name in stands else UNDECIDED for name in found.sample_id]
    assert heard.number == whole[-1].number
    assert heard.latest == stands
    assert heard.status.tolist() == codes
    assert np.array_equal(heard.said, verdicts_of_people(found, stands))
    assert np.array_equal(heard.labels, labels_now(found, stands))
    assert np.array_equal(heard.still, undecided(found.sample_id, found.judged, stands))
    assert {name: entry.revision for name, entry in heard.entries.items()} == {
        entry.decision.sample_id: entry.revision for entry in whole
    }
    for number in (0, 1, len(whole) // 2, len(whole) - 1):
        before = latest([entry for entry in whole if entry.number <= number])
        assert np.array_equal(heard.labels_at(number), labels_now(found, before)), number


def test_the_likeliest_wrong_come_as_the_whole_log_up_to_a_number_has_them(found: Detection, log: Decisions) -> None:
    desk, rng = Desk(found, log, "Ada"), np.random.default_rng(0)

    def shown(as_of: int) -> list[str]:
        page = desk.page(Query(verdict="all", show="all", order="likely", as_of=as_of), after=-1, limit=len(found))
        return [item["id"] for item in page.items]

    asked: dict[int, list[str]] = {}
    for _ in range(12):  # more than are remembered
        for _ in range(4):
            decide_at_random(desk, rng)
        number = log.history()[-1].number
        asked[number] = shown(-1)
    for number, first in asked.items():
        heard = latest([entry for entry in log.history() if entry.number <= number])
        plain = np.argsort(-likely_wrong(found, heard), kind="stable")
        assert first == shown(number) == [found.sample_id[row] for row in plain.tolist()]
    assert len(set(map(tuple, asked.values()))) > 1
