"""The weights of the experts: what foretells labels counts, what doesn't counts for nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from deft.evidence.experts import even_likelihood, evenly, log_prior, log_prior_odds, mixed, tell
from deft.evidence.label_noise import LabelNoise, log_likelihoods
from deft.evidence.look_alikes import tells_look_alikes
from deft.evidence.weighing import fit_noise, weigh
from deft.noise import pair_flip, symmetric

CLASSES, COUNT = 5, 3000


def experts(seed: int = 0) -> tuple[list[Tensor], np.ndarray]:
    """One expert that sees the class, and one that guesses."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=COUNT)
    seen = rng.normal(size=(COUNT, CLASSES)) + 2.5 * np.eye(CLASSES)[truth]
    guess = 3 * rng.normal(size=(COUNT, CLASSES))
    return [torch.from_numpy(2.5 * seen).float(), torch.from_numpy(guess).float()], truth


def half() -> Tensor:
    return torch.arange(COUNT) % 2


def test_an_expert_that_guesses_gets_no_weight() -> None:
    parts, truth = experts()
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=CLASSES, seed=0))
    found = weigh(parts, labels, half())
    assert float(found.explanations.weights[1]) < 0.05 * float(found.explanations.weights[0])
    assert found.explanations.best.noise.places is None
    assert float(found.explanations.best.noise.rates.mean()) == pytest.approx(0.2, abs=0.04)
    assert found.gain > 10 * found.gain_error


def test_pair_flips_get_noise_of_their_own_and_symmetric_ones_do_not() -> None:
    parts, truth = experts()
    pairs = torch.from_numpy(pair_flip(truth, 0.3, num_classes=CLASSES, seed=0))
    found = weigh(parts, pairs, half())
    assert found.explanations.best.noise.places is not None
    assert float(found.explanations.best.noise.rates.mean()) == pytest.approx(0.3, abs=0.06)


def test_where_no_label_is_wrong_next_to_none_is_blamed() -> None:
    parts, truth = experts()
    found = weigh(parts, torch.from_numpy(truth), half())
    assert float(found.explanations.best.noise.rates.max()) < 0.02


def test_guesses_alone_are_no_better_than_chance() -> None:
    parts, truth = experts()
    found = weigh(parts[1:], torch.from_numpy(truth), half())
    assert not found.judges


