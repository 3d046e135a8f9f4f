"""What must not depend on the number of threads, bit for bit, beside what torch gives for the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from deft.one_thread import one_thread, products, softmax


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _with_gradients(function: Callable[..., Tensor], inputs: list[Tensor], count: int) -> list[Tensor]:
    """Return what a function gives with some threads, and the gradients of a sum weighed at random."""
    torch.set_num_threads(count)
    inputs = [part.clone().requires_grad_(True) for part in inputs]
    output = function(*inputs)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    (output * weights).sum().backward()
    return [output.detach(), *[part.grad for part in inputs if part.grad is not None]]


SHAPES = st.tuples(st.integers(1, 700), st.integers(2, 130), st.sampled_from([8, 64, 256]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SHAPES, st.integers(0, 9))
def test_products_are_torchs_and_the_same_with_any_number_of_threads(shape: tuple[int, int, int], seed: int) -> None:
    count, classes, width = shape
    generator = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(part, width, generator=generator) for part in (count, classes)]
    first, *others = (_with_gradients(products, inputs, threads) for threads in (1, 2, 3))
    plain = _with_gradients(lambda features, texts: features @ texts.T, inputs, 1)
    for found, expected in zip(first, plain, strict=True):
        torch.testing.assert_close(found, expected)
    assert all(torch.equal(found, other[place]) for other in others for place, found in enumerate(first))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 600), st.integers(2, 60), st.integers(0, 9))
def test_the_softmax_is_torchs_and_the_same_with_any_number_of_threads(rows: int, length: int, seed: int) -> None:
    scores = torch.randn(2, 4, rows, length, generator=torch.Generator().manual_seed(seed))
    first, *others = (_with_gradients(softmax, [scores], threads) for threads in (1, 2, 3))
    plain = _with_gradients(lambda values: values.softmax(dim=-1), [scores], 1)
    for found, expected in zip(first, plain, strict=True):
        torch.testing.assert_close(found, expected)
    assert all(torch.equal(found, other[place]) for other in others for place, found in enumerate(first))


def test_the_number_of_threads_is_given_back_even_after_an_error() -> None:
    torch.set_num_threads(2)
    with one_thread(), one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with one_thread(where=False):
        assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 2
