"""Noise is what was asked for: its rate, its kind, its seed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from deft import noise
from deft.errors import DataError, SettingsError
from deft.noise import Labels

Maker = Callable[[Labels, float, int, int], Labels]


def _features(labels: Labels) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(len(labels), 12)) * 80 + 100


MAKERS: dict[str, Maker] = {
    "symmetric": lambda labels, rate, c, seed: noise.symmetric(labels, rate, num_classes=c, seed=seed),
    "pair_flip": lambda labels, rate, c, seed: noise.pair_flip(labels, rate, num_classes=c, seed=seed),
    "asymmetric": lambda labels, rate, c, seed: noise.asymmetric(
        labels, rate, class_map={k: (k + 1) % c for k in range(c)}, num_classes=c, seed=seed
    ),
    "instance_dependent": lambda labels, rate, c, seed: noise.instance_dependent(
        _features(labels), labels, rate, num_classes=c, seed=seed
    ),
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@st.composite
def cases(draw: st.DrawFn) -> tuple[Labels, float, int, int]:
    num_classes = draw(st.integers(2, 7))
    labels = draw(st.lists(st.integers(-1, num_classes - 1), max_size=60))
    return (
        np.array(labels, dtype=np.int64),
        draw(st.floats(0, 1)),
        num_classes,
        draw(st.integers(0, 2**32 - 1)),
    )


@makers
@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_exactly_the_asked_share_of_the_readable_labels_differs(
    make: Maker, case: tuple[Labels, float, int, int]
) -> None:
    labels, rate, num_classes, seed = case
    before = labels.copy()
    noisy = make(labels, rate, num_classes, seed)
    assert noisy.dtype == np.int64
    assert noisy.shape == labels.shape
    assert (noisy != labels).sum() == round(rate * (labels >= 0).sum())
    assert (noisy[labels < 0] == labels[labels < 0]).all()
    assert (noisy[labels >= 0] >= 0).all()
    assert (noisy < num_classes).all()
    np.testing.assert_array_equal(labels, before)


@makers
def test_the_seed_decides_and_the_global_generator_is_not_touched(make: Maker) -> None:
    labels = np.arange(500) % 5
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched here
    state = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    first, again, other = (make(labels, 0.3, 5, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


@makers
@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(make: Maker, rate: float) -> None:
    with pytest.raises(SettingsError, match="noise rate"):
        make(np.array([0, 1]), rate, 2, 0)


@makers
def test_one_class_is_refused(make: Maker) -> None:
    with pytest.raises(SettingsError, match="two classes"):
        make(np.array([0, 0]), 0.5, 1, 0)


@makers
@pytest.mark.parametrize("labels", [np.array([0, 5]), np.array([0.5, 1.0]), np.array([[0, 1]])])
def test_labels_that_are_no_row_of_classes_are_refused(make: Maker, labels: Labels) -> None:
    with pytest.raises(DataError):
        make(labels, 0.5, 3, 0)


def test_symmetric_noise_reaches_every_other_class_about_equally() -> None:
    labels = np.full(9000, 2)
    counts = np.bincount(noise.symmetric(labels, 1.0, num_classes=4, seed=0), minlength=4)
    assert counts[2] == 0
    assert (np.abs(counts[[0, 1, 3]] - 3000) < 200).all()


def test_the_authors_symmetric_noise_keeps_one_in_c_of_the_replaced_labels() -> None:
    labels = np.arange(40_000) % 4
    noisy = noise.symmetric(labels, 0.4, num_classes=4, seed=0, include_self=True)
    assert (noisy != labels).mean() == pytest.approx(0.4 * (1 - 1 / 4), abs=0.01)


def test_pair_flip_goes_to_the_next_class_and_round() -> None:
    noisy = noise.pair_flip(np.array([0, 1, 2]), 1.0, num_classes=3, seed=0)
    np.testing.assert_array_equal(noisy, [1, 2, 0])


def test_asymmetric_noise_touches_only_the_classes_of_its_map() -> None:
    labels = np.repeat(np.arange(4), 100)
    noisy = noise.asymmetric(labels, 0.4, class_map={1: 3, 2: 0}, num_classes=4, seed=0)
    assert (noisy[labels == 0] == 0).all()
    assert (noisy[labels == 3] == 3).all()
    assert set(noisy[labels == 1]) == {1, 3}
    assert (noisy != labels).sum() == 80


@pytest.mark.parametrize("class_map", [{}, {0: 0}, {0: 9}, {-1: 1}])
def test_a_map_that_makes_no_noise_is_refused(class_map: dict[int, int]) -> None:
    with pytest.raises(SettingsError, match=r"map"):
        noise.asymmetric(np.array([0, 1]), 0.4, class_map=class_map, num_classes=3, seed=0)


def test_instance_dependent_noise_depends_on_the_features_and_is_not_one_hot() -> None:
    """Equal features share the distribution of their wrong class, and it has more than one class."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.integers(0, 256, size=(2, 30)), 2000, axis=0)
    labels = np.zeros(4000, dtype=np.int64)
    noisy = noise.instance_dependent(features, labels, 1.0, num_classes=6, seed=1)
    shares = [np.bincount(part, minlength=6) / 2000 for part in (noisy[:2000], noisy[2000:])]
    assert max(share.max() for share in shares) < 0.9
    assert np.abs(shares[0] - shares[1]).sum() > 0.2


def test_instance_dependent_noise_bears_constant_columns_pictures_and_unreadable_rows() -> None:
    features = np.zeros((10, 3, 4, 4), dtype=np.uint8)
    labels = np.array([0, 1] * 4 + [-1, -1])
    noisy = noise.instance_dependent(features, labels, 0.5, num_classes=2, seed=0)
    assert (noisy != labels).sum() == 4


@pytest.mark.parametrize(
    ("features", "std", "error"),
    [
        (np.zeros((3, 2)), 0.1, DataError),
        (np.zeros(4), 0.1, DataError),
        (np.full((4, 2), np.nan), 0.1, DataError),
        (np.zeros((4, 2)), 0.0, SettingsError),
    ],
)
def test_features_or_a_spread_that_make_no_sense_are_refused(
    features: np.ndarray, std: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        noise.instance_dependent(features, np.array([0, 1, 0, 1]), 0.5, num_classes=2, seed=0, std=std)


def test_raw_pixels_name_one_wrong_class_for_nearly_all_images_of_a_class() -> None:
    """The paper's generator: of handwritten digits in 0..255, too, most wrong labels of a class are the same."""
    digits = load_digits()
    pixels, truth = digits.images * 15.9375, digits.target.astype(np.int64)

    def largest(scale: Literal["standardised", "raw"]) -> float:
        given = noise.instance_dependent(pixels, truth, 0.4, num_classes=10, seed=0, scale=scale)
        assert (given != truth).mean() == pytest.approx(0.4, abs=1e-3)
        shares = [np.bincount(given[(truth == k) & (given != k)], minlength=10) for k in range(10)]
        return float(np.mean([counts.max() / counts.sum() for counts in shares]))

    assert largest("raw") > 0.5
    assert largest("standardised") < 0.3


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(SettingsError, match="'standardised' or 'raw'"):
        noise.instance_dependent(
            np.ones((4, 2)),
            [0, 1, 0, 1],
            0.5,
            num_classes=2,
            seed=0,
            scale="odd",  # type: ignore[arg-type]
        )
