"""Neighbour vote: believe a label if the most similar images have it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from deft.arguments import checked
from deft.detectors.collector import score_of
from deft.detectors.on_features import Judged, OnePassDetector, Seen
from deft.errors import SettingsError
from deft.training.workspace import Workspace


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class NeighbourVote(OnePassDetector):
    """The vote of the k nearest images (Wilson 1972; on deep features, SimiFeat: Zhu et al. 2022).

    Similarity is the cosine of the encoder's unit features. A label passes if no other class has more votes among the
    k nearest other images: its own label is half a vote, which only breaks ties. The score is
    (v_y + 1½) / (v_y + v_rival + 2½) of the votes for the label and for the strongest other class. Nothing is trained.

    Args:
        encoder: A vision-language model.
        batch_size: Images per step.
        seed: Draws nothing here; every detector takes one.
        precision: Number format of the activations.
        neighbours: Images k that vote.

    Raises:
        SettingsError: A setting is out of its bounds.

    Example:
        >>> found = NeighbourVote(load_encoder("tiny")).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "neighbours"
    citation: ClassVar[str] = (
        "D. L. Wilson: Asymptotic Properties of Nearest Neighbor Rules Using Edited Data. IEEE Transactions on "
        "Systems, Man, and Cybernetics, 1972; on deep features Z. Zhu, Z. Dong, Y. Liu: Detecting Corrupted Labels "
        "Without Training a Model to Predict. ICML 2022."
    )

    neighbours: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neighbours < 1:
            raise SettingsError(f"At least one neighbour votes, not {self.neighbours}.")

    def judge(self, seen: Seen, space: Workspace) -> Judged:
        votes = _votes(seen, self.neighbours)
        own = score_of(votes, seen.labels)
        rival = votes.scatter(1, seen.labels[:, None], -1.0).amax(dim=1)
        return Judged((own + 1.5).log() - (rival + 1).log(), (votes + 1).log(), {})


def _votes(seen: Seen, count: int) -> Tensor:
    votes = torch.zeros(len(seen.unit), seen.classes)
    for some, _, places in seen.nearest(count):
        near = seen.labels[places]
        votes[some].scatter_add_(1, near, torch.ones(near.shape))
    return votes
