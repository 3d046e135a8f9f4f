"""The images that DeFT's default verdict is weighed by, read once.

Shapes: N images, K classes, D width of the joint space, P width of the pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deft.data.images import LabeledImages
from deft.evidence.folds import parts
from deft.training.batches import Batch
from deft.training.inputs import Inputs
from deft.training.once import once

MOST_SCORES, LEAST_WEIGHED = 2_000_000, 1_000  # class scores of one expert that weights are found from; images

Features = Callable[[np.ndarray], tuple[Tensor, Tensor]]
"""From rows to unit features (B, D) and pooled features (B, P) of the untouched encoder."""
Scored = Iterator[tuple[Batch, Tensor, Tensor]]
"""Batches with their similarities s⁺ and s⁻, (B, K) each."""


@dataclass(frozen=True)
class Sample:
    """The images that are weighed by.

    Args:
        places: Their places among the references, (N,).
        labels: Their labels, (N,).
        first: The labels that they bore before a person decided about them, (N,).
        decided: Whether a person did, bool (N,).
        part: Which part of the data each is in, (N,): one is left out while noise is learned from the rest.
        frozen: Their unit and pooled features by the untouched encoder.
        prompts: Their similarities s⁺ and s⁻.
    """

    places: Tensor
    labels: Tensor
    first: Tensor
    decided: Tensor
    part: Tensor
    frozen: tuple[Tensor, Tensor]
    prompts: tuple[Tensor, Tensor]


def fair_sample(
    images: LabeledImages,
    rows: np.ndarray,
    inputs: Inputs,
    keys: np.ndarray,
    frozen: Features,
    score: Callable[[np.ndarray], Scored],
) -> Sample:
    """Return the references that are weighed by, one of each group of duplicates.

    People decide about the most doubtful labels, so the rest is no fair sample: those that they decided about belong to
    it with the label that they bore before. Where that isn't known, a confirmed label is left out.

    Args:
        images: What was opened, with the labels that were decided on and those before.
        rows: The references' rows.
        inputs: What is read.
        keys: A number for each row by what it shows.
        frozen: Features of the untouched encoder.
        score: Gives s⁺ and s⁻ of rows in batches.
    """
    first = images.labels if images.first_labels is None else images.first_labels
    fair = ~inputs.trusted if images.first_labels is None else first >= 0
    places = np.flatnonzero(fair[rows])
    places = places[np.sort(once(inputs.groups[rows[places]], np.arange(len(places))))]
    most = max(MOST_SCORES // len(images.classes), LEAST_WEIGHED)
    places = (places if len(places) else np.arange(len(rows)))[:most]
    at = dict(zip(rows[places].tolist(), places.tolist(), strict=True))
    index, labels, prompts, seen = _read(rows[places], frozen, score)
    decided, part = inputs.trusted[index] & fair[index], parts(keys[index])
    before = np.where(decided, first[index], labels.numpy())
    found = torch.tensor([at[row] for row in index.tolist()])
    return Sample(
        found, labels, torch.from_numpy(before), torch.from_numpy(decided), torch.from_numpy(part), seen, prompts
    )


def _read(
    rows: np.ndarray, frozen: Features, score: Callable[[np.ndarray], Scored]
) -> tuple[np.ndarray, Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return rows as they were scored, their labels, their s⁺ and s⁻, and their unit and pooled features."""
    scored = [(batch.index.cpu(), batch.labels.cpu(), s.cpu(), t.cpu()) for batch, s, t in score(rows)]
    index, labels, positive, negative = (torch.cat(parts) for parts in zip(*scored, strict=True))
    seen = [frozen(part) for part in np.array_split(index.numpy(), -(-len(index) // 1024))]
    unit, pooled = (torch.cat([part.cpu() for part in parts]) for parts in zip(*seen, strict=True))
    return index.numpy(), labels, (positive, negative), (unit, pooled)
