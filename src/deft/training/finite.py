"""Numbers that are none: found where they arise, and told with the images that they came of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from deft.errors import ModelError

NAMED = 3  # images that are named at the most


class NotFinite(ModelError):
    """A score, a feature or a loss is not finite; nothing that is made of it means anything.

    Args:
        what: What isn't, as a sentence without its images.
        rows: Rows of the data set that it came of, (n,).
        help: What usually mends it, a sentence.
    """

    def __init__(self, what: str, rows: np.ndarray, help: str = "") -> None:
        super().__init__(f"{what}. {help}".strip())
        self._what, self._help = what, help
        self._rows = rows

    def named(self, names: Sequence[str]) -> ModelError:
        """Return the error with the images named.

        Args:
            names: What each image of the data set is called, (N,).
        """
        shown = ", ".join(names[row] for row in self._rows[:NAMED].tolist())
        more = f" and {len(self._rows) - NAMED} more" if len(self._rows) > NAMED else ""
        images = f", on {shown}{more}" if shown else ""
        return ModelError(f"{self._what}{images}. {self._help}".strip())


def check_numbers(values: Tensor, rows: np.ndarray, what: str) -> None:
    """Refuse values that are not finite.

    Args:
        values: One or more of each sample, (B, ...).
        rows: Rows of the data set that they are about, (B,).
        what: What they are, in the plural: "The scores of the model".

    Raises:
        NotFinite: One isn't.
    """
    good = torch.isfinite(values).flatten(1).all(dim=1).cpu().numpy()
    if not good.all():
        raise NotFinite(f"{what} are not finite", rows[~good], MENDS)


MENDS = "The weights of the model may be damaged; precision float32 mends numbers that were too large."
