"""Class prototypes; constants from tests/reference/methods.py."""

from __future__ import annotations

import torch

from deft.methods.parts.prototypes import ABSENT, centred, class_means, nearness

FEATURES = torch.tensor([[1.0, 0.0], [2.0, 4.0], [3.0, 1.0], [-1.0, -2.0]])
LABELS = torch.tensor([0, 0, 2, 2])  # class 1 is absent
EVERY = torch.ones(4, dtype=torch.bool)
UNIT = [
    [-0.316227766, -0.948683298],
    [0.224859507, 0.974391196],
    [0.989949494, 0.141421356],
    [-0.63323779, -0.773957299],
]
MEANS = [[-0.04568413, 0.012853949], [0.178355852, -0.316267971]]
NEAR = [
    [-0.997747736, -0.6445621],
    [-0.997747736, -1.667963676],
    [-1.08906658, -0.86816376],
    [-0.964291244, -0.86816376],
]


def test_features_are_centred_and_of_unit_length() -> None:
    torch.testing.assert_close(centred(FEATURES), torch.tensor(UNIT))
    assert centred(torch.ones(3, 2)).tolist() == [[0.0, 0.0]] * 3
    assert centred(FEATURES.bfloat16()).dtype == torch.float32


def test_an_absent_class_shifts_no_other() -> None:
    means = class_means(torch.tensor(UNIT), LABELS, EVERY, 3)
    torch.testing.assert_close(means[[0, 2]], torch.tensor(MEANS))
    assert means[1].isnan().all()
    near = nearness(torch.tensor(UNIT), means)
    torch.testing.assert_close(near[:, [0, 2]], torch.tensor(NEAR))
    assert (near[:, 1] == ABSENT).all()


def test_means_of_the_chosen_and_of_all_where_none_is_chosen() -> None:
    chosen = torch.tensor([False, True, False, False])
    means = class_means(torch.tensor(UNIT), LABELS, chosen, 3)
    torch.testing.assert_close(means[0], torch.tensor(UNIT[1]))
    torch.testing.assert_close(means[2], torch.tensor(MEANS[1]))


def test_no_unit_vectors_are_farther_apart_than_an_absent_class() -> None:
    corners = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert nearness(corners, corners).tolist() == [[0.0, -4.0], [-4.0, 0.0]]
    assert ABSENT < -4
