"""How much each expert counts, and how labels go wrong: what foretells held-out labels best.

Shapes: E experts, N images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from deft.evidence.experts import LEAST_WEIGHT, evenly, log_prior, log_prior_slopes, minimised, mixed, tell
from deft.evidence.explained import best_explained, explain
from deft.evidence.explanations import Explanation, Explanations
from deft.evidence.folds import FEW_IMAGES
from deft.evidence.label_noise import LabelNoise, Pull, hardness, learn_noise, log_likelihoods, share_alike
from deft.evidence.look_alikes import tells_look_alikes
from deft.one_thread import one_thread

SHARP_WEIGHT = 3.0  # of each expert, where the search sets out from sharp ones
EVENLY = (Pull(30, 10), Pull(places=10), Pull(rate=30))  # of class-wise noise, those tried
OF_TWO = (Pull(rate=30), Pull(rate=3))  # of two classes, which have one place for wrong labels
PARTNERS = (Pull(30, 100, partner=True), Pull(places=100, partner=True))  # and with one wrong label for each class
ON_LOOK_ALIKES = (Pull(30, 10, alike=True), Pull(100, 100, alike=True), Pull(alike=True))  # and these, where errors are
LEAST_ALIKE = 0.65  # share of wrong labels on look-alikes from which they are tried
PLACES = PARTNERS[1]  # tried on the text alone, and of more than a few classes at all
FEW_CLASSES, MOST_CLASSES = 100, 1_000  # for which noise of its own for every class is tried; of more, by text alone
LEAST_IMAGES = 50
ONE_THREAD = 1_000_000  # class scores of an expert up to which several threads wait for each other more than they gain
ALTERNATIONS, STILL = 5, 0.01
EVEN_CHANCE = 0.9  # that noise is even, before labels are seen
LESS_EVEN = 0.5  # of two classes, which need one more number and not K², and of small sets, on look-alikes
LEAST_CHANCE = 0.02  # from which an explanation counts
LEAST_LEAD = math.log(LEAST_CHANCE)  # in nats of all labels, without which noise of their own can't be that probable
VERY_SURE = 2.5  # standard errors by which the text has to show places among many classes
CHANCE = 2.0  # standard errors by which held-out labels must be foretold better than by their shares
DECISIVE = math.log(1000)  # nats by which all held-out labels together are foretold better than by their shares
STRONG = math.log(20)  # "strong" evidence by Kass and Raftery, "Bayes Factors", JASA 1995


@dataclass(frozen=True)
class _Tried:
    """Weights and noise, how well what led to them foretells each left-out label, and their chance before labels."""

    weights: Tensor
    noise: LabelNoise
    held: Tensor
    prior: float


@dataclass(frozen=True)
class Weighed:
    """Experts' weights and the noise of the labels.

    Args:
        explanations: Weights and noise that may explain the labels.
        hardness: Factor on the odds of an error, because errors fall on hard images; 1 if they don't.
        gain: Nats per held-out label by which the experts foretell labels better than the labels' shares do.
        gain_error: Its standard error.
        rate_error: Standard error of the log-odds of the noise rate, the weights being unknown as well.
        untaught: Nats by which what never saw a label foretells all labels better than their shares do; 0 if not asked.
        held_out: Nats by which the experts foretell all held-out labels together better than their shares do.
    """

    explanations: Explanations
    hardness: float
    gain: float
    gain_error: float
    rate_error: float = 0.0
    untaught: float = 0.0
    held_out: float = 0.0

    @property
    def judges(self) -> bool:
        """Whether labels are foretold better than by chance: surely so held-out ones, or all by what saw none.

        Of a few labels, or of few of one class, the gain of one varies much, and that of all together says more.
        """
        return self.gain > CHANCE * self.gain_error or self.held_out > DECISIVE or self.untaught > STRONG


@dataclass(frozen=True)
class Fitted:
    """What may explain the given labels.

    Args:
        explanations: Weights and noise, as the labels alone say.
        held: Log-likelihood of each label under what was learned from the other parts, (N,).
        tells_alike: Whether errors on look-alikes can be told from the experts' own (`tells_look_alikes`).
    """

    explanations: Explanations
    held: Tensor
    tells_alike: bool = True


def weigh(experts: Sequence[Tensor], labels: Tensor, part: Tensor) -> Weighed:
    """Return the weights and the noise that may explain the given labels.

    Experts must not have learned the label that they are weighed by, or the one that learned it best would win.

    First all noise is even, and its rate and the weights are the most likely ones. Then each class gets noise of
    its own, in several strengths. How probable each is, left-out labels say, which with many classes follow K² numbers
    of chance no better than one; before them, that noise is even has nine chances of ten, and one of two if there are
    but two classes, whose noise of their own is one number more. Where errors seem to fall on look-alikes, and can be
    told from the experts' own (`tells_look_alikes`), what each class's noise is drawn to lies there too, so that a few
    hundred images show it. The search sets out from the weights under even noise and from the text alone (see
    `_from_text`); in a small set, where doubt explains labels about as well as errors do, from sharp experts too, and
    even noise has but one chance of two if errors seem to fall on look-alikes, as people's do. Of what it comes to by
    one kind of noise, that counts which has the most evidence (`deft.evidence.explained`).

    Args:
        experts: Log-probabilities up to a constant of each image, its own label left out, (N, K) each.
        labels: Given labels, (N,).
        part: Which part of the data each image is in, (N,): `deft.evidence.folds.parts`.
    """
    experts = [expert.log_softmax(dim=1) for expert in experts]
    fitted = fit_noise(experts, labels, part)
    factors = [
        hardness(mixed(experts, one.weights), labels, one.noise) if fitted.tells_alike else 1.0
        for one in fitted.explanations.each
    ]
    harder = Explanations(
        tuple(
            replace(one, noise=one.noise.harder(factor))
            for one, factor in zip(fitted.explanations.each, factors, strict=True)
        )
    )
    over = fitted.held - _log_shares(labels, experts[0].shape[1])[labels]
    error = _rate_error(experts, labels, fitted.explanations)
    gain = float(over.mean())
    return Weighed(harder, factors[0], gain, _standard_error(over), error, held_out=float(over.sum()))


def fit_noise(experts: Sequence[Tensor], labels: Tensor, part: Tensor) -> Fitted:
    """Return the weights and the noise that `weigh` starts from: what given labels alone say.

    Args:
        experts: Log-probabilities of each image, its own label left out, (N, K) each.
        labels: Given labels, (N,).
        part: Which part of the data each image is in, (N,).
    """
    with one_thread(len(labels) * experts[0].shape[1] <= ONE_THREAD):
        return _fitted(experts, labels, part)


def _fitted(experts: Sequence[Tensor], labels: Tensor, part: Tensor) -> Fitted:
    classes = experts[0].shape[1]
    sharp = [torch.full((len(experts),), SHARP_WEIGHT)] if len(labels) <= FEW_IMAGES else []
    weights, noise = best_explained(experts, labels, [evenly(experts, labels, start) for start in (None, *sharp)])
    held = _held_out(experts, labels, part, partial(evenly, start=weights))
    # Among more classes no places are drawn to look-alikes, and without that the factor for hard images stays near 1.
    tells_alike = classes > FEW_CLASSES or tells_look_alikes(experts[0], labels)
    if not 2 <= classes <= MOST_CLASSES or len(labels) < LEAST_IMAGES:
        return Fitted(Explanations.only(weights, noise), held, tells_alike)
    alike = tells_alike and 2 < classes <= FEW_CLASSES
    alike = alike and share_alike(mixed(experts, weights), labels, noise) >= LEAST_ALIKE
    less = classes == 2 or (alike and len(sharp) > 0)
    even = _Tried(weights, noise, held, LESS_EVEN if less else EVEN_CHANCE)
    tried = _classwise_ones(experts, labels, part, even, sharp, _pulls(classes, alike=alike))
    return replace(_averaged(even, tried), tells_alike=tells_alike)


def _from_text(experts: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Return weights by which the first expert alone counts.

    The others learned from the labels. Where most wrong labels of a class are of one other class, they expect just
    those labels, and explain them as doubt; whoever sets out from there doesn't find the noise. The text never saw a
    label.
    """
    weights, _ = evenly(experts[:1], labels)
    return torch.cat([weights, torch.full((len(experts) - 1,), LEAST_WEIGHT)])


