"""Confident learning: cleanlab's rules on a linear probe."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, Literal

import numpy as np
import torch

from deft.arguments import checked
from deft.detectors.on_features import Judged, OnePassDetector, Seen, log_odds_of
from deft.errors import SettingsError
from deft.evidence.probe import STRENGTHS, probe
from deft.training.workspace import Workspace

Rule = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class ConfidentLearning(OnePassDetector):
    """Confident learning (Northcutt et al. 2021), as cleanlab does it, on out-of-fold probabilities of a linear probe.

    The probe is logistic regression on the encoder's pooled features, in five folds, its regularisation chosen by how
    often it foretells left-out labels. cleanlab says which labels are wrong; the score orders what is flagged below ½
    and what passes above it, each by the probability of the given label. It needs the package `cleanlab`.

    Args:
        encoder: A vision-language model.
        batch_size: Images per step.
        seed: Draws nothing here; every detector takes one.
        precision: Number format of the activations.
        rule: cleanlab's `filter_by`; its default, or another.
        strengths: Inverse strengths of the probe's regularisation that are tried.

    Raises:
        SettingsError: A setting is out of its bounds, or cleanlab isn't installed.

    Example:
        >>> found = ConfidentLearning(load_encoder("tiny"), rule="prune_by_class").detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "confident-learning"
    citation: ClassVar[str] = (
        "C. G. Northcutt, L. Jiang, I. L. Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels. "
        "Journal of Artificial Intelligence Research, 2021."
    )

    rule: Rule = "prune_by_noise_rate"
    strengths: tuple[float, ...] = STRENGTHS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.strengths or min(self.strengths) <= 0:
            raise SettingsError(f"The regularisation needs positive strengths, not {self.strengths}.")
        if find_spec("cleanlab") is None:
            raise SettingsError("Confident learning needs one more package: pip install 'deft-labels[cleanlab]'.")

    def judge(self, seen: Seen, space: Workspace) -> Judged:
        labels = seen.labels.numpy()
        probs = probe(seen.pooled.numpy(), labels, seen.keys, classes=seen.classes, strengths=self.strengths)
        own = torch.from_numpy(probs[np.arange(len(labels)), labels])
        flags = torch.from_numpy(flagged_by(labels, probs, self.rule))
        return Judged(log_odds_of(flags, own), torch.from_numpy(probs).float().clamp(min=1e-9).log(), {})


def flagged_by(labels: np.ndarray, probs: np.ndarray, rule: Rule) -> np.ndarray:
    """Return what one of cleanlab's rules flags, bool (n,).

    Classes without images are kept from it, as it can't do with them.

    Args:
        labels: Given labels, (n,).
        probs: Out-of-fold probabilities, (n, K).
        rule: Its `filter_by`.
    """
    from cleanlab.filter import find_label_issues

    present, places = np.unique(labels, return_inverse=True)
    among = probs[:, present] + 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes in which it would flag everything
        flags = find_label_issues(places, among / among.sum(axis=1, keepdims=True), n_jobs=1, filter_by=rule)
    return np.asarray(flags, np.bool_)
