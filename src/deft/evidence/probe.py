"""A linear probe: what logistic regression on frozen features says of images that it wasn't trained on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
FOLDS = 5
ROUNDS = 300  # of the solver, at most
LEAST = 1e-9  # probability of any class


def probe(
    features: np.ndarray,
    labels: np.ndarray,
    keys: np.ndarray,
    *,
    classes: int,
    strengths: Sequence[float] = STRENGTHS,
    balanced: bool = False,
) -> np.ndarray:
    """Return out-of-fold probabilities of logistic regression on standardised features, (N, K).

    Five folds; the regularisation is that under which left-out labels, wrong ones included, are foretold most often.

    Args:
        features: Of the images, (N, P).
        labels: Given labels, (N,).
        keys: Numbers that say in which fold an image is, uint64 (N,); copies of an image have the same.
        classes: Number of classes K.
        strengths: Inverse strengths C of the regularisation that are tried.
        balanced: Whether rare classes count as much as common ones.

    Example:
        >>> features = np.array([[0.0], [0.1], [1.0], [1.1]] * 5)
        >>> labels, keys = np.array([0, 0, 1, 1] * 5), np.arange(20, dtype=np.uint64)
        >>> bool((probe(features, labels, keys, classes=2).argmax(axis=1) == labels).all())
        True
    """
    fold = (keys % np.uint64(FOLDS)).astype(np.int64)
    tried = [_foretold(features, labels, fold, classes, strength, balanced) for strength in strengths]
    return max(tried, key=lambda probs: float((probs.argmax(axis=1) == labels).mean()))


def _foretold(
    features: np.ndarray, labels: np.ndarray, fold: np.ndarray, classes: int, strength: float, balanced: bool
) -> np.ndarray:
    probs = np.full((len(labels), classes), LEAST)
    for number in range(FOLDS):
        seen, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not len(unseen):
            continue
        known = np.unique(labels[seen])
        if len(known) < 2:  # there is nothing to tell apart
            probs[np.ix_(unseen, known)] = 1.0
            continue
        weight = "balanced" if balanced else None
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=ROUNDS, class_weight=weight, tol=1e-3)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a probability don't matter
            warnings.filterwarnings("ignore", message="The number of unique classes")
            model.fit(features[seen], labels[seen])
        probs[np.ix_(unseen, model[-1].classes_)] += model.predict_proba(features[unseen])
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))
