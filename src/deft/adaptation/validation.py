"""Validation: samples held back, the accuracy on them after every epoch, and the best weights where they are wanted.

Shapes: N rows of the data set, n validation samples, E epochs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from deft.arguments import checked
from deft.classifiers.base import Classifier
from deft.data.images import LabeledImages
from deft.errors import DataError, SettingsError
from deft.progress import Progress
from deft.training.batches import Batches
from deft.training.loop import Training
from deft.training.once import once
from deft.wording import counted, noun

SPLIT_STREAM = 77  # sets the draw of the split apart from the order of the epochs


@checked
@dataclass(frozen=True)
class Validation:
    """The images that training is watched with; never the test set.

    Args:
        of: A share of the images, split off by the seed, class by class; or a separate set of images.
        keep: "last" weights, as the paper reports first, or the "best" by accuracy on the validation images.

    Raises:
        SettingsError: The share is not between 0 and 1, or `keep` is neither of these.

    Example:
        >>> model = adapt("tiny", images, validation=Validation(0.1, keep="best"))  # doctest: +SKIP
    """

    of: float | LabeledImages
    keep: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        if not isinstance(self.of, LabeledImages) and not 0 < self.of < 1:
            raise SettingsError(f"The share held back for validation lies between 0 and 1, not {self.of}.")
        if self.keep not in ("last", "best"):
            raise SettingsError(f"The weights to keep are the 'last' or the 'best', not {self.keep!r}.")


def split_off(
    labels: np.ndarray, rows: np.ndarray, share: float, *, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to validate on, the same share of every class.

    Args:
        labels: Labels of all rows, (N,).
        rows: Those that take part.
        share: Share of each class, rounded; every class keeps at least one sample to train on.
        seed: Draws them.
        groups: Number of the group of duplicates of each row, (N,), −1 for none: a group is held back whole or not at
            all, with the class of its first member.

    Raises:
        DataError: There are too few samples to hold any back.
    """
    held: list[np.ndarray] = []
    first = rows if groups is None else rows[once(groups[rows], np.arange(len(rows)))]
    for number in np.unique(labels[first]):
        own = first[labels[first] == number]
        count = min(round(share * len(own)), len(own) - 1)
        rng = np.random.default_rng([seed, SPLIT_STREAM, int(number)])
        held.append(rng.permutation(own)[:count])
    validation = np.sort(np.concatenate(held))
    if groups is not None:
        together = (groups[rows] >= 0) & np.isin(groups[rows], groups[validation])
        validation = np.union1d(validation, rows[together])
    if not len(validation):
        few = f"{counted(len(rows), 'image')} {noun(len(rows), 'is', 'are')} too few"
        raise DataError(f"{few} to hold back {share:.0%} of each class for validation.")
    return np.setdiff1d(rows, validation), validation


class Watched(Training):
    """A method, and the accuracy of its network on validation samples after every epoch.

    An epoch is scored when the next one begins, and the last one by `finish`: so a checkpoint holds all that was
    scored before it, and a resumed run goes on as if it had not been broken.

    Args:
        method: What learns.
        network: The network of it that is kept in the end.
        validation: Samples that it doesn't learn from; None scores nothing.
        epochs: Number of epochs E.
        keep_best: Whether the best weights are remembered.
        progress: Told of every score.
    """

    scores: Tensor

    def __init__(
        self,
        method: Training,
        network: Classifier,
        validation: Batches | None,
        *,
        epochs: int,
        keep_best: bool,
        progress: Progress,
    ) -> None:
        super().__init__()
        self.method = method
        self._network = (network,)
        self._validation = validation
        self._progress = progress
        self._names: list[str] = []
        self.register_buffer("scores", torch.full((epochs,), float("nan")))
        if keep_best and validation is not None:
            for number, (name, value) in enumerate(network.state_dict().items()):
                self._names.append(name)
                self.register_buffer(f"best_{number}", value.detach().clone())

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if epoch:
            self._score(epoch - 1)
        yield from self.method.losses(train, epoch)

    def predict(self, inputs: Tensor) -> Tensor:
        return self.method.predict(inputs)

    def starts_afresh(self, epoch: int) -> bool:
        return self.method.starts_afresh(epoch)

    def rate_scale(self, epoch: int) -> float:
        return self.method.rate_scale(epoch)

    def stage(self, epoch: int, epochs: int) -> tuple[int, int] | None:
        return self.method.stage(epoch, epochs)

    def finish(self) -> None:
        """Score the last epoch, and go back to the best weights if they were to be kept."""
        self._score(len(self.scores) - 1)
        if self._names:
            self._network[0].load_state_dict({name: self.get_buffer(f"best_{k}") for k, name in enumerate(self._names)})

    def report(self) -> dict[str, object]:
        """Return the scores, last first, as plain values; empty without validation."""
        if self._validation is None:
            return {}
        known = [round(float(score), 4) for score in self.scores]
        best = int(np.nanargmax(known))
        return {
            "images": len(self._validation.rows),
            "last": known[-1],
            "best": known[best],
            "best_epoch": best + 1,
            "per_epoch": known,
            "kept": "best" if self._names else "last",
        }

    def _score(self, epoch: int) -> None:
        if self._validation is None:
            return
        (network,) = self._network
        mode = network.training
        network.eval()
        right = 0
        # In float32, as predictions are made later.
        with torch.no_grad(), torch.autocast(self._validation.device.type, enabled=False):
            for batch in self._validation.ordered():
                right += int((network(batch.inputs).argmax(dim=1) == batch.labels).sum())
        network.train(mode)
        score = torch.tensor(right / len(self._validation.rows))
        if self._names and score > self.scores.nan_to_num(-1).max().cpu():
            for number, value in enumerate(network.state_dict().values()):
                self.get_buffer(f"best_{number}").copy_(value)
        self.scores[epoch] = score
        self._progress.measure("validation/accuracy", float(score), epoch + 1)
        self._progress.note(f"Epoch {epoch + 1}: {float(score):.1%} of the validation images right.")