@pytest.mark.parametrize(
    ("scale", "spread", "count", "classes", "seed", "wrong"), [(0.01, 0.0, 60, 10, 2, 0.0), (100.0, 1.0, 20, 2, 1, 0.2)]
)
def test_weights_that_would_grow_for_ever_stay_numbers(
    scale: float, spread: float, count: int, classes: int, seed: int, wrong: float
) -> None:
    """A faint expert that is always right, and a loud one on few images: the line search used to overflow."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(classes, (count,), generator=generator)
    flipped = torch.rand(count, generator=generator) < wrong
    labels = torch.where(flipped, torch.randint(classes, (count,), generator=generator), truth)
    parts = [
        scale * (torch.eye(classes)[truth] + spread * torch.randn(count, classes, generator=generator))
        for _ in range(2)
    ]
    found = weigh(parts, labels, torch.arange(count) % 2 == 0)
    assert bool(torch.isfinite(found.explanations.weights).all())
    assert np.isfinite([found.gain, found.gain_error]).all()
    assert bool(torch.isfinite(found.explanations.best.noise.rates).all())


def test_the_better_expert_has_the_higher_likelihood() -> None:
    parts, truth = experts()
    labels = torch.from_numpy(truth)
    assert even_likelihood(parts[0], labels) > even_likelihood(parts[1], labels)


def test_the_slopes_that_are_written_out_are_those_of_automatic_differentiation() -> None:
    parts, truth = experts()
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=CLASSES, seed=0))
    noise = LabelNoise(torch.linspace(0.1, 0.3, CLASSES), (1 - torch.eye(CLASSES)) / (CLASSES - 1))
    logs = torch.tensor([-1.5, -3.0], requires_grad=True)
    likelihood = log_likelihoods(mixed(parts, logs.exp()), labels, noise).mean()
    likelihood.backward()
    told = tell(parts, logs.detach(), noise.chances(labels))
    assert float(told.likelihood) == pytest.approx(float(likelihood.detach()), rel=1e-5)
    assert logs.grad is not None
    assert torch.allclose(told.slopes, logs.grad, atol=1e-6)


def test_even_noise_and_weights_are_where_the_labels_are_most_likely() -> None:
    """Automatic differentiation finds no slope there, of the rate neither."""
    parts, truth = experts()
    parts, labels = parts[:1], torch.from_numpy(symmetric(truth, 0.2, num_classes=CLASSES, seed=0))
    weights, noise = evenly(parts, labels)
    point = torch.cat([weights.log(), torch.logit(noise.rates[:1])]).requires_grad_(True)
    even = LabelNoise(point[1].sigmoid().expand(CLASSES))
    likelihood = log_likelihoods(mixed(parts, point[:1].exp()), labels, even).sum()
    (likelihood + log_prior(point[:1]) + log_prior_odds(point[1])).backward()
    assert point.grad is not None
    assert float(point.grad.abs().max()) / COUNT < 1e-4


def test_mixed_experts_are_a_distribution() -> None:
    parts, _ = experts()
    assert torch.allclose(mixed(parts, torch.tensor([0.4, 0.1])).exp().sum(dim=1), torch.ones(COUNT), atol=1e-5)


@pytest.mark.parametrize("count", [2, 3])
def test_a_handful_of_images_is_no_error(count: int) -> None:
    parts, truth = experts()
    found = weigh([part[:count] for part in parts], torch.from_numpy(truth[:count]), half()[:count])
    assert bool(torch.isfinite(found.explanations.weights).all())


def test_the_error_of_the_rate_is_that_which_draws_show() -> None:
    """Classes drawn from what the expert says, so that its model is right and nothing but chance is left."""
    off, errors = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        log_probs = torch.from_numpy(2 * rng.normal(size=(800, 3))).float().log_softmax(dim=1)
        truth = (log_probs.exp().cumsum(dim=1) < torch.from_numpy(rng.random((800, 1)))).sum(dim=1).clamp(max=2)
        labels = symmetric(truth.numpy(), 0.25, num_classes=3, seed=seed)
        found = weigh([log_probs], torch.from_numpy(labels), torch.arange(800) % 2 == 0)
        off.append(float(torch.logit(found.explanations.best.noise.rates.mean())) - float(np.log(1 / 3)))
        errors.append(found.rate_error)
    spread = float(np.sqrt(np.mean(np.square(off))))
    assert 0.6 < float(np.mean(errors)) / spread < 1.7


def test_what_says_little_leaves_the_rate_unsure() -> None:
    parts, truth = experts()
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=CLASSES, seed=0))
    clear = weigh(parts[:1], labels, half()).rate_error
    vague = weigh([parts[0] + 2 * parts[1]], labels, half()).rate_error
    few = weigh([parts[0][:300]], labels[:300], half()[:300]).rate_error
    assert clear < 0.1
    assert vague > 2 * clear
    assert few > 2 * clear


def eighty(seed: int, *, wrong: float) -> tuple[list[Tensor], Tensor]:
    """What an expert says of eighty images of two classes, and their labels, a share of them flipped."""
    rng, truth = np.random.default_rng(seed), np.repeat([0, 1], 40)
    odds = 2 * (2 * truth - 1) + 2 * rng.normal(size=80)  # right as often as they say
    labels = np.where(rng.random(80) < wrong, 1 - truth, truth)
    return [torch.from_numpy(np.stack([-odds / 2, odds / 2], axis=1)).float()], torch.from_numpy(labels)


def test_few_labels_judge_by_what_all_of_them_say_together() -> None:
    """The mean gain of the draws 0 and 2 is less than two of its standard errors, all gain together seven nats."""
    for seed in range(5):
        found = weigh(*eighty(seed, wrong=0.2), torch.arange(80) % 5)
        assert found.judges
    assert min(weigh(*eighty(seed, wrong=0.2), torch.arange(80) % 5).held_out for seed in (0, 2)) > 7


def test_few_labels_that_have_nothing_to_do_with_the_images_do_not_judge() -> None:
    for seed in range(20):
        found = weigh(*eighty(seed, wrong=0.5), torch.arange(80) % 5)
        assert not found.judges
        assert found.held_out < 3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_of_two_classes_one_may_have_all_the_errors(seed: int) -> None:
    """Where four of ten labels of one are wrong; if even noise had nine chances of ten, the other had .09 of them."""
    rng, count = np.random.default_rng(seed), 200
    truth = np.repeat([0, 1], count // 2)
    odds = 2 * (2 * truth - 1) + 2 * rng.normal(size=count)  # right as often as they say
    labels = np.where((truth == 0) & (rng.random(count) < 0.4), 1, truth)
    expert = torch.from_numpy(np.stack([-odds / 2, odds / 2], axis=1)).float().log_softmax(dim=1)
    found = fit_noise([expert], torch.from_numpy(labels), torch.arange(count) % 5).explanations
    first, second = sum(one.chance * one.noise.rates for one in found.each).tolist()  # type: ignore[union-attr]
    assert first > 0.3
    assert second < 0.05


def pairs(count: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """What a model says of ten classes that look alike in pairs, right as often as it says so, and the truth."""
    rng = np.random.default_rng(seed)
    logits = np.full((count, 10), -2.0) + rng.normal(size=(count, 10))
    first = rng.integers(10, size=count)
    logits[np.arange(count), first] = 3.0
    logits[np.arange(count), first ^ 1] = 3.0 - rng.exponential(3.0, size=count)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (probs.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return torch.from_numpy(logits).float(), truth


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_few_hundred_images_show_that_look_alikes_are_mixed_up(seed: int) -> None:
    """Ninety places of wrong labels are too many for 500 images; that they are those of the model's doubt is one."""
    count = 500
    scores, truth = pairs(count, seed)
    wrong = np.random.default_rng([seed, 1]).random(count) < 0.2
    found = weigh([scores], torch.from_numpy(np.where(wrong, truth ^ 1, truth)), torch.arange(count) % 2 == 0)
    assert found.explanations.best.noise.places is not None
    assert float(found.explanations.best.noise.places[torch.arange(10), torch.arange(10) ^ 1].mean()) > 0.7
    assert found.hardness > 2


