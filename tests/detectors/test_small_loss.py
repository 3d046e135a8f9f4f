"""Small-loss: how many labels of a batch are left out while it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deft.detectors.deft import DeFT
from deft.detectors.small_loss import SmallLossTraining
from deft.encoders.load import load_encoder
from deft.training.batches import Batches, Loader, Rows, View
from deft.tuning import Frozen

COUNT = 100


class Scores(Loader):
    """Samples that are their own features."""

    def load(self, rows: Rows, rng: np.random.Generator | None, view: View = "weak") -> Tensor:
        return torch.randn(COUNT, 4, generator=torch.Generator().manual_seed(0))[torch.from_numpy(rows)]


@pytest.mark.parametrize(
    ("warmup", "left_out"), [(5, [0, 10, 20, 30, 40, 40]), (1, [0, 40, 40]), (0, [0, 40]), (2, [0, 40])]
)
def test_the_forgetting_schedule_is_that_of_the_authors(warmup: int, left_out: list[int]) -> None:
    """DeFT's code: linspace(0, r, warm-up), then r."""
    head = nn.Linear(4, 3, bias=False)
    encoder = load_encoder("tiny", device="cpu")
    device = torch.device("cpu")
    train = Batches(Scores(), np.arange(COUNT) % 3, np.arange(COUNT), batch_size=COUNT, seed=0, device=device)
    with Frozen().attach(encoder, seed=0) as attachment:
        method = SmallLossTraining(
            lambda inputs: inputs,
            head,
            attachment,
            noise_rate=0.4,
            warmup=warmup,
            trusted=np.zeros(COUNT, np.bool_),
        )
        for epoch, expected in enumerate(left_out):
            (batch,) = train.epoch(epoch)
            losses = nn.functional.cross_entropy(method.predict(batch.inputs), batch.labels, reduction="none")
            smallest = losses.sort().values[: COUNT - expected].mean()
            (loss,) = method.losses(train, epoch)
            torch.testing.assert_close(loss, smallest)


def test_the_rate_of_the_authors_scripts_for_real_noise_stays() -> None:
    optimization = DeFT.for_real_noise(load_encoder("tiny", device="cpu")).optimization
    assert [optimization.rate(epoch, 10) for epoch in (0, 5, 9)] == [0.03] * 3
