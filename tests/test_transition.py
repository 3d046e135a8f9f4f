"""How true classes turn into labels: recovered where it is known, and used by Bayes' rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deft.errors import DataError
from deft.transition import NoiseTransition, best_threshold, estimate_transition

PAIRED = [[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.05, 0.05, 0.9]]


def world(
    matrix: list[list[float]], images: int, inverse_temperature: float = 1.0, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores whose softmax, at a sharpness, is each image's true chance of every class; true classes; labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (images, len(matrix)))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    true = _draw(chances, rng)
    labels = _draw(np.array(matrix)[true], rng)
    return torch.from_numpy(logits / inverse_temperature), torch.from_numpy(true), torch.from_numpy(labels)


def _draw(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column of each row, by its chances."""
    drawn = rng.random((len(chances), 1)) * chances.sum(axis=1, keepdims=True)
    columns: np.ndarray = (chances.cumsum(axis=1) >= drawn).argmax(axis=1)
    return columns


def test_the_matrix_and_the_sharpness_that_made_the_labels_are_found() -> None:
    scores, _, labels = world(PAIRED, 20_000, inverse_temperature=0.4)
    found = estimate_transition(scores, labels)
    assert torch.allclose(found.matrix, torch.tensor(PAIRED, dtype=torch.float64), atol=0.02)
    assert found.inverse_temperature == pytest.approx(0.4, rel=0.06)


def test_the_posterior_is_calibrated() -> None:
    scores, true, labels = world(PAIRED, 20_000)
    right = estimate_transition(scores, labels).posterior(scores, labels).gather(1, labels.unsqueeze(1)).squeeze(1)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        among = (right >= low) & (right < low + 0.2)
        assert float((true == labels)[among].double().mean()) == pytest.approx(float(right[among].mean()), abs=0.04)


def test_the_posterior_is_bayes_rule() -> None:
    # exp(scores) are chances of 0.6 and 0.4; the label is the second: 0.6 * 0.25 against 0.4 * 0.9.
    transition = NoiseTransition(torch.tensor([[0.75, 0.25], [0.1, 0.9]], dtype=torch.float64), 2.0)
    scores = torch.tensor([[0.6, 0.4]], dtype=torch.float64).log() / 2
    assert transition.posterior(scores, torch.tensor([1]))[0].tolist() == pytest.approx([0.15 / 0.51, 0.36 / 0.51])


def test_clean_labels_are_hardly_blamed() -> None:
    scores, true, _ = world(np.eye(3).tolist(), 2000)
    found = estimate_transition(scores, true)
    assert float(found.matrix.diagonal().min()) > 0.97
    wrong = found.posterior(scores, true).argmax(dim=1) != true
    assert float(wrong.double().mean()) < 0.01


def test_a_class_without_images_gets_the_common_rate() -> None:
    scores, _, labels = world([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], 3000)
    none = torch.full((3000, 1), -40.0, dtype=torch.float64)
    found = estimate_transition(torch.cat([scores, none], dim=1), labels)
    common = 1 - float(found.matrix[:3].diagonal().mean())
    assert 1 - float(found.matrix[3, 3]) == pytest.approx(common, abs=0.03)
    assert found.matrix[3, :3].tolist() == pytest.approx([common / 3] * 3, abs=0.02)


def test_more_classes_than_candidates() -> None:
    matrix = np.full((60, 60), 0.3 / 59)
    np.fill_diagonal(matrix, 0.7)
    scores, _, labels = world(matrix.tolist(), 6000)
    found = estimate_transition(2 * scores, labels)
    assert float(1 - found.matrix.diagonal().mean()) == pytest.approx(0.3, abs=0.03)
    assert found.inverse_temperature == pytest.approx(0.5, rel=0.1)


