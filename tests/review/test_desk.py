"""What the page shows and records, without HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deft.data.printable import isolated
from deft.errors import ConflictError, DataError, SettingsError
from deft.reviewing.desk import Desk
from deft.reviewing.query import Query
from deft.runs.decisions import Decisions
from deft.runs.detection import Detection
from deft.runs.near import Near


def ids(desk: Desk, limit: int = 1000, after: int = -1, **query: Any) -> list[str]:
    """All images that a query finds, fetched piece by piece."""
    found: list[str] = []
    while True:
        page = desk.page(Query(**query), after=after, limit=limit)
        found += [item["id"] for item in page.items]
        if not page.items:
            return found
        after = page.items[-1]["place"]


def test_the_worst_come_first_and_pages_leave_nothing_out(desk: Desk, found: Detection) -> None:
    worst = found.suspects(None)["sample_id"].tolist()
    assert ids(desk) == worst
    assert ids(desk, limit=7) == worst
    assert ids(desk, verdict="all", order="best")[:3] == [
        found.sample_id[row] for row in np.argsort(-np.nan_to_num(found.p_clean, nan=-1.0), kind="stable")[:3]
    ]
    assert ids(desk, verdict="all", order="name") == sorted(found.sample_id)
    assert len(ids(desk, verdict="all")) == len(found)


def test_a_place_stays_when_something_before_it_is_decided(desk: Desk) -> None:
    worst = ids(desk)
    first = desk.page(Query(), after=-1, limit=5)
    desk.decide("keep", [(sample, 0) for sample in worst[:5]])
    rest = desk.page(Query(), after=first.items[-1]["place"], limit=5)
    assert [item["id"] for item in rest.items] == worst[5:10]
    assert (rest.matching, rest.scope, rest.decided) == (len(worst) - 5, len(worst), 5)


def test_the_likeliest_wrong_come_by_what_was_decided_about_neighbours_and_places_stay(
    found: Detection, log: Decisions
) -> None:
    believed = np.flatnonzero(found.judged & found.is_clean)
    last = int(believed[np.argmax(found.p_clean[believed])])
    neighbours = np.full((len(found), 5), -1)
    friends = [row for row in np.flatnonzero(found.given == found.given[last]).tolist() if row != last][:5]
    neighbours[last, : len(friends)] = friends
    near = Near(neighbours, np.zeros((len(found), 5), np.float32), np.full((len(found.classes), 4), -1))
    desk = Desk(replace(found, near=near), log, "Ada")
    plain = ids(desk, verdict="believed", order="worst")
    assert ids(desk, verdict="believed", order="likely") == plain
    first = desk.page(Query(verdict="believed", order="likely"), after=-1, limit=2)
    other = found.classes[(int(found.given[last]) + 1) % len(found.classes)]
    named = [found.sample_id[row] for row in friends]
    desk.decide("label", [(name, 0) for name in named], other)
    now = ids(desk, verdict="believed", show="all", order="likely")
    assert now.index(found.sample_id[last]) < ids(desk, verdict="believed", show="all").index(found.sample_id[last])
    rest = ids(desk, after=first.items[-1]["place"], verdict="believed", show="all", order="likely", as_of=first.as_of)
    assert rest == plain[2:]
    desk.undo([(name, 1) for name in named])
    assert ids(desk, verdict="believed", order="likely") == plain


def test_filters_find_what_the_table_says(desk: Desk, found: Detection) -> None:
    table = found.table.set_index("sample_id")

    def expect(mask: Any) -> set[str]:
        return set(table[mask].index)

    assert set(ids(desk, verdict="believed")) == expect(found.is_clean)
    assert ids(desk, verdict="unread") == [found.sample_id[7]]
    assert set(ids(desk, verdict="all", given="three")) == expect(table["given_label"] == "three")
    pair = table["is_label_issue"] & (table["given_label"] == "three") & (table["predicted_label"] == "five")
    assert set(ids(desk, given="three", suggested="five")) == expect(pair)
    between = (table["label_score"] >= 0.2) & (table["label_score"] <= 0.4)
    assert set(ids(desk, low=0.2, high=0.4)) == expect(between & table["is_label_issue"])
    assert set(ids(desk, verdict="all", search="DIGIT-001")) == {f"digit-{number:04d}" for number in range(10, 20)}
    assert ids(desk, verdict="all", search="nowhere") == []


def test_every_action_becomes_its_decision(desk: Desk, log: Decisions) -> None:
    a, b, c, d, e, f = ids(desk)[:6]
    before = {item["id"]: item for item in desk.items([a, b, c, d, e, f])}
    other = next(name for name in desk.found.classes if name not in (before[c]["given"], before[c]["suggested"]))
    desk.decide("keep", [(a, 0)])
    desk.decide("suggest", [(b, 0)])
    desk.decide("label", [(c, 0)], other)
    desk.decide("none_of_these", [(d, 0)])
    desk.decide("bad_image", [(e, 0)])
    desk.decide("skip", [(f, 0)])
    kept = log.latest()
    assert [(kept[name].status, kept[name].to_label) for name in (a, b, c, d, e, f)] == [
        ("kept", before[a]["given"]),
        ("corrected", before[b]["suggested"]),
        ("corrected", other),
        ("none_of_these", None),
        ("bad_image", None),
        ("skipped", None),
    ]
    assert all(kept[name].from_label == before[name]["given"] and kept[name].reviewer == "Ada" for name in kept)
    assert ids(desk, show="corrected") == [b, c]
    assert ids(desk, show="skipped") == [f]
    assert set(ids(desk, show="decided")) == {a, b, c, d, e}
    assert not set(ids(desk)) & {a, b, c, d, e, f}


def test_the_evidence_on_an_image(desk: Desk, found: Detection) -> None:
    sample = ids(desk)[0]
    row = found.sample_id.index(sample)
    why = desk.evidence(sample)
    assert why["sentence"] == found.reasons.of(row, isolated).sentence
    assert [one["id"] for one in why["neighbours"]] == [found.sample_id[at] for at in found.reasons.of(row).neighbours]
    assert len(why["neighbours"]) == 5
    assert {one["label"] for one in why["suggested"]} == {found.classes[found.predicted[row]]}
    assert desk.evidence(found.sample_id[7])["neighbours"] == []  # it could not be read
    with pytest.raises(DataError, match="no image 'nobody'"):
        desk.evidence("nobody")


def test_choosing_the_given_label_keeps_it(desk: Desk, log: Decisions) -> None:
    item = desk.page(Query(), after=-1, limit=1).items[0]
    desk.decide("label", [(item["id"], 0)], item["given"])
    assert log.latest()[item["id"]].status == "kept"


def test_what_another_process_decided_is_seen(desk: Desk, found: Detection, log: Decisions) -> None:
    sample = ids(desk)[0]
    with Decisions(log.path.parent) as theirs:
        ben = Desk(found, theirs, "Ben")
        ben.decide("none_of_these", [(sample, 0)])
        assert desk.items([sample])[0]["reviewer"] == "Ben"
        with pytest.raises(ConflictError):
            desk.decide("keep", [(sample, 0)])
        desk.decide("keep", [(sample, 1)])
        assert ben.items([sample])[0]["status"] == "kept"


def test_undo_and_what_can_be_undone_after_a_reload(desk: Desk, found: Detection, log: Decisions) -> None:
    first, second, third = ids(desk)[:3]
    desk.decide("keep", [(first, 0), (second, 0)])
    Desk(found, log, "Ben").decide("keep", [(third, 0)])
    made = log.latest()[first].time
    assert desk.recent(10) == [[first, made], [second, made]]
    assert desk.recent(1) == [[second, made]]
    assert desk.undo([(second, 1)])[0]["status"] is None
    assert desk.recent(10) == [[first, made]]
    assert ids(desk)[0] == second


def test_what_makes_no_sense_is_refused(desk: Desk, found: Detection, log: Decisions) -> None:
    sample = ids(desk)[0]
    with pytest.raises(DataError, match="no image 'nobody'"):
        desk.decide("keep", [("nobody", 0)])
    with pytest.raises(DataError, match="isn't a class called 'unicorn'"):
        desk.decide("label", [(sample, 0)], "unicorn")
    with pytest.raises(DataError, match="isn't a suggestion"):
        desk.decide("suggest", [(found.sample_id[7], 0)])
    with pytest.raises(SettingsError, match="no action 'burn'"):
        desk.decide("burn", [(sample, 0)])
    with pytest.raises(SettingsError, match="no class 'unicorn'"):
        desk.page(Query(given="unicorn"), after=-1, limit=1)
    for values in ({"verdict": "x"}, {"low": "much"}, {"high": "2"}, {"low": "nan"}):
        with pytest.raises(SettingsError):
            Query.read(values)
    assert log.history() == []


def test_an_unreadable_image_says_why_and_has_no_suggestion(desk: Desk, log: Decisions) -> None:
    (item,) = desk.page(Query(verdict="unread"), after=-1, limit=1).items
    assert item["score"] is None
    assert item["suggested"] == ""
    assert item["top"] == []
    assert item["error"] == "broken.png: not an image"
    named = replace(desk.found, read_errors={7: f"{item['name']}: empty file"})
    assert Desk(named, log, "Ada").items([item["id"]])[0]["error"] == "empty file"  # the name stands beside it


def test_what_changed_since_the_run_before(found: Detection, log: Decisions) -> None:
    flagged = np.flatnonzero(found.is_label_issue)
    clean = np.flatnonzero(found.is_clean)
    given, verdicts = found.given.copy(), found.verdicts
    is_clean, p_clean = verdicts.is_clean.copy(), verdicts.p_clean.copy()
    given[flagged[0]] = found.predicted[flagged[0]]
    is_clean[flagged[:2]], p_clean[flagged[:2]] = True, 1.0
    is_clean[clean[0]], p_clean[clean[0]] = False, 0.1
    is_clean[clean[1]], p_clean[clean[1]] = False, np.nan
    now = replace(found, given=given, verdicts=replace(verdicts, is_clean=is_clean, p_clean=p_clean))
    desk = Desk(now, log, "Ada", found)
    names = {kind: set(ids(desk, verdict="all", change=kind)) for kind in ("label", "flagged", "cleared", "set_aside")}
    assert names["label"] == {found.sample_id[flagged[0]]}
    assert names["cleared"] == {found.sample_id[row] for row in flagged[:2]}
    assert names["flagged"] == {found.sample_id[clean[0]]}
    assert names["set_aside"] == {found.sample_id[clean[1]]}
    counts = desk.about()["changes"]
    assert counts == {"any": 4, "label": 1, "flagged": 1, "cleared": 2, "set_aside": 1, "before": len(flagged)}
    before = desk.items([found.sample_id[flagged[0]]])[0]["before"]
    assert before["given"] == found.classes[found.given[flagged[0]]]
    assert before["flagged"]
    assert before["changed"]


def test_images_of_one_picture_are_marked_and_can_be_asked_for(found: Detection, log: Decisions) -> None:
    groups = np.full(len(found), -1, np.int64)
    other = int(np.flatnonzero(found.given != found.given[3])[-1])
    alike = [row for row in np.flatnonzero(found.given == found.given[0]).tolist() if row not in (3, 9, other)][:2]
    groups[alike], groups[[3, other]] = 0, 1
    kinds = np.where(groups < 0, -1, np.where(groups == 0, 0, 2))
    twice = replace(found, verdicts=replace(found.verdicts, duplicate_group=groups, duplicate_kind=kinds))
    desk = Desk(twice, log, "Ada")
    assert desk.about()["duplicates"] == {"any": 4, "labels": 2, "splits": 0}
    page = desk.page(Query(verdict="all", show="all", duplicates="labels"), after=-1, limit=10)
    assert {item["name"] for item in page.items} == {twice.file_name[row] for row in np.flatnonzero(groups == 1)}
    first, second = page.items
    assert first["copies"] == {"count": 1, "labels": [second["given"]], "differ": True, "kind": "features"}
    same = desk.page(Query(verdict="all", show="all", duplicates="any"), after=-1, limit=10).items
    assert {item["copies"]["differ"] for item in same} == {True, False}
    (alone,) = desk.page(Query(verdict="all", show="all", search=twice.file_name[9]), after=-1, limit=1).items
    assert alone["copies"] is None
