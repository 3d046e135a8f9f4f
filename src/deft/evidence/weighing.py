"""How much each expert counts, and how labels go wrong: what foretells held-out labels best.

Shapes: E experts, N images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from deft.evidence.experts import LEAST_WEIGHT, evenly, log_prior, log_prior_slopes, minimised, mixed, tell
from deft.evidence.explained import best_explained, explain
from deft.evidence.folds import FEW_IMAGES
from deft.evidence.label_noise import LabelNoise, Pull, hardness, learn_noise, log_likelihoods, share_alike
from deft.one_thread import one_thread

SHARP_WEIGHT = 3.0  # of each expert, where the search sets out from sharp ones
EVENLY = (Pull(30, 10), Pull(places=10), Pull(rate=30))  # of class-wise noise, those tried
PARTNERS = (Pull(30, 100, partner=True), Pull(places=100, partner=True))  # and with one wrong label for each class
ON_LOOK_ALIKES = (Pull(30, 10, alike=True), Pull(100, 100, alike=True), Pull(alike=True))  # and these, where errors are
LEAST_ALIKE = 0.65  # share of wrong labels on look-alikes from which they are tried
PLACES = PARTNERS[1]  # tried on the text alone, and of more than a few classes at all
FEW_CLASSES, MOST_CLASSES = 100, 1_000  # for which noise of its own for every class is tried; of more, by text alone
LEAST_IMAGES = 50
ONE_THREAD = 1_000_000  # class scores of an expert up to which several threads wait for each other more than they gain
ALTERNATIONS, STILL = 5, 0.01
SURE, WORTH = 1.5, 5e-4  # standard errors, and nats per label, by which class-wise noise has to foretell labels better
NEXT_TO_NOTHING, VERY_SURE = 0.01, 2.5  # rate of even noise below which it takes so many standard errors


@dataclass(frozen=True)
class Weighed:
    """Experts' weights and the noise of the labels.

    Args:
        weights: One for each expert, (E,).
        noise: How labels go wrong.
        hardness: Factor on the odds of an error, because errors fall on hard images; 1 if they don't.
        gain: Nats per held-out label by which the experts foretell labels better than the labels' shares do.
        gain_error: Its standard error.
        rate_error: Standard error of the log-odds of the noise rate, the weights being unknown as well.
    """

    weights: Tensor
    noise: LabelNoise
    hardness: float
    gain: float
    gain_error: float
    rate_error: float = 0.0


@dataclass(frozen=True)
class Fitted:
    """Weights and noise under which the given labels are most likely.

    Args:
        weights: One for each expert, (E,).
        noise: How labels go wrong, as the labels alone say.
        held: Log-likelihood of each label under what was learned from the other parts, (N,).
    """

    weights: Tensor
    noise: LabelNoise
    held: Tensor


def weigh(experts: Sequence[Tensor], labels: Tensor, part: Tensor) -> Weighed:
    """Return the weights and the noise under which the given labels are most likely.

    Experts must not have learned the label that they are weighed by, or the one that learned it best would win.

    First all noise is even, and its rate and the weights are the most likely ones. Then each class gets noise of
    its own, in several strengths; that is kept only where it surely foretells left-out labels better (by one and a half
    standard errors; two and a half where even noise says that next to nothing is wrong), for with many classes K²
    numbers follow chance. Where errors seem to fall on look-alikes, what each class's noise is drawn to lies there too,
    so that a few hundred images show it. The search sets out from the weights under even noise and from the text alone
    (see `_text_alone`); in a small set, where doubt explains labels about as well as errors do, from sharp experts too.
    Of what it comes to, that counts which explains the labels best (`deft.evidence.explained`).

    Args:
        experts: Log-probabilities up to a constant of each image, its own label left out, (N, K) each.
        labels: Given labels, (N,).
        part: Which part of the data each image is in, (N,): `deft.evidence.folds.parts`.
    """
    experts = [expert.log_softmax(dim=1) for expert in experts]
    fitted = fit_noise(experts, labels, part)
    weights, noise = fitted.weights, fitted.noise
    factor = hardness(mixed(experts, weights), labels, noise)
    over = fitted.held - _log_shares(labels, experts[0].shape[1])[labels]
    error = explain(experts, labels, weights, noise).rate_error
    return Weighed(weights, noise.harder(factor), factor, float(over.mean()), _standard_error(over), error)


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
    even = best_explained(experts, labels, [evenly(experts, labels, start) for start in (None, *sharp)])
    held = _held_out(experts, labels, part, partial(evenly, start=even[0]))
    if not 2 <= classes <= MOST_CLASSES or len(labels) < LEAST_IMAGES:
        return Fitted(*even, held)
    starts, text = [even[0], *sharp], _text_alone(experts, labels, part)
    pulls = _pulls(experts, labels, *even) if classes <= FEW_CLASSES else ()
    if text is not None:
        starts, pulls = [*starts, text] if pulls else [text], pulls or (PLACES,)
    return _foretells_better(experts, labels, part, Fitted(*even, held), starts, pulls)


def _text_alone(experts: Sequence[Tensor], labels: Tensor, part: Tensor) -> Tensor | None:
    """Return weights by which the first expert alone counts, None if it shows no places where wrong labels fall.

    The others learned from the labels. Where most wrong labels of a class are of one other class, they expect just
    those labels, and explain them as doubt; whoever sets out from there doesn't find the noise. The text never saw a
    label.
    """
    text = experts[:1]
    weights, _ = evenly(text, labels)
    found = _held_out(text, labels, part, _classwise(weights, PLACES))
    ahead = found - _held_out(text, labels, part, evenly)
    if _sure_lead(ahead, VERY_SURE) <= 0:
        return None
    return torch.cat([weights, torch.full((len(experts) - 1,), LEAST_WEIGHT)])


def _pulls(experts: Sequence[Tensor], labels: Tensor, weights: Tensor, noise: LabelNoise) -> Sequence[Pull]:
    """Return the kinds of class-wise noise that are tried; two classes have one place for wrong labels."""
    if experts[0].shape[1] == 2:
        return [pull for pull in EVENLY if math.isinf(pull.places)]
    alike = share_alike(mixed(experts, weights), labels, noise) >= LEAST_ALIKE
    return (*EVENLY, *PARTNERS, *ON_LOOK_ALIKES) if alike else (*EVENLY, *PARTNERS)


def _foretells_better(
    experts: Sequence[Tensor],
    labels: Tensor,
    part: Tensor,
    even: Fitted,
    starts: Sequence[Tensor],
    pulls: Sequence[Pull],
) -> Fitted:
    """Return what surely foretells left-out labels best, even noise if nothing does.

    Noise foretells labels that it hasn't seen no better than those that it was found from: what isn't surely ahead on
    these, or by less than another is on labels left out, isn't tried.
    """
    sure = SURE if float(even.noise.rates.mean()) >= NEXT_TO_NOTHING else VERY_SURE
    before = _likelihoods(experts, labels, even.weights, even.noise)
    tried = []
    for pull in pulls:
        found = best_explained(experts, labels, [_classwise(start, pull)(experts, labels) for start in starts])
        tried.append((_sure_lead(_likelihoods(experts, labels, *found) - before, sure), pull, found))
    best, least = even, 0.0
    for hoped, pull, (weights, noise) in sorted(tried, key=lambda one: -one[0]):
        if hoped <= least:
            break
        held = _held_out(experts, labels, part, _classwise(weights, pull))
        lead = _sure_lead(held - even.held, sure)
        if lead > least:
            best, least = Fitted(weights, noise, held), lead
    return best


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


def _sure_lead(ahead: Tensor, sure: float) -> float:
    """Return how far labels are ahead, less so many standard errors; 0 if that is next to nothing."""
    mean = float(ahead.mean())
    return mean - sure * _standard_error(ahead) if mean > WORTH else 0.0


def _log_shares(labels: Tensor, classes: int) -> Tensor:
    counts = torch.bincount(labels, minlength=classes).float()
    return ((counts + 1) / (len(labels) + classes)).log()


def _standard_error(values: Tensor) -> float:
    return float(values.std()) / max(len(values), 1) ** 0.5 if len(values) > 1 else float("inf")