def test_few_images_of_many_classes_do_not_make_the_scores_too_sharp() -> None:
    # 40 images a class and free confusions: sharper scores and more of these explain the labels seen ever better.
    matrix = 0.7 * np.eye(50) + 0.3 * np.roll(np.eye(50), 1, axis=1)
    scores, true, labels = world(matrix.tolist(), 2000)
    found = estimate_transition(scores, labels)
    assert found.inverse_temperature == pytest.approx(1, abs=0.2)
    assert float(found.matrix.diagonal().mean()) == pytest.approx(0.7, abs=0.08)
    flagged = found.log_odds(found.log_joint(scores, labels), labels) < 0
    assert float((flagged == (labels != true)).double().mean()) > 0.85


@pytest.mark.parametrize("images", [0, 1])
def test_too_few_images_give_a_matrix_that_can_be_used(images: int) -> None:
    found = estimate_transition(torch.zeros(images, 3), torch.zeros(images, dtype=torch.int64))
    assert found.inverse_temperature == 1
    assert torch.allclose(found.matrix.diagonal(), torch.full((3,), 0.8, dtype=torch.float64))


def test_the_border_moves_the_log_odds_of_the_posterior() -> None:
    scores, _, labels = world(PAIRED, 300)
    found = estimate_transition(scores, labels)
    wrong = 1 - found.posterior(scores, labels).gather(1, labels.unsqueeze(1)).squeeze(1)
    odds = found.log_odds(found.log_joint(scores, labels), labels)
    assert 1 / 3 <= found.threshold <= 0.5
    assert ((odds < 0) == (wrong > found.threshold)).all()
    moved = ((1 - wrong) / wrong).log() - math.log((1 - found.threshold) / found.threshold)
    assert torch.allclose(odds, moved, atol=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_no_other_border_has_a_better_expected_f1(chances: list[float]) -> None:
    wrong = torch.tensor(chances, dtype=torch.float64)
    threshold = best_threshold(wrong)

    def expected(flagged: Tensor) -> float:
        return float(2 * wrong[flagged].sum() / (flagged.sum() + wrong.sum()).clamp(min=1e-300))

    if 1 / 3 < threshold < 0.5:
        assert expected(wrong >= threshold) >= max(expected(wrong >= other) for other in wrong) - 1e-12
    assert 1 / 3 <= threshold <= 0.5


@pytest.mark.parametrize("size", [1e-6, 1e4])
@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
def test_scores_of_any_size_and_labels_of_any_width(size: float, kind: torch.dtype) -> None:
    scores = size * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    found = estimate_transition(scores, scores.argmax(dim=1).to(kind))
    assert torch.isfinite(found.matrix).all()
    other = scores.argmin(dim=1)
    assert torch.isfinite(found.log_odds(found.log_joint(scores, other), other)).all()


def test_labels_and_scores_that_mean_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="between 0 and 2"):
        estimate_transition(torch.zeros(2, 3), torch.tensor([0, -1]))
    with pytest.raises(DataError, match="not finite"):
        estimate_transition(torch.full((2, 3), float("nan")), torch.tensor([0, 1]))


@pytest.mark.parametrize(("shape", "labels"), [((4, 1), 4), ((4, 3), 5), ((4,), 4)])
def test_scores_that_do_not_fit_are_refused(shape: tuple[int, ...], labels: int) -> None:
    with pytest.raises(DataError, match="don't fit"):
        estimate_transition(torch.zeros(shape), torch.zeros(labels, dtype=torch.int64))


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 1000))
def test_rows_sum_to_one_and_names_do_not_matter(classes: int, images: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(images, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (images,), generator=generator)
    order = torch.randperm(classes, generator=generator)
    found = estimate_transition(scores, labels)
    again = estimate_transition(scores[:, order], order.argsort()[labels])
    assert torch.allclose(found.matrix.sum(dim=1), torch.ones(classes, dtype=torch.float64))
    assert (found.matrix > 0).all()
    assert torch.allclose(found.matrix[order][:, order], again.matrix, atol=1e-3)
