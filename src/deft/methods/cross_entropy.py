"""Cross-entropy on the given labels: the baseline, and DeFT's second phase when the wrong ones are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deft.losses import cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.per_sample import PerSampleTraining
from deft.training.loop import Training


@dataclass(frozen=True, repr=False)
class CE(Method):
    """Minimises −log p_y, and so memorises wrong labels if it is given any.

    On the kept part of a detection it is the second phase of DeFT (Wei et al. 2024, Algorithm 1, lines 12 to 15).

    Example:
        >>> deft.adapt("microsoft/resnet-50", images.keep(found.is_clean), method=CE())  # doctest: +SKIP
    """

    citation: ClassVar[str] = (
        "T. Wei, H.-T. Li, C.-S. Li, J.-X. Shi, Y.-F. Li, M.-L. Zhang: Vision-Language Models are Strong "
        "Noisy Label Detectors. NeurIPS 2024."
    )

    def build(self, run: TrainingContext) -> Training:
        return PerSampleTraining(run.network(run.seed), cross_entropy)
