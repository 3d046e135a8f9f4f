"""Two networks beside each other: how they are made, warmed up, fed and asked together.

From one pre-trained checkpoint both would start alike and err alike, so their seeds differ (heads and tunings), and
so does the order in which each sees the samples.

Shapes: B batch, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from deft.classifiers.base import Classifier
from deft.losses import cross_entropy, negative_entropy
from deft.methods.base import TrainingContext
from deft.training.batches import Batch, Batches, View

SECOND_SEED = 7919  # how far the second network's seed is from the first's
WARM_UP_STREAM = 11  # numbers of the networks' orders; those of other loaders lie far from them


class TwoNetworks(nn.Module):
    """Two networks of different seeds, and their common prediction.

    Args:
        setting: Builds them.
    """

    def __init__(self, run: TrainingContext) -> None:
        super().__init__()
        self._setting = run
        self._seeds = (run.seed, run.seed + SECOND_SEED)
        self.first = run.network(self._seeds[0])
        self.second = run.network(self._seeds[1])

    @property
    def both(self) -> tuple[Classifier, Classifier]:
        """The networks in their order."""
        return self.first, self.second

    def restart(self) -> None:
        """Give both networks the weights that they once started from."""
        for network, seed in zip(self.both, self._seeds, strict=True):
            fresh = self._setting.network(seed)
            # In place: the optimizer holds these very parameters.
            network.load_state_dict(fresh.state_dict())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of both networks' class scores, (B, K); the papers take the sum, which ranks alike."""
        return torch.stack([network(inputs).float() for network in self.both]).mean(dim=0)

    def agreement(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the probability of the given labels in the mean of both networks' predictions, (B,)."""
        probs = torch.stack([network(inputs).float().softmax(dim=1) for network in self.both]).mean(dim=0)
        return probs.gather(1, labels.unsqueeze(1)).squeeze(1)


def plain_epoch(
    network: nn.Module, train: Batches, epoch: int, *, number: int, confidence_penalty: float = 0.0
) -> Iterator[Tensor]:
    """Yield one network's cross-entropy on the given labels for an epoch: a warm-up, or if nothing is clean.

    Args:
        network: Gives class scores.
        train: The samples.
        epoch: Counted from 0.
        number: Which of the networks it is, 0 or 1; each has an order of its own.
        confidence_penalty: Weight of the negative entropy, which helps against asymmetric noise.
    """
    for batch in train.subset(train.rows, stream=WARM_UP_STREAM + number).epoch(epoch):
        scores = network(batch.inputs)
        values = cross_entropy(scores, batch.labels)
        if confidence_penalty:
            values = values + confidence_penalty * negative_entropy(scores)
        yield values.sum() / max(len(batch), 1)


def paired(
    labelled: Batches, unlabelled: Batches, epoch: int, *, steps: int, views: Sequence[View]
) -> Iterator[tuple[Batch, Batch | None]]:
    """Yield a batch of either part for each step; a part that runs out begins again, in another order.

    Args:
        labelled: At least one sample.
        unlabelled: May be empty, which gives None.
        epoch: Counted from 0.
        steps: How many pairs.
        views: Views of each sample.
    """
    first, second = _cycle(labelled, epoch, views), _cycle(unlabelled, epoch, views)
    for _ in range(steps):
        yield next(first), next(second, None)


def _cycle(samples: Batches, epoch: int, views: Sequence[View]) -> Iterator[Batch]:
    """Yield batches without end, or none if there is no sample."""
    turn = 1
    while len(samples.rows):
        yield from samples.subset(samples.rows, stream=turn).epoch(epoch, views=views)
        turn += 1
