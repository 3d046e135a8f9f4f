"""The passes after training that verdicts come from: no augmentation, no gradient, final weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from deft.detectors.collector import Collector, score_of
from deft.detectors.deft_training import DualPromptTraining, Recipe, believed, evidence
from deft.progress import Progress
from deft.runs.detection import Verdicts
from deft.training.batches import Batch, Batches
from deft.training.inputs import Inputs, Reading
from deft.training.once import once
from deft.training.precision import autocast, resolve_precision
from deft.transition import NoiseTransition, estimate_transition

MOST_IMAGES = 20_000  # that a noise transition is estimated from, so that the scores of all need not be held


def judge(
    method: DualPromptTraining,
    inputs: Inputs,
    rows: int,
    recipe: Recipe,
    reading: Reading,
    progress: Progress,
    transition: NoiseTransition | None = None,
) -> Verdicts:
    """Return verdicts on open inputs.

    Args:
        method: What has learned.
        inputs: What it reads.
        rows: Rows N of the data set.
        recipe: Says what counts as clean.
        reading: Number format of the pass.
        progress: Told of every batch.
        transition: What labels are judged by instead of the negative prompts alone.
    """
    collector = Collector(rows, len(method.prompts.plan))
    for batch, positive_sim, negative_sim in prompt_scores(method, inputs.batches, reading, progress, "Judging labels"):
        own = positive_sim - negative_sim
        margins = score_of(own, batch.labels)
        if transition is not None:
            seen = evidence(positive_sim, negative_sim)
            joint = transition.log_joint(seen, batch.labels)
            collector.add(batch, transition.log_odds(joint, batch.labels), joint)
            collector.keep(batch, batch.inputs, seen, margins)
        else:
            odds = believed(own, batch.labels, require_margin=recipe.require_margin)
            collector.add(batch, odds, positive_sim, score_of(negative_sim, batch.labels) / method.encoder.logit_scale)
            collector.keep(batch, batch.inputs, positive_sim, margins)
    return collector.verdicts()


def observe_transition(
    method: DualPromptTraining, inputs: Inputs, reading: Reading, progress: Progress
) -> NoiseTransition:
    """Return how true classes turn into given labels on these inputs, as the trained prompts see it.

    Labels that a person has confirmed are left out: the doubtful ones were asked about, so they are no fair sample.
    What is found is how the labels that are left came about. Of a group of duplicates one image counts.

    Args:
        method: What has learned.
        inputs: What it reads.
        reading: Seed of the sample, and number format of the pass.
        progress: Told of every batch.
    """
    rows = inputs.batches.rows[~inputs.trusted[inputs.batches.rows]]
    drawn = np.random.default_rng(reading.seed).permutation(len(rows))
    rows = rows[np.sort(once(inputs.groups[rows], drawn))]
    if len(rows) > MOST_IMAGES:
        rows = np.sort(np.random.default_rng(reading.seed).choice(rows, MOST_IMAGES, replace=False))
    scores, labels = [torch.empty(0, len(method.prompts.plan))], [torch.empty(0, dtype=torch.int64)]
    for batch, positive_sim, negative_sim in prompt_scores(
        method, inputs.batches.subset(rows), reading, progress, "Weighing labels"
    ):
        scores.append(evidence(positive_sim, negative_sim).cpu())
        labels.append(batch.labels.cpu())
    return estimate_transition(torch.cat(scores), torch.cat(labels))


def prompt_scores(
    method: DualPromptTraining, batches: Batches, reading: Reading, progress: Progress, task: str
) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Yield every batch, its inputs now unit features (B, D), with its s⁺ and s⁻, (B, K) each: no augmentation.

    Args:
        method: What has learned.
        batches: What is read.
        reading: Number format of the pass.
        progress: Told of every batch.
        task: What it is told.
    """
    device = batches.device
    precision = resolve_precision(reading.precision, device)
    with torch.no_grad():
        texts = method.text_features()  # once for all images, so in float32
    for batch in progress.track(batches.ordered(), task, total=len(batches)):
        with torch.no_grad(), autocast(precision, device):  # left before the yield, or the caller would compute in it
            positive, negative, features = method.scores(batch.inputs, texts)
        yield replace(batch, inputs=features), positive, negative
