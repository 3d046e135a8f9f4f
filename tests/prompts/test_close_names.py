"""Names that mean nearly the same to the bundled model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deft.encoders.load import load_encoder
from deft.prompts import close_names as module
from deft.prompts.close_names import close_names


@pytest.mark.parametrize("pair", [("sofa", "couch"), ("cat", "kitten")])
def test_the_model_reads_kin_as_one(pair: tuple[str, str]) -> None:
    found = close_names(load_encoder("tiny", device="cpu"), ["truck", pair[0], "boat", pair[1], "apple"])
    ((one, other, similarity),) = found
    assert (one, other) == pair
    assert 0.85 <= similarity < 1


def test_every_pair_comes_once_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    def features(_: object, names: list[str]) -> Tensor:
        # The first letter is the direction; common words cancel out.
        places = torch.zeros(len(names), 26)
        for row, name in enumerate(names):
            places[row, ord(name[0]) - 97] = float(name[1:].isdigit())
        return places

    monkeypatch.setattr(module, "class_features", features)
    monkeypatch.setattr(module, "BLOCK", 2)
    names = ["a1", "b1", "a2", "c1", "b2", "a3", "d1"]
    pairs = {frozenset(pair[:2]) for pair in close_names(None, names)}  # type: ignore[arg-type]
    assert pairs == {frozenset(pair) for pair in [("a1", "a2"), ("a1", "a3"), ("a2", "a3"), ("b1", "b2")]}
    assert len(close_names(None, names)) == 4  # type: ignore[arg-type]
