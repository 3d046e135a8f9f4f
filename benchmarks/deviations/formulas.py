"""Differences from the authors' code that a formula shows, or one pass over a few photos."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.mixture import GaussianMixture

from benchmarks.deviations.task import Task, kept_views
from deft.data.decode import sides
from deft.data.image_spec import Margin
from deft.data.images import LabeledImages
from deft.data.preprocessing import Preprocessing
from deft.encoders.base import DualEncoder
from deft.losses import generalized_cross_entropy
from deft.methods.unicon import unlabelled_batch
from deft.prompts.templates import class_features
from deft.selection import two_component_posterior
from deft.training.inputs import Reading, open_inputs
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part

Numbers = dict[str, float | list[float]]
CIFAR = Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010), interpolation="bilinear")
SQUASHED = Preprocessing(fit="squash", interpolation="bilinear", margin=Margin(256, plain="whole"))
PATCH, WIDTH, LAYERS, TOKENS = 16, 768, 12, 197  # of CLIP ViT-B/16


def float16(task: Task) -> Numbers:
    """The step below which a weight of 0.02 stays as it is."""
    return {"step": float(np.spacing(np.float16(0.02)) / 2)}


def pixels(task: Task) -> Numbers:
    """Zero-shot accuracy with the model's own pixels and with CIFAR's statistics."""
    return {"ours": zero_shot(task.encoder, task.unseen), "theirs": zero_shot(task.encoder, task.unseen, CIFAR)}


def wide(task: Task) -> Numbers:
    """The same of photos of full size, cropped and squashed; what a crop loses of them on average, and of 3:2."""
    lost = []
    for row in range(len(task.wide)):
        size = sides(task.wide.reader.read(int(task.wide.rows[row])))
        assert size is not None
        lost.append(1 - min(size) / max(size))
    return {
        "ours": zero_shot(task.encoder, task.wide),
        "theirs": zero_shot(task.encoder, task.wide, SQUASHED),
        "lost": 100 * float(np.mean(lost)),
        "of_3_2": 100 / 3,
    }


def zero_shot(encoder: DualEncoder, images: LabeledImages, preprocessing: Preprocessing | None = None) -> float:
    """Return the zero-shot accuracy in per cent.

    Args:
        encoder: The model.
        images: With true labels.
        preprocessing: How photos become pixels; as the model wants them if not given.
    """
    own = encoder.spec
    encoder.spec = own if preprocessing is None else preprocessing.of(own)
    (features,) = kept_views(frozen_part(encoder, Frozen()), images, weak=0, strong=0)
    encoder.spec = own
    named = (features @ class_features(encoder, images.words).T).argmax(dim=1).numpy()
    return 100 * float((named == images.labels).mean())


def padding(task: Task) -> Numbers:
    """Share of a random view that is padding, on average, for shifts of up to 4 of 32 pixels."""
    shift = float(np.abs(np.arange(-4, 5)).mean())
    return {"share": 100 * (1 - (1 - shift / 32) ** 2)}


def last_batch(task: Task) -> Numbers:
    """The images and the steps of an epoch of CIFAR-100 in batches of 64: how many are in the last one."""
    count, batch = 50_000, 64
    return {"steps": float(-(-count // batch)), "left": float(count % batch)}


def duplicates(task: Task) -> Numbers:
    """How many of the photos an epoch leaves out, since another one shows the same."""
    with open_inputs(frozen_part(task.encoder, Frozen()), task.photos, Workspace(workers=0), Reading()) as inputs:
        grouped = inputs.groups[inputs.groups >= 0]
        return {"left": float(len(grouped) - len(np.unique(grouped))), "of": float(len(task.photos))}


def second_phase(task: Task) -> Numbers:
    """How likely nothing is kept of CIFAR-100's last batch; how many of CLIP's image weights lie outside the blocks."""
    blocks = LAYERS * (12 * WIDTH**2 + 13 * WIDTH)
    outside = 3 * PATCH**2 * WIDTH + WIDTH + TOKENS * WIDTH + 4 * WIDTH
    return {"empty": 0.6**16, "outside": 100 * outside / (blocks + outside)}


def small_probability(task: Task) -> Numbers:
    """The gradient of GCE by the score of a label with p = 1e-8, and by a probability that is clipped at 1e-7."""
    logits = torch.tensor([[math.log(1e-8), 0.0]], requires_grad=True)
    generalized_cross_entropy(logits, torch.tensor([0])).sum().backward()
    clipped = torch.tensor([[math.log(1e-8), 0.0]], requires_grad=True)
    probability = clipped.softmax(dim=1)[0, 0].clamp(min=1e-7)
    ((1 - probability**0.7) / 0.7).backward()
    assert logits.grad is not None
    assert clipped.grad is not None
    return {"ours": float(-logits.grad[0, 0]), "theirs": float(-clipped.grad[0, 0])}


def half_precision(task: Task) -> Numbers:
    """ELR's upper clip in float16."""
    return {"clip": float(np.float16(1 - 1e-4))}


def outlier(task: Task) -> Numbers:
    """The share of labels that a mixture calls clean, 40 % being wrong, if one loss is very large."""
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.exponential(0.3, 600), rng.normal(3.0, 0.6, 399), [1e4]])
    plain = (losses - losses.min()) / (losses.max() - losses.min())
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0).fit(plain[:, None])
    theirs = mixture.predict_proba(plain[:, None])[:, mixture.means_.argmin()] > 0.5
    ours = two_component_posterior(losses, seed=0) > 0.5
    return {"ours": 100 * float(ours.mean()), "theirs": 100 * float(theirs.mean())}


def unlabelled(task: Task) -> Numbers:
    """UNICON's unlabelled batch where a twentieth is labelled, in labelled ones; the largest mean divergence."""
    return {"ours": unlabelled_batch(64, 0.05, "share") / 64, "theirs": 1 / (2 * 0.05), "most": math.log(2)}


def co_teaching(task: Task) -> Numbers:
    """By what a mean over the chosen part of a batch of 64 is divided again, at 40 % noise."""
    return {"again": float(int(0.6 * 64))}


def dual_prompts(task: Task) -> Numbers:
    """Where the authors' logarithms have no gradient, and where their probabilities tie in float16."""
    gap = math.log(1e5 - 1)
    margins = torch.arange(0, 12, 0.01)
    ties = margins[margins.sigmoid().half() == 1.0]
    return {"gap": gap, "cosine": gap / 100, "tie": float(ties[0])}


def full_stop(task: Task) -> Numbers:
    """How many tokens of a name that ends in a bracket, and of its full stop, differ from those of both together."""
    name, text = "kite (bird of prey)", task.encoder.text
    apart, together = [*text.tokenize(name), *text.tokenize(".")], text.tokenize(f"{name}.")
    differ = sum(one != other for one, other in zip(apart, together, strict=True))
    return {"differ": float(differ), "tokens": float(len(together))}


FORMULAS: Mapping[str, Callable[[Task], Numbers]] = {
    "all-float16": float16,
    "all-last": last_batch,
    "all-padding": padding,
    "all-pixels": pixels,
    "all-wide": wide,
    "ce-weights": second_phase,
    "gce-clip": small_probability,
    "elr-clip": half_precision,
    "gmm-outlier": outlier,
    "unicon-batch": unlabelled,
    "co-teaching-again": co_teaching,
    "deft-duplicates": duplicates,
    "deft-clip": dual_prompts,
    "deft-stop": full_stop,
}
