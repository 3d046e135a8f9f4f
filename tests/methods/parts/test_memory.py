"""Running means of rows; constants from tests/reference/methods.py."""

from __future__ import annotations

import torch

from deft.methods.parts.memory import RunningMeans

VALUES = [1.0, 3.0, -2.0]
RAW = [0.4, 1.44, 0.064]
CORRECTED = [1.0, 2.25, 0.081632653]


def test_what_is_stored_is_raw_and_what_is_read_is_corrected() -> None:
    plain, mended = (RunningMeans(3, 1, decay=0.6, corrected=corrected) for corrected in (False, True))
    row = torch.tensor([1])
    for value, raw, corrected in zip(VALUES, RAW, CORRECTED, strict=True):
        for memory in (plain, mended):
            memory.update(row, torch.tensor([[value]]))
        torch.testing.assert_close(plain.read(row), torch.tensor([[raw]]))
        # Read twice: a correction that is written back would compound.
        for _ in range(2):
            torch.testing.assert_close(mended.read(row), torch.tensor([[corrected]]))
        torch.testing.assert_close(mended.means[1], torch.tensor([raw]))


def test_rows_are_kept_apart() -> None:
    memory = RunningMeans(4, 2, decay=0.5, corrected=True)
    memory.update(torch.tensor([3, 0]), torch.tensor([[1.0, 2.0], [5.0, 6.0]]))
    memory.update(torch.tensor([3]), torch.tensor([[3.0, 2.0]]))
    found = memory.read(torch.tensor([0, 1, 2, 3]))
    torch.testing.assert_close(found, torch.tensor([[5.0, 6.0], [0.0, 0.0], [0.0, 0.0], [7 / 3, 2.0]]))


def test_it_is_float32_whatever_comes_in_and_all_in_the_state() -> None:
    memory = RunningMeans(2, 1, decay=0.0, corrected=False)
    memory.update(torch.tensor([0]), torch.tensor([[0.5]], dtype=torch.bfloat16, requires_grad=True))
    again = RunningMeans(2, 1, decay=0.0, corrected=False)
    again.load_state_dict(memory.state_dict())
    assert again.means.dtype == torch.float32
    assert again.read(torch.tensor([0])).tolist() == [[0.5]]
    assert not again.means.requires_grad


def test_no_row_at_all() -> None:
    memory = RunningMeans(2, 3, decay=0.5, corrected=True)
    nothing = torch.empty(0, dtype=torch.int64)
    memory.update(nothing, torch.empty(0, 3))
    assert memory.read(nothing).shape == (0, 3)
    assert not memory.means.any()
