"""A table of how labels go wrong, for many classes: a few cells of their own, and one number a column for the rest.

Shapes: K classes, E cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

START_RATE = 0.2
"""Share of wrong labels before any was seen; it counts as much as two images."""


@dataclass(frozen=True)
class Cells:
    """Cells of a matrix.

    Args:
        flat: Their places in the flat matrix, rising, (E,).
        classes: Rows and columns K.
    """

    flat: Tensor
    classes: int

    @cached_property
    def row(self) -> Tensor:
        """True class of each, (E,)."""
        return self.flat // self.classes

    @cached_property
    def column(self) -> Tensor:
        """Label of each, (E,)."""
        return self.flat % self.classes

    @cached_property
    def same(self) -> Tensor:
        """Which are on the diagonal, bool (E,)."""
        return self.row == self.column


@dataclass(frozen=True)
class SparseMatrix:
    """A matrix that differs from a number for each column, and one for the diagonal, in some cells only.

    So it takes the time and the memory of its images, not of its K² cells. Rows are divided by their totals.

    Args:
        cells: Those that differ.
        more: By how much, before the division, (E,).
        columns: The number of each column off the diagonal, before the division, (K,).
        diagonal: That of the diagonal.
        totals: What rows are divided by, (K,).
    """

    cells: Cells
    more: Tensor
    columns: Tensor
    diagonal: float
    totals: Tensor

    @classmethod
    def even(cls, cells: Cells, rate: float) -> SparseMatrix:
        """Return the matrix of symmetric noise."""
        ones = torch.ones(cells.classes, dtype=torch.float64)
        none = torch.zeros(len(cells.flat), dtype=torch.float64)
        return cls(cells, none, ones * rate / (cells.classes - 1), 1 - rate, ones)

    @classmethod
    def learned(cls, cells: Cells, counts: Tensor, spread: Tensor, strength: float) -> SparseMatrix:
        """Return the matrix of expected counts of (class, label), with images of the common rate added to each row.

        Args:
            cells: Those of the candidates.
            counts: Their counts, (E,).
            spread: Counts of each other class with each label, (K,).
            strength: Images added, in units of K.
        """
        images = counts.sum() + spread.sum() * (cells.classes - 1)
        # Two images added: a rate of zero could never be left again, and no new label would ever be blamed.
        rate = float((images - counts[cells.same].sum() + 2 * START_RATE) / (images + 2))
        added = strength * cells.classes
        totals = (spread.sum() - spread).index_add_(0, cells.row, counts) + added
        return cls(cells, counts, spread + added * rate / (cells.classes - 1), added * (1 - rate), totals)

    def at(self, cells: Cells) -> Tensor:
        """Return the values of some cells, (E',)."""
        more = self.more
        if cells is not self.cells:
            place = torch.searchsorted(self.cells.flat, cells.flat).clamp(max=len(self.more) - 1)
            more = torch.where(self.cells.flat[place] == cells.flat, more[place], 0.0)
        return (more + torch.where(cells.same, self.diagonal, self.columns[cells.column])) / self.totals[cells.row]

    def mean_of_others(self) -> Tensor:
        """Return the mean of each column off the diagonal, (K,)."""
        cells, shares = self.cells, 1 / self.totals
        sums = self.columns * (shares.sum() - shares)
        off = torch.where(cells.same, 0.0, self.more * shares[cells.row])
        return sums.index_add_(0, cells.column, off) / (cells.classes - 1)

    def change(self, before: SparseMatrix) -> float:
        """Return by how much a value differs at most from that of a matrix with the same cells; at least that much."""
        found = float((self.at(self.cells) - before.at(self.cells)).abs().max())
        if len(self.more) == self.cells.classes**2:
            return found
        shares, earlier = 1 / self.totals, 1 / before.totals
        moved = (self.columns - before.columns).abs().max() * shares.max()
        return max(found, float(moved + before.columns.max() * (shares - earlier).abs().max()))

    def whole(self) -> Tensor:
        """Return all of it, float64 (K, K)."""
        matrix = self.columns.repeat(self.cells.classes, 1).fill_diagonal_(self.diagonal)
        matrix.view(-1).index_add_(0, self.cells.flat, self.more)
        return matrix / self.totals[:, None]
