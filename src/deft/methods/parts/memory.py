"""Running means of one vector per sample, keyed by row."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningMeans(nn.Module):
    """An exponential mean of what was said of each row of a data set, kept in float32.

    The raw mean starts at zero and is what is stored; the correction for that start is applied to what is read,
    never written back (RoLT's code writes it back, so it compounds over the epochs).

    Args:
        rows: Number of rows N.
        width: Length of each row's vector.
        decay: Share β of the old mean that stays.
        corrected: Whether what is read is divided by 1 − β^n, n being the row's number of updates.
    """

    means: Tensor
    updates: Tensor

    def __init__(self, rows: int, width: int, *, decay: float, corrected: bool) -> None:
        super().__init__()
        self.decay = decay
        self.corrected = corrected
        self.register_buffer("means", torch.zeros(rows, width))
        self.register_buffer("updates", torch.zeros(rows, dtype=torch.int32))

    def update(self, index: Tensor, values: Tensor) -> None:
        """Take in new values (b, width) of some rows (b,)."""
        place = self.means.device
        index, values = index.to(place), values.detach().float().to(place)
        self.means[index] = self.decay * self.means[index] + (1 - self.decay) * values
        self.updates[index] += 1

    def read(self, index: Tensor) -> Tensor:
        """Return the means of some rows, (b, width), on the device of `index`; zeros for rows never updated."""
        here = index.to(self.means.device)
        means = self.means[here]
        if self.corrected:
            mass = 1 - self.decay ** self.updates[here].float()
            means = means / mass.clamp(min=1e-12).unsqueeze(1)
        return means.to(index.device)
