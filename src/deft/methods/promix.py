"""Small losses, grown by confident agreement with the label (Xiao et al., IJCAI 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.classifiers.linear import seeded_linear
from deft.errors import SettingsError
from deft.losses import cross_entropy, negative_entropy, soft_cross_entropy
from deft.methods.base import Method, TrainingContext
from deft.methods.parts.mixing import fmix, mixup
from deft.methods.parts.pseudo_labels import one_hot, sharpen, shift_by_prior
from deft.methods.parts.ramps import linear_ramp
from deft.methods.parts.score_pass import score_losses
from deft.methods.parts.two_networks import TwoNetworks
from deft.selection import class_quota_mask
from deft.training.batches import Batch, Batches, View
from deft.training.loop import Training

CHOSEN, OTHER = 0, 1  # the two parts of a batch, each with a class prior of its own
MOST_CHOSEN = 0.9  # share of a batch up to which agreement adds samples


@checked
@dataclass(frozen=True, repr=False)
class ProMix(Method):
    """Grows a clean set from small losses by confidently predicted labels, and guesses the rest with a second head.

    In each epoch the ρ·N/K smallest losses of every class are believed; in each batch also the labels with
    p_y > τ, and late in the run samples on which both networks agree with p > τ. On them both heads minimise
    CE(weak) + r·[CE(strong) + mixup + FMix] of the debiased scores z + α·log π. On the others the pseudo head alone
    minimises γ·[CE(weak) + r·CE(strong)] against sharpened softmax(z − β·log π). The priors π are running means of
    the predictions, one for each part. Both networks learn in the same step; its graphs hold up to six views each.
    The loss is a sum over heads and views, as in the paper, and its gradient up to eight times that of cross-entropy:
    without clipping it needs a smaller learning rate.

    Args:
        warmup: Epochs of cross-entropy first.
        start_share: ρ at the start, roughly the share of right labels.
        end_share: ρ after the ramp.
        confident: τ, the probability from which a predicted label is believed.
        loss_debias: α, how far the losses' scores are debiased.
        guess_debias: β, how far the guesses' scores are debiased.
        ramp: Epochs, counted from the start of the run, until r and ρ reach their full value.
        guess_epochs: Epochs, counted from the start of the run, over which γ grows; after them it is zero.
        guess_weight: γ at its largest.
        agreement: Share of the epochs, at the end, in which agreement adds samples; the authors take 250 of 600.
        decay: Share of the old prior that stays with every batch; the authors' 0.9999 is meant for 111 000 of them.
        alpha: Parameter of the mixup.
        temperature: Temperature of the sharpening.
        confidence_penalty: Weight of the negative entropy in the warm-up, against asymmetric noise.

    Example:
        >>> deft.adapt("facebook/convnext-tiny-224", images, method=ProMix.for_cifar10(share=0.7))  # doctest: +SKIP
    """

    warmup: int = 1
    start_share: float = 0.5
    end_share: float = 0.5
    confident: float = 0.95
    loss_debias: float = 0.5
    guess_debias: float = 0.5
    ramp: float = 1.0
    guess_epochs: float = 2.0
    guess_weight: float = 0.1
    agreement: float = 250 / 600
    decay: float = 0.998
    alpha: float = 4.0
    temperature: float = 0.5
    confidence_penalty: float = 0.0
    views: ClassVar[tuple[View, ...]] = ("weak", "strong")
    citation: ClassVar[str] = (
        "R. Xiao, Y. Dong, H. Wang, L. Feng, R. Wu, G. Chen, J. Zhao: ProMix: Combating Label Noise via Maximizing "
        "Clean Sample Utility. IJCAI 2023."
    )

    def __post_init__(self) -> None:
        shares = (self.start_share, self.end_share, self.confident, self.agreement)
        if not all(0 <= share <= 1 for share in shares) or not 0 <= self.decay < 1:
            raise SettingsError("Shares, the confidence τ and the decay of the priors lie between 0 and 1.")
        if self.warmup < 0 or self.guess_weight < 0 or not self.temperature > 0:
            raise SettingsError("Warm-up and weight γ can't be negative, and the temperature must be positive.")

    @classmethod
    @checked
    def for_cifar10(cls, share: float = 0.5) -> ProMix:
        """Return the authors' settings for CIFAR-10, made for 600 epochs; ρ is 0.7 for 20 % noise, 0.5 for 50 %.

        Args:
            share: ρ, the share of each class that is believed.
        """
        return cls(
            warmup=10,
            start_share=share,
            end_share=share,
            confident=0.99,
            loss_debias=0.8,
            guess_debias=0.8,
            ramp=50,
            guess_epochs=100,
            decay=0.9999,
        )

    @classmethod
    @checked
    def for_cifar100(cls, share: float = 0.5) -> ProMix:
        """Return the authors' settings for CIFAR-100, made for 600 epochs; ρ is 0.7 for 20 % noise, 0.5 for 50 %.

        Args:
            share: ρ, the share of each class that is believed.
        """
        return cls(warmup=30, start_share=share, end_share=share, ramp=50, guess_epochs=100, decay=0.9999)

    def build(self, run: TrainingContext) -> Training:
        return _ProMixTraining(run, self)


@dataclass(frozen=True)
class _Now:
    """The state of an epoch: the weights of its losses, and what its steps draw from."""

    views: float
    guesses: float
    agreement: bool
    rng: np.random.Generator


@dataclass(frozen=True)
class _Look:
    """What one network says about the weak view of a batch: scores of both heads, probabilities, debiased guess."""

    heads: tuple[Tensor, Tensor]
    probs: Tensor
    guess: Tensor


class _ProMixTraining(Training):
    priors: Tensor

    def __init__(self, run: TrainingContext, settings: ProMix) -> None:
        super().__init__()
        self.networks = TwoNetworks(run)
        self.pseudo = nn.ModuleList(
            seeded_linear(network.width, run.classes, seed=run.seed + 2 + number).to(run.device)
            for number, network in enumerate(self.networks.both)
        )
        uniform = torch.full((2, 2, run.classes), 1 / run.classes, device=run.device)
        self.register_buffer("priors", uniform)  # of each network, of the chosen and the other samples
        self._settings = settings
        self._classes = run.classes
        self._late = run.epochs - round(settings.agreement * run.epochs)

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        if epoch < self._settings.warmup:
            for batch in train.epoch(epoch):
                yield self._plain(batch)
            return
        small = self._small_losses(train, epoch)
        now = self._now(epoch, np.random.default_rng([train.seed, epoch, 41]))
        for batch in train.epoch(epoch, views=ProMix.views):
            yield self._step(batch, small[:, batch.index], now)

    def _plain(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of both networks' own heads; the pseudo heads wait for the first guesses."""
        loss = torch.zeros((), device=batch.labels.device)
        for network in self.networks.both:
            scores = network(batch.inputs)
            values = cross_entropy(scores, batch.labels)
            values = values + self._settings.confidence_penalty * negative_entropy(scores)
            loss = loss + values.sum() / max(len(batch), 1)
        return loss

    def _small_losses(self, train: Batches, epoch: int) -> Tensor:
        """Return which rows each network believes for their small losses, the same number in each class, (2, N)."""
        settings = self._settings
        grown = linear_ramp(epoch, length=settings.ramp)
        share = settings.start_share + (settings.end_share - settings.start_share) * grown
        quota = max(1, math.ceil(share * len(train.rows) / self._classes))
        found = []
        for network in self.networks.both:
            losses = score_losses(network, train).cpu().numpy()
            found.append(torch.from_numpy(class_quota_mask(losses, train.labels, quota)))
        return torch.stack(found).to(train.device)

    def _now(self, epoch: int, rng: np.random.Generator) -> _Now:
        settings = self._settings
        guesses = settings.guess_weight * linear_ramp(epoch, length=settings.guess_epochs)
        return _Now(
            views=linear_ramp(epoch, length=settings.ramp),
            guesses=guesses if epoch < settings.guess_epochs else 0.0,
            agreement=epoch >= self._late,
            rng=rng,
        )

    def _heads(self, number: int, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of a network's own head and of its pseudo head."""
        network = self.networks.both[number]
        features = network.features(inputs)
        return network.classify(features), self.pseudo[number](features)

    def _look(self, number: int, inputs: Tensor) -> _Look:
        heads = self._heads(number, inputs)
        scores = heads[0].detach().float()
        # By the prior of the reliable samples, as in the authors' code: what was learned of them is the bias.
        guess = shift_by_prior(scores, self.priors[number, CHOSEN], -self._settings.guess_debias).softmax(dim=1)
        return _Look(heads, scores.softmax(dim=1), guess)

    def _step(self, batch: Batch, small: Tensor, now: _Now) -> Tensor:
        """Return the losses of both networks, and then their priors' update."""
        looks = [self._look(number, batch.inputs) for number in (0, 1)]
        loss = torch.zeros((), device=batch.labels.device)
        for number, look in enumerate(looks):
            label_probs = look.probs.gather(1, batch.labels.unsqueeze(1)).squeeze(1)
            believed = small[number] | (label_probs > self._settings.confident)
            targets = torch.where(believed, batch.labels, look.guess.argmax(dim=1))
            chosen = believed
            if now.agreement:
                probs = (looks[0].probs, looks[1].probs)
                chosen = believed | agreed(*probs, believed, confident=self._settings.confident)
            loss = loss + self._chosen_loss(number, batch, look, chosen, targets, now)
            loss = loss + self._other_loss(number, batch, look, ~chosen, now)
            self._update_prior(number, CHOSEN, look.probs[chosen])
            self._update_prior(number, OTHER, look.probs[~chosen])
        return loss

    def _chosen_loss(self, number: int, batch: Batch, look: _Look, chosen: Tensor, labels: Tensor, now: _Now) -> Tensor:
        """Return CE(weak) + r·[CE(strong) + mixup + FMix], summed over the heads; zero if nothing is chosen."""
        targets = one_hot(labels[chosen], self._classes)
        count, prior = max(len(targets), 1), self.priors[number, CHOSEN].clone()

        def fitted(scores: Tensor, wanted: Tensor) -> Tensor:
            debiased = shift_by_prior(scores, prior, self._settings.loss_debias)
            return soft_cross_entropy(debiased, wanted).sum() / count

        loss = sum((fitted(scores[chosen], targets) for scores in look.heads), torch.zeros((), device=labels.device))
        if now.views and len(targets):
            weak, strong = (view[chosen] for view in batch.views)
            for head, scores in enumerate(self._heads(number, strong)):
                # Each head draws mixtures of its own.
                mixed, mixed_targets = mixup(weak, targets, alpha=self._settings.alpha, rng=now.rng)
                cut, cut_targets = fmix(weak, targets, rng=now.rng)
                mixtures = self._heads(number, torch.cat([mixed, cut]))[head]
                wanted = torch.cat([targets, mixed_targets, cut_targets])
                loss = loss + now.views * fitted(torch.cat([scores, mixtures]), wanted)
        return loss

    def _other_loss(self, number: int, batch: Batch, look: _Look, other: Tensor, now: _Now) -> Tensor | float:
        """Return γ·[CE(weak) + r·CE(strong)] of the pseudo head against guesses; zero if everything is chosen."""
        count = int(other.sum())
        if not (now.guesses and count):
            return 0.0
        targets = sharpen(look.guess[other], self._settings.temperature)
        prior = self.priors[number, OTHER].clone()
        views = [(1.0, look.heads[1][other])]
        if now.views:
            views.append((now.views, self._heads(number, batch.views[1][other])[1]))
        loss: Tensor | float = 0.0
        for weight, scores in views:
            debiased = shift_by_prior(scores, prior, self._settings.loss_debias)
            loss = loss + weight * soft_cross_entropy(debiased, targets).sum() / count
        return now.guesses * loss

    def _update_prior(self, number: int, part: int, probs: Tensor) -> None:
        """Set π ← m·π + (1 − m)·mean prediction; nothing happens where there is no prediction."""
        if len(probs):
            decay = self._settings.decay
            self.priors[number, part] = decay * self.priors[number, part] + (1 - decay) * probs.mean(dim=0)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.networks(inputs)
        return scores


def agreed(first: Tensor, second: Tensor, chosen: Tensor, *, confident: float) -> Tensor:
    """Return further samples to choose: both networks are sure of the same class (label guessing by agreement).

    Args:
        first: Probabilities by one network, (b, K).
        second: Probabilities by the other, (b, K).
        chosen: Samples chosen already, (b,).
        confident: τ, which both networks' largest probabilities exceed.

    Returns:
        bool, (b,); the surest first, until nine tenths of the batch are chosen.
    """
    (surest, one), (other_surest, other) = first.max(dim=1), second.max(dim=1)
    sure = (surest > confident) & (other_surest > confident) & (one == other) & ~chosen
    room = max(int(MOST_CHOSEN * len(chosen)) - int(chosen.sum()), 0)
    order = ((surest + other_surest) / 2).masked_fill(~sure, -1.0).argsort(descending=True, stable=True)
    best = torch.zeros_like(chosen)
    best[order[:room]] = True
    return best & sure