def _shows_places(experts: Sequence[Tensor], labels: Tensor, part: Tensor, weights: Tensor) -> bool:
    """Return whether the text alone shows places where wrong labels fall, without which K² of them aren't tried."""
    found = _held_out(experts[:1], labels, part, _classwise(weights[:1], PLACES))
    ahead = found - _held_out(experts[:1], labels, part, evenly)
    return float(ahead.mean()) > VERY_SURE * _standard_error(ahead)


def _pulls(classes: int, *, alike: bool) -> Sequence[Pull]:
    """Return the kinds of class-wise noise that are tried."""
    if classes > FEW_CLASSES:
        return (PLACES,)
    if classes == 2:
        return OF_TWO
    return (*EVENLY, *PARTNERS, *ON_LOOK_ALIKES) if alike else (*EVENLY, *PARTNERS)


def _classwise_ones(
    experts: Sequence[Tensor],
    labels: Tensor,
    part: Tensor,
    even: _Tried,
    sharp: Sequence[Tensor],
    pulls: Sequence[Pull],
) -> list[_Tried]:
    """Return explanations by noise of each class's own.

    Noise foretells labels that it hasn't seen no better than those that it was found from: what couldn't be probable
    even by these isn't tried on labels left out.
    """
    text = _from_text(experts, labels)
    starts = [even.weights, *sharp, text]
    if experts[0].shape[1] > FEW_CLASSES:
        if not _shows_places(experts, labels, part, text):
            return []
        starts = [text]
    before = float(_likelihoods(experts, labels, even.weights, even.noise).sum())
    hoped = []
    for pull in pulls:
        found = [_classwise(start, pull)(experts, labels) for start in starts]
        weights, noise = best_explained(experts, labels, found)
        hoped.append((float(_likelihoods(experts, labels, weights, noise).sum()) - before, pull, weights, noise))
    prior, lead, tried = (1 - even.prior) / len(hoped), 0.0, []
    for most, pull, weights, noise in sorted(hoped, key=lambda one: -one[0]):
        if most - max(lead, math.log(even.prior / prior)) < LEAST_LEAD:
            break
        tried.append(_Tried(weights, noise, _held_out(experts, labels, part, _classwise(weights, pull)), prior))
        lead = max(lead, float((tried[-1].held - even.held).sum()))
    return tried


