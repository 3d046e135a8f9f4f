"""Two runs side by side, and what the page says of a review."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deft.cli import main
from deft.errors import DataError
from deft.report.build import build_report
from deft.report.compare import compare
from deft.report.render import render_comparison
from deft.runs.audit import Audit, Rate
from deft.runs.decisions import Decision, Decisions, now
from deft.runs.review_summary import summarize_reviews

from .runs import make


def test_what_changed_is_counted_and_listed() -> None:
    images, before = make(40)
    given, clean, p_clean = before.given.copy(), before.is_clean.copy(), before.p_clean.copy()
    given[0], clean[0], p_clean[0] = 1, True, 1.0  # corrected
    clean[4], p_clean[4] = True, 0.8  # believed now
    clean[5], p_clean[5] = False, 0.05  # flagged now
    later = replace(before, given=given, verdicts=replace(before.verdicts, is_clean=clean, p_clean=p_clean))
    page = compare(before, later, images, names=("run", "run2"))
    numbers = {row[0]: row[1:] for row in page.numbers.rows}
    assert numbers["labels flagged as wrong"] == ("10", "9")
    assert numbers["other label now"] == ("", "1")
    assert numbers["newly flagged"] == ("", "1")
    assert numbers["no longer flagged"] == ("", "2")
    assert [one.file_name for one in page.changed] == ["photos/0005.png", "photos/0004.png", "photos/0000.png"]
    assert page.changed[0].kind == "newly flagged"
    assert page.changed[0].before.startswith("bird, believed, score 0.6")
    assert page.changed[0].now == "bird, flagged, score 0.050"
    html = render_comparison(page)
    assert "photos/0005.png" in html
    assert html.count("data:image/webp") == 3
    assert "<script" not in html
    assert compare(before, later, images, limit=1).more == 2
    assert compare(before, before).changed == ()


def test_runs_about_other_images_are_refused() -> None:
    _, before = make(8)
    other = replace(before, sample_id=tuple(f"x{row}" for row in range(8)))
    with pytest.raises(DataError, match="no image in common"):
        compare(before, other)


def said(found: object, row: int, status: str, to: str | None, who: str = "Ada") -> tuple[str, Decision]:
    given = ("cat", "dog", "bird")[row % 3]
    label = given if status == "kept" else to
    return f"id{row}", Decision(f"id{row}", status, given, label, who, now())  # type: ignore[arg-type]


def test_what_a_review_came_to() -> None:
    images, found = make(40)
    flagged = np.flatnonzero(found.is_label_issue).tolist()
    assert flagged == list(range(0, 40, 4))
    decisions = dict(
        [
            said(found, 0, "corrected", "dog"),  # the suggestion
            said(found, 4, "corrected", "cat"),  # another class
            said(found, 8, "kept", None, "Ben"),
            said(found, 12, "bad_image", None),
            said(found, 16, "skipped", None),
            said(found, 1, "none_of_these", None),
            said(found, 2, "kept", None),
        ]
    )
    assert summarize_reviews(found, {}) is None
    summary = summarize_reviews(found, decisions)
    assert summary is not None
    assert [(one.name, one.decided, one.told, one.agreed) for one in summary.reviewers] == [
        ("Ada", 5, 4, 3),  # nobody can say of a bad image whether its label is right
        ("Ben", 1, 1, 0),
    ]
    assert (summary.flagged.wrong, summary.flagged.seen) == (2, 3)
    assert (summary.believed.wrong, summary.believed.seen) == (1, 2)
    assert (summary.suggested.wrong, summary.suggested.seen) == (1, 2)
    assert summary.before == pytest.approx(float((1 - found.p_clean).sum()), rel=1e-5)
    assert (summary.fixed, summary.left.images, summary.sample) == (3, 34, None)
    sampled = summarize_reviews(found, decisions, Audit(("id0", "id2"), 40, 0, ""))
    assert sampled is not None
    assert sampled.sample == Rate.of(1, 2)
    html = build_report(images, found, reviews=summary).html()
    assert "Who decided" in html
    assert "2 of 3 (" in html
    assert "75.0\u00a0%" in html  # of Ada's, as many as above
    assert "90\u00a0% likely" in html
    assert 'id="review"' not in build_report(images, found).html()


def test_the_command_writes_table_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, found = make(1200)
    replace(found, images=images).save(tmp_path / "a")
    clean = found.is_clean.copy()
    clean[4] = True
    replace(found, images=images, verdicts=replace(found.verdicts, is_clean=clean)).save(tmp_path / "b")
    monkeypatch.setattr(sys, "argv", ["deft", "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--quiet"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in (0, None)
    printed = capsys.readouterr().out
    assert "no longer flagged" in printed
    assert re.search(r"share of wrong labels +\d+\.\d%", printed)
    assert re.search(r"images in both +1200 +1200\n", printed)
    assert "\\" not in printed
    assert "photos/<wbr>0004.png" in (tmp_path / "b" / "compare.html").read_text()
    with Decisions(tmp_path / "b") as log:
        log.record(said(found, 8, "kept", None)[1], 0)
    monkeypatch.setattr(sys, "argv", ["deft", "report", str(tmp_path / "b"), "--quiet"])
    with pytest.raises(SystemExit):
        main()
    assert "Who decided" in (tmp_path / "b" / "report.html").read_text()
