"""The page on extending deft runs as it stands, and what it defines does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deft

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page's blocks leave, run one after the other."""
    names: dict[str, Any] = {"__name__": __name__}  # dataclasses look their module up
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert all(len(block.splitlines()) <= 30 for block in blocks)
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    return names


def test_the_embeddings_of_another_model_find_wrong_labels(page: dict[str, Any]) -> None:
    wrong = page["found"].is_label_issue
    assert 0.1 < wrong.mean() < 0.3


def test_two_models_that_agree(page: dict[str, Any]) -> None:
    squares = page["squares"]
    probs = np.full((200, 2), 0.1)
    probs[np.arange(200), page["found"].predicted] = 0.9
    found = page["Agreement"](probs, probs).detect(squares)
    assert (found.is_label_issue == (found.predicted != squares.labels)).mean() > 0.95


def test_a_method_of_ones_own(page: dict[str, Any]) -> None:
    squares = page["squares"].keep(np.arange(40))
    model = deft.adapt("tiny", squares, method=page["Focal"](), epochs=1, tuning=deft.Frozen())
    assert len(model.predict(squares)) == 40