def _averaged(even: _Tried, classwise: Sequence[_Tried]) -> Fitted:
    """Return all explanations that are probable, the most probable first."""
    tried = [even, *classwise]
    chances = torch.stack([one.held.double().sum() + math.log(one.prior) for one in tried]).softmax(dim=0)
    kept = [at for at in chances.argsort(descending=True).tolist() if float(chances[at]) >= LEAST_CHANCE]
    chances = chances[kept] / chances[kept].sum()
    each = [Explanation(float(c), tried[at].weights, tried[at].noise) for c, at in zip(chances, kept, strict=True)]
    held = torch.stack([tried[at].held + chance.log() for chance, at in zip(chances.float(), kept, strict=True)])
    return Fitted(Explanations(tuple(each)), held.logsumexp(dim=0))


def _rate_error(experts: Sequence[Tensor], labels: Tensor, explanations: Explanations) -> float:
    """Return the standard error of the log-odds of the noise rate: under the best explanation, and over all."""
    within = explain(experts, labels, explanations.best.weights, explanations.best.noise).rate_error
    odds = torch.stack([torch.logit(one.noise.rates.mean()) for one in explanations.each])
    chances = torch.tensor([one.chance for one in explanations.each])
    spread = (chances * (odds - (chances * odds).sum()).square()).sum()
    return math.hypot(within, float(spread.sqrt()))


Fit = Callable[[Sequence[Tensor], Tensor], tuple[Tensor, LabelNoise]]


def _classwise(start: Tensor, pull: Pull) -> Fit:
    """Return weights, and noise for each class, estimated in turn."""

    def fit(experts: Sequence[Tensor], labels: Tensor) -> tuple[Tensor, LabelNoise]:
        weights, noise = start, None
        for _ in range(ALTERNATIONS):
            noise = learn_noise(mixed(experts, weights), labels, pull, noise)
            chances = noise.chances(labels)

            def surprise(logs: Tensor, chances: Tensor = chances) -> tuple[Tensor, Tensor]:
                told = tell(experts, logs, chances)
                value = -told.likelihood - log_prior(logs) / len(labels)
                return value, -told.slopes - log_prior_slopes(logs) / len(labels)

            before, weights = weights, minimised(surprise, weights.clamp(min=LEAST_WEIGHT).log(), steps=15).exp()
            if float((weights - before).abs().max()) < STILL:
                break
        return weights, learn_noise(mixed(experts, weights), labels, pull, noise)

    return fit


def _held_out(experts: Sequence[Tensor], labels: Tensor, part: Tensor, fit: Fit) -> Tensor:
    """Return the log-likelihood of each label under what was learned from the other parts, (N,)."""
    held = torch.zeros(len(labels))
    for unseen in (part == one for one in part.unique()):
        seen = ~unseen
        if not bool(seen.any()):
            continue
        weights, noise = fit([expert[seen] for expert in experts], labels[seen])
        log_probs = mixed([expert[unseen] for expert in experts], weights)
        held[unseen] = log_likelihoods(log_probs, labels[unseen], noise)
    return held


def _likelihoods(experts: Sequence[Tensor], labels: Tensor, weights: Tensor, noise: LabelNoise) -> Tensor:
    """Return the log-likelihood of each label, (N,)."""
    return log_likelihoods(mixed(experts, weights), labels, noise)


def _log_shares(labels: Tensor, classes: int) -> Tensor:
    counts = torch.bincount(labels, minlength=classes).float()
    return ((counts + 1) / (len(labels) + classes)).log()


def _standard_error(values: Tensor) -> float:
    return float(values.std()) / max(len(values), 1) ** 0.5 if len(values) > 1 else float("inf")
