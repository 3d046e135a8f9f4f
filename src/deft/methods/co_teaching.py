"""Small losses of each batch (Han et al., "Co-teaching", NeurIPS 2018), with one network or two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.errors import SettingsError
from deft.losses import cross_entropy, masked_mean
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.score_pass import score_losses
from deft.selection import estimate_noise_rate, forget_rate
from deft.settings import check_noise_rate
from deft.training.batches import Batches
from deft.training.loop import Training


@checked
@dataclass(frozen=True, repr=False)
class CoTeaching(Method):
    """Learns only the share 1 − R of each batch with the smallest losses; Algorithm 1 of the paper.

    R rises in equal steps from 0 in the first epoch to the noise rate in the last one of the warm-up, and stays.
    With one network, as in DeFT's baseline, the network chooses for itself; with two, as in the paper, each one
    learns what the other has chosen. The loss is the mean over the chosen labels.

    Args:
        networks: Number of networks, 1 or 2.
        warmup: Epochs over which the share left out rises; with 1 it is 0 in the first epoch and then the rate.
        noise_rate: "stated" takes the share of wrong labels that the user states; "estimate" leaves out nothing during
            the warm-up, and after it the share that a mixture over the losses of all labels finds.

    Example:
        >>> deft.adapt("tiny", images, method=CoTeaching(networks=2), noise_rate=0.2)  # doctest: +SKIP
    """

    networks: Literal[1, 2] = 1
    warmup: int = 1
    noise_rate: Literal["stated", "estimate"] = "stated"
    citation: ClassVar[str] = (
        "B. Han, Q. Yao, X. Yu, G. Niu, M. Xu, W. Hu, I. Tsang, M. Sugiyama: Co-teaching: Robust Training of "
        "Deep Neural Networks with Extremely Noisy Labels. NeurIPS 2018."
    )

    def __post_init__(self) -> None:
        if self.networks not in (1, 2):
            raise SettingsError(f"Co-teaching has 1 or 2 networks, not {self.networks}.")
        if self.warmup < 1:
            raise SettingsError(f"The warm-up takes at least 1 epoch, not {self.warmup}.")
        if self.noise_rate not in ("stated", "estimate"):
            raise SettingsError(f"The noise rate is 'stated' or 'estimate', not {self.noise_rate!r}.")

    @classmethod
    def as_published(cls) -> CoTeaching:
        """Return the authors' settings: two networks, and 10 of their 200 epochs until the share is reached."""
        return cls(networks=2, warmup=10)

    def build(self, run: TrainingContext) -> Training:
        rate = run.stated_rate("CoTeaching") if self.noise_rate == "stated" else None
        check_noise_rate(rate)
        # Equal networks would choose alike, so their heads are drawn apart.
        networks = [run.network(run.seed + number) for number in range(self.networks)]
        return _SmallLossTraining(nn.ModuleList(networks), rate, self.warmup, run.seed)


class _SmallLossTraining(Training):
    rate: Tensor

    def __init__(self, networks: nn.ModuleList, rate: float | None, warmup: int, seed: int) -> None:
        super().__init__()
        self.networks = networks
        self._estimates = rate is None
        self._warmup = warmup
        self._seed = seed
        self.register_buffer("rate", torch.tensor(rate or 0.0, dtype=torch.float64))

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if self._estimates and epoch == self._warmup:
            self.rate.fill_(self._estimate(train))
        left_out = forget_rate(float(self.rate), epoch, self._warmup)
        for batch in train.epoch(epoch):
            losses = [cross_entropy(network(batch.inputs), batch.labels) for network in self.networks]
            chosen = [_smallest(values.detach(), 1 - left_out) for values in losses]
            pairs = zip(losses, reversed(chosen), strict=True)  # one network: its own choice; two: the other's
            yield torch.stack([masked_mean(values, mask) for values, mask in pairs]).sum()

    def _estimate(self, train: Batches) -> float:
        losses = torch.stack([score_losses(network, train) for network in self.networks]).mean(dim=0)
        return estimate_noise_rate(losses.cpu(), seed=self._seed)

    def predict(self, inputs: Tensor) -> Tensor:
        return torch.stack([network(inputs) for network in self.networks]).mean(dim=0)


def _smallest(losses: Tensor, share: float) -> Tensor:
    """Return whether each loss is among the smallest, at least one of them, bool (B,).

    Losses that are no numbers come last, but are chosen when there are no others: then training has to stop.
    """
    kept = max(int(share * len(losses) + 1e-6), 1)
    chosen = torch.zeros_like(losses, dtype=torch.bool)
    chosen[losses.argsort()[:kept]] = True
    return chosen
