"""A random sample tells the share of wrong labels, and what is left tells when to stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deft.errors import DataError, SettingsError
from deft.metrics import wilson_interval
from deft.runs.audit import Audit, sizes
from deft.runs.decisions import Decision, now
from deft.runs.detection import Detection, Verdicts
from deft.runs.left import border

POOL = tuple(f"id{row}" for row in range(1000))


def detection(p_clean: np.ndarray, flagged: np.ndarray) -> Detection:
    count = len(p_clean)
    given = np.zeros(count, np.int64)
    predicted = np.where(flagged, 1, 0)
    return Detection(
        sample_id=tuple(f"id{row}" for row in range(count)),
        file_name=tuple(f"{row}.png" for row in range(count)),
        split=None,
        classes=("cat", "dog"),
        given=given,
        verdicts=Verdicts(
            p_clean=p_clean.astype(np.float32),
            is_clean=~flagged & np.isfinite(p_clean),
            predicted=predicted,
            topk=predicted[:, None],
            topk_probs=np.full((count, 1), 0.9, np.float32),
        ),
        read_errors={},
        settings={},
    )


def said(name: str, status: str) -> Decision:
    new = {"kept": "cat", "corrected": "dog"}.get(status)
    return Decision(name, status, "cat", new, "Ada", now())  # type: ignore[arg-type]


def test_a_sample_does_not_depend_on_the_order_and_is_another_with_another_seed() -> None:
    first = Audit.draw(POOL, count=40)
    assert first.drawn == Audit.draw(POOL[::-1], count=40).drawn
    assert len(set(first.drawn)) == 40
    assert first.drawn != Audit.draw(POOL, count=40, seed=1).drawn
    assert Audit.draw(POOL, count=60).drawn[:40] == first.drawn
    with pytest.raises(SettingsError, match=r"From 1000 images .* 1001 can't be drawn"):
        Audit.draw(POOL, count=1001)


def test_the_interval_of_a_sample_holds_the_truth_in_nine_of_ten_runs() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for run in range(300):
        wrong = set(np.array(POOL)[rng.random(len(POOL)) < 0.08].tolist())
        audit = Audit.draw(POOL, count=100, seed=run)
        rate = audit.rate({name: said(name, "corrected" if name in wrong else "kept") for name in audit.drawn})
        held += rate.low <= len(wrong) / len(POOL) <= rate.high
    assert held / 300 >= 0.9


def test_what_people_said_of_the_sample_is_counted() -> None:
    audit = Audit.draw(POOL, count=40)
    statuses = ["kept"] * 20 + ["corrected"] * 3 + ["none_of_these"] + ["bad_image"] * 2 + ["skipped"]
    decisions = {name: said(name, status) for name, status in zip(audit.drawn, statuses, strict=False)}
    rate = audit.rate(decisions)
    assert (rate.wrong, rate.seen) == (4, 24)
    assert (rate.low, rate.high) == wilson_interval(4, 24)
    assert audit.open(decisions) == 40 - len(statuses)


def test_sizes_are_those_of_the_binomial_distribution() -> None:
    assert sizes(0.1, 10_000) == [(370, 0.03), (137, 0.05), (35, 0.1)]
    assert sizes(0.02, 100) == [(46, 0.03), (24, 0.05), (20, 0.1)]
    assert sizes(0.0, 10) == []
    rng = np.random.default_rng(0)
    for count, points in sizes(0.2, 100_000):
        off = np.abs(rng.binomial(count, 0.2, 20_000) / count - 0.2)
        assert 0.93 <= (off <= points).mean() <= 0.97


def test_a_sample_is_kept_with_the_run(tmp_path: Path) -> None:
    assert Audit.load(tmp_path) is None
    audit = Audit.draw(POOL, count=10)
    audit.save(tmp_path)
    assert Audit.load(tmp_path) == audit
    (tmp_path / "audit.json").write_text("{}")
    with pytest.raises(DataError, match="Delete it to draw anew"):
        Audit.load(tmp_path)


def test_the_border_lies_between_what_is_flagged_and_what_passes() -> None:
    p_clean = np.array([0.1, 0.5, 0.7, 0.9])
    assert border(detection(p_clean, p_clean < 0.6)) == pytest.approx(0.6)
    assert border(detection(p_clean, np.zeros(4, bool))) == pytest.approx(0.05)
