"""Several explanations of the labels: what follows from them is the mean over all."""

from __future__ import annotations

import pytest
import torch

from deft.evidence.experts import mixed
from deft.evidence.explanations import Explanation, Explanations
from deft.evidence.label_noise import LabelNoise

EVEN = Explanation(0.75, torch.tensor([0.5, 0.1]), LabelNoise.even(3, 0.2))
PAIRS = Explanation(
    0.25,
    torch.tensor([1.0, 0.2]),
    LabelNoise(torch.tensor([0.1, 0.3, 0.3]), torch.roll(torch.eye(3), 1, dims=1) * 0.8 + 0.1 * (1 - torch.eye(3))),
)


@pytest.fixture(name="experts")
def two_experts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(40, 3, generator=generator).log_softmax(dim=1) for _ in range(2)]


LABELS = torch.arange(40) % 3


def test_one_explanation_gives_the_product_of_the_experts_and_its_noise(experts: list[torch.Tensor]) -> None:
    one = Explanations.only(EVEN.weights, EVEN.noise)
    assert torch.equal(one.believe(experts, LABELS).log_probs, mixed(experts, EVEN.weights))
    assert torch.equal(
        one.believe(experts, LABELS).joint, mixed(experts, EVEN.weights) + EVEN.noise.log_chances(LABELS)
    )


def test_what_a_label_says_of_the_class_is_the_mean_of_what_it_says_under_each(experts: list[torch.Tensor]) -> None:
    both = Explanations((EVEN, PAIRS))
    alone = [Explanations.only(one.weights, one.noise).believe(experts, LABELS).joint for one in both.each]
    posterior = sum(one.chance * joint.softmax(dim=1) for one, joint in zip(both.each, alone, strict=True))
    likelihood = sum(one.chance * joint.exp().sum(dim=1) for one, joint in zip(both.each, alone, strict=True))
    joint = both.believe(experts, LABELS).joint
    assert torch.allclose(joint.softmax(dim=1), torch.as_tensor(posterior), atol=1e-6)
    assert torch.allclose(joint.exp().sum(dim=1), torch.as_tensor(likelihood), atol=1e-6)
    apart = sum(one.chance * mixed(experts, one.weights).exp() for one in both.each)
    assert torch.allclose(both.believe(experts, LABELS).log_probs.exp(), torch.as_tensor(apart), atol=1e-6)
    assert both.rate == pytest.approx(0.75 * 0.2 + 0.25 * 0.7 / 3)
    assert torch.allclose(both.weights, torch.tensor([0.625, 0.125]))


def test_all_of_it_comes_back_from_a_file() -> None:
    both = Explanations((EVEN, PAIRS))
    back = Explanations.from_tensors(both.tensors())
    assert [one.chance for one in back.each] == [0.75, 0.25]
    assert back.each[0].noise.places is None
    assert back.each[1].noise.places is not None
    assert torch.equal(back.each[1].noise.places, PAIRS.noise.places)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no explanation"):
        Explanations.from_tensors({name: torch.zeros(0, 3) for name in ("chances", "weights", "rates")})
