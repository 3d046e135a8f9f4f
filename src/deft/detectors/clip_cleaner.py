"""CLIPCleaner: believe what both the zero-shot text and a linear probe find likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from deft.arguments import checked
from deft.detectors.on_features import Judged, OnePassDetector, Seen
from deft.errors import SettingsError
from deft.evidence.probe import STRENGTHS, probe
from deft.selection import two_component_posterior
from deft.training.workspace import Workspace


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class CLIPCleaner(OnePassDetector):
    """The selection of CLIPCleaner (Feng et al. 2024): four tests, all of which a label has to pass.

    Two sources of class probabilities p: the zero-shot text, and logistic regression on the encoder's pooled features.
    Of each, the label must be consistent, p_y / max_k p_k ≥ θ_cons, and belong to the likelier part of a mixture of two
    Gaussians over the log p_y of its class, with posterior ≥ θ_gmm. The score is the worst of the four, so it passes ½
    exactly where all of them pass.

    Where it differs from the authors' code is listed in docs/detectors.md.

    Args:
        encoder: A vision-language model.
        batch_size: Images per step.
        seed: Draws the start of the mixtures.
        precision: Number format of the activations.
        consistency: θ_cons.
        posterior: θ_gmm.
        strengths: Inverse strengths of the probe's regularisation that are tried.

    Raises:
        SettingsError: A setting is out of its bounds.

    Example:
        >>> found = CLIPCleaner(load_encoder("tiny")).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "clipcleaner"
    citation: ClassVar[str] = (
        "C. Feng, G. Tzimiropoulos, I. Patras: CLIPCleaner: Cleaning Noisy Labels with CLIP. ACM Multimedia 2024."
    )

    consistency: float = 0.8
    posterior: float = 0.5
    strengths: tuple[float, ...] = STRENGTHS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.consistency <= 1:
            raise SettingsError(f"The consistency lies in 0 < θ ≤ 1, not {self.consistency}.")
        if not 0 < self.posterior < 1:
            raise SettingsError(f"The posterior lies between 0 and 1, not {self.posterior}.")
        if not self.strengths or min(self.strengths) <= 0:
            raise SettingsError(f"The regularisation needs positive strengths, not {self.strengths}.")

    def judge(self, seen: Seen, space: Workspace) -> Judged:
        labels = seen.labels.numpy()
        probed = probe(
            seen.pooled.numpy(), labels, seen.keys, classes=seen.classes, strengths=self.strengths, balanced=True
        )
        tests = [*self._tests(seen.zero_shot().double().numpy(), labels), *self._tests(probed, labels)]
        odds = torch.from_numpy(np.minimum.reduce(tests)).float()
        return Judged(odds, torch.from_numpy(probed).float().clamp(min=1e-9).log(), {})

    def _tests(self, probs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much each label passes the two tests of a source, in log-odds; above zero it passes."""
        own = np.maximum(probs[np.arange(len(labels)), labels], 1e-12)
        consistent = np.log(own) - np.log(probs.max(axis=1)) - np.log(self.consistency)
        mixed = two_component_posterior(
            -np.log(own), seed=self.seed, labels=labels, max_iter=100, tol=1e-3, reg_covar=1e-6
        )
        clipped = np.clip(mixed, 1e-6, 1 - 1e-6)
        likely = np.log(clipped / (1 - clipped)) - np.log(self.posterior / (1 - self.posterior))
        return consistent + 1e-9, likely + 1e-9  # a label passes on the border, too
