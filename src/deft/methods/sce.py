"""Symmetric cross-entropy (Wang et al., ICCV 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from deft.arguments import checked
from deft.errors import SettingsError
from deft.losses import symmetric_cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.per_sample import PerSampleTraining
from deft.training.loop import Training


@checked
@dataclass(frozen=True, repr=False)
class SCE(Method):
    """Minimises α·CE + β·RCE, with the reverse cross-entropy RCE = 9.21·(1 − p_y); Eq. 6 and 7 of the paper.

    Args:
        alpha: Weight of the cross-entropy; DeFT takes 1 on every data set, the authors 0.1 on CIFAR-10 and 6 on
            CIFAR-100.
        beta: Weight of the reverse one; DeFT takes 1, the authors 1 on CIFAR-10 and 0.1 on CIFAR-100.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=SCE.for_cifar10())  # doctest: +SKIP
    """

    alpha: float = 1.0
    beta: float = 1.0
    citation: ClassVar[str] = (
        "Y. Wang, X. Ma, Z. Chen, Y. Luo, J. Yi, J. Bailey: Symmetric Cross Entropy for Robust Learning with "
        "Noisy Labels. ICCV 2019."
    )

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.beta < 0 or self.alpha + self.beta == 0:
            raise SettingsError("The weights α and β can't be negative, nor both be zero.")

    @classmethod
    def for_cifar10(cls) -> SCE:
        """Return the authors' weights for CIFAR-10."""
        return cls(alpha=0.1, beta=1.0)

    @classmethod
    def for_cifar100(cls) -> SCE:
        """Return the authors' weights for CIFAR-100."""
        return cls(alpha=6.0, beta=0.1)

    def build(self, run: TrainingContext) -> Training:
        loss = partial(symmetric_cross_entropy, alpha=self.alpha, beta=self.beta)
        return PerSampleTraining(run.network(run.seed), loss)
