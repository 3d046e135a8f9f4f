"""LEMoN: how far a label is from an image, from those of similar images, and an image from those of its label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from deft.arguments import checked
from deft.detectors.collector import score_of
from deft.detectors.on_features import Judged, OnePassDetector, Seen
from deft.errors import SettingsError
from deft.selection import border, estimate_noise_rate, small_loss_mask
from deft.settings import check_noise_rate
from deft.training.workspace import Workspace


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class LEMoN(OnePassDetector):
    """Multimodal neighbours (Zhang et al. 2025): s = d(x, y) + β·s_n + γ·s_m, all distances 1 − cosine.

    d(x, y) is between an image and the text of its label. s_n is the mean distance of the label's text from those of
    the k nearest images' labels, s_m the mean distance of the image from other images with its label; a neighbour j
    counts exp(τ₁·similarity − τ₂·d(x_j, y_j)). The defaults are the authors' fixed ones (β = γ = 5, τ₁ = 0.1, τ₂ = 5,
    k = 30), where they otherwise choose them with known truth. Nothing is trained.

    The method is a score; which labels are wrong is asked for as a rate, or estimated by a mixture of two Gaussians.
    Texts of one class are equally near each other, so s_m takes all images of the class. The suggestion is the class
    with the smallest s.

    Args:
        encoder: A vision-language model.
        batch_size: Images per step.
        seed: Draws the start of the mixture.
        precision: Number format of the activations.
        neighbours: Nearest images k.
        image_weight: β, of the label's distance from similar images' labels.
        text_weight: γ, of the image's distance from images of its label.
        nearness: τ₁, by which nearer neighbours count more.
        fit: τ₂, by which neighbours count more whose own label fits.
        noise_rate: Share of wrong labels; None estimates it.

    Raises:
        SettingsError: A setting is out of its bounds.

    Example:
        >>> found = LEMoN(load_encoder("tiny"), noise_rate=0.2).detect(images)  # doctest: +SKIP
    """

    name: ClassVar[str] = "lemon"
    citation: ClassVar[str] = (
        "H. Zhang, A. Balagopalan, N. Oufattole, H. Jeong, Y. Wu, J. Zhu, M. Ghassemi: LEMoN: Label Error Detection "
        "using Multimodal Neighbors. ICML 2025."
    )

    neighbours: int = 30
    image_weight: float = 5.0
    text_weight: float = 5.0
    nearness: float = 0.1
    fit: float = 5.0
    noise_rate: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neighbours < 1:
            raise SettingsError(f"At least one neighbour is compared with, not {self.neighbours}.")
        check_noise_rate(self.noise_rate)

    def judge(self, seen: Seen, space: Workspace) -> Judged:
        scores = self.scores(seen)
        own = score_of(scores, seen.labels)
        losses = own.double().numpy()
        rate = estimate_noise_rate(losses, seed=self.seed) if self.noise_rate is None else self.noise_rate
        edge = border(losses, small_loss_mask(losses, 1 - rate))
        spread = own.std(unbiased=False).clamp(min=1e-9)
        odds = torch.from_numpy(edge - losses) / spread.double()
        return Judged(odds.float(), -scores / spread, {"noise_rate_used": rate})

    def scores(self, seen: Seen) -> Tensor:
        """Return s of every image with every class, (n, K); small where a class fits.

        Args:
            seen: What the encoder sees.
        """
        texts = seen.texts
        matched = (seen.unit * texts[seen.labels]).sum(dim=1)  # cosine of each image with its own label
        fitting = (-self.fit * (1 - matched)).exp()
        found = []
        for some, near, places in seen.nearest(self.neighbours):
            weights = (self.nearness * near).exp() * fitting[places] / near.shape[1]
            votes = weights.new_zeros(len(weights), seen.classes).scatter_add_(1, seen.labels[places], weights)
            by_image = votes @ (1 - texts @ texts.T)
            found.append(1 - seen.unit[some] @ texts.T + self.image_weight * by_image)
        return torch.cat(found) + self.text_weight * self._by_text(seen, fitting)

    def _by_text(self, seen: Seen, fitting: Tensor) -> Tensor:
        """s_m of every image with every class, (n, K): its weighted mean distance from the class's other images."""
        weights = fitting * math.exp(self.nearness)  # texts of one class have similarity one
        member = F.one_hot(seen.labels, seen.classes).float()
        total, sums = member.T @ weights, member.T @ (weights[:, None] * seen.unit)
        others = member.sum(dim=0) - member  # an image is at no distance from itself
        mean = (total - seen.unit @ sums.T) / others.clamp(min=1)
        # A class without other images says nothing of how far it is.
        return torch.where(others > 0, mean, mean[others > 0].mean())
