"""What people use today, on the same embeddings: cleanlab's confident learning and a nearest-neighbour vote."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deft.data.images import LabeledImages
from deft.encoders.base import DualEncoder
from deft.runs.detection import Verdicts
from deft.training.inputs import Reading, open_inputs
from deft.training.workspace import Workspace
from deft.tuning import Frozen
from deft.tuning.parts import frozen_part

NEIGHBOURS = 10
STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # of the regression, tried by accuracy on the noisy labels


def embed(encoder: DualEncoder, images: LabeledImages) -> np.ndarray:
    """Unit features of all images, (N, D)."""
    with open_inputs(frozen_part(encoder, Frozen()), images, Workspace(), Reading()) as inputs:
        return torch.cat([batch.inputs.cpu() for batch in inputs.batches.ordered()]).numpy()


def out_of_sample(features: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities (N, K) of five-fold logistic regression on standardised features."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    best, best_accuracy = None, -1.0
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        probs = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
        accuracy = float((probs.argmax(axis=1) == labels).mean())
        if accuracy > best_accuracy:
            best, best_accuracy = probs, accuracy
    assert best is not None
    return np.asarray(best)


def cleanlab(encoder: DualEncoder, images: LabeledImages, seed: int) -> Verdicts:
    """Confident learning (Northcutt et al. 2021), cleanlab's default rule, on out-of-sample probabilities."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    probs = out_of_sample(embed(encoder, images), images.labels, seed)
    issue = find_label_issues(images.labels, probs, n_jobs=1)
    return _verdicts(probs, ~issue, get_label_quality_scores(images.labels, probs))


def disagreement(encoder: DualEncoder, images: LabeledImages, seed: int) -> Verdicts:
    """The same probabilities with the simplest rule: the most probable class is not the given one."""
    probs = out_of_sample(embed(encoder, images), images.labels, seed)
    return _verdicts(probs, probs.argmax(axis=1) == images.labels, probs[np.arange(len(probs)), images.labels])


def neighbours(encoder: DualEncoder, images: LabeledImages, seed: int) -> Verdicts:
    """Vote of the ten nearest images by cosine similarity."""
    features = torch.from_numpy(embed(encoder, images))
    labels = torch.from_numpy(images.labels)
    votes = torch.zeros(len(features), len(images.classes))
    for start in range(0, len(features), 1000):
        positive_sim = features[start : start + 1000] @ features.T
        rows = torch.arange(len(positive_sim))
        positive_sim[rows, rows + start] = -2  # an image is no neighbour of itself
        near = positive_sim.topk(NEIGHBOURS, dim=1).indices
        votes[start : start + 1000].scatter_add_(1, labels[near], torch.ones_like(near, dtype=torch.float32))
    probs = (votes / NEIGHBOURS).numpy()
    return _verdicts(probs, probs.argmax(axis=1) == images.labels, probs[np.arange(len(probs)), images.labels])


def _verdicts(probs: np.ndarray, clean: np.ndarray, score: np.ndarray) -> Verdicts:
    order = np.argsort(-probs, axis=1)[:, :5]
    return Verdicts(
        p_clean=score.astype(np.float32),
        is_clean=clean,
        predicted=order[:, 0],
        topk=order,
        topk_probs=np.take_along_axis(probs, order, axis=1).astype(np.float32),
    )