def test_of_eighty_images_more_than_two_thirds_of_the_mixed_up_look_alikes_are_believed_in() -> None:
    """Their errors say little of where they fall; if even noise has nine chances of ten before, 64 % are."""
    count, found, true = 80, 0.0, 0.0
    for seed in range(6):
        scores, truth = pairs(count, seed)
        wrong = np.random.default_rng([seed, 1]).random(count) < 0.2
        labels = torch.from_numpy(np.where(wrong, truth ^ 1, truth))
        found += fit_noise([scores.log_softmax(dim=1)], labels, torch.arange(count) % 5).explanations.rate
        true += float(wrong.mean())
    assert 0.7 < found / true < 1.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_symmetric_errors_are_not_taken_for_those_of_look_alikes(seed: int) -> None:
    scores, truth = pairs(1500, seed)
    labels = torch.from_numpy(symmetric(truth, 0.2, num_classes=10, seed=seed))
    found = weigh([scores], labels, torch.arange(1500) % 2 == 0)
    assert found.hardness == 1
    assert float(found.explanations.best.noise.rates.mean()) == pytest.approx(0.2, abs=0.04)


def crowds(of_each: int, seed: int, *, named: bool) -> tuple[list[Tensor], np.ndarray]:
    """What text and a learned expert say of forty classes in crowds of five, and the truth.

    The expert knows the crowd better than the class, and speaks of both as loudly.

    Args:
        of_each: Images of each class.
        seed: Of the draw.
        named: Whether the text knows the classes; else it guesses.
    """
    rng, classes = np.random.default_rng(seed), 40
    truth = np.repeat(np.arange(classes), of_each)
    shape, own = (len(truth), classes), np.eye(classes)[truth]
    crowd = np.arange(classes) // 5 == truth[:, None] // 5
    learned = 3 * own + 6 * crowd + 2 * rng.normal(size=shape) + 2 * crowd * rng.normal(size=shape)
    text = 2 * rng.normal(size=shape) + (8 if named else 0) * own
    return [torch.from_numpy(part).float() for part in (text, learned)], truth


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_what_an_expert_mixes_up_is_no_label_error_where_few_images_and_no_text_know_the_classes(rate: float) -> None:
    """Else 41 % of the labels of twenty photos of each of ninety kinds of cars are held for wrong, where 20 % are."""
    parts, truth = crowds(25, 0, named=False)
    labels = torch.from_numpy(symmetric(truth, rate, num_classes=40, seed=0))
    found = weigh(parts, labels, torch.arange(len(truth)) % 5)
    assert found.hardness == 1
    assert found.explanations.rate == pytest.approx(rate, abs=0.08)  # .53 and .55 if both are held to be alike


def test_look_alikes_are_told_by_text_that_knows_the_classes_or_by_many_images() -> None:
    for of_each, named, told in ((25, False, False), (25, True, True), (50, False, True)):
        parts, truth = crowds(of_each, 0, named=named)
        assert tells_look_alikes(parts[0].log_softmax(dim=1), torch.from_numpy(truth)) is told


def _sharp(classes: Tensor, count: int, share: float = 0.97) -> Tensor:
    """Return log-probabilities that give a class most of the probability."""
    probs = torch.full((len(classes), count), (1 - share) / (count - 1))
    return probs.scatter(1, classes[:, None], share).log()


def _mistaken(truth: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return classes of which a share is drawn at random."""
    anything = torch.randint(6, (len(truth),), generator=generator)
    return torch.where(torch.rand(len(truth), generator=generator) < share, anything, truth)


def test_labels_of_one_other_class_are_errors_though_what_learned_from_them_expects_them() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(6, (1200,), generator=generator)
    labels = torch.from_numpy(pair_flip(truth.numpy(), 0.4, num_classes=6, seed=0))
    text, seen = (_mistaken(truth, share, generator) for share in (0.03, 0.12))
    both = _sharp(seen, 6) + math.log(0.6), _sharp((seen + 1) % 6, 6) + math.log(0.4)
    fitted = fit_noise([_sharp(text, 6), torch.logaddexp(*both)], labels, torch.arange(1200) % 2 == 0)
    assert float(fitted.explanations.best.noise.rates.mean()) == pytest.approx(0.4, abs=0.04)
    assert fitted.explanations.best.noise.places is not None
    falls = fitted.explanations.best.noise.places[torch.arange(6), (torch.arange(6) + 1) % 6]
    assert float(falls.min()) > 0.8  # 80 of a class fall there, and ten are drawn to anywhere
