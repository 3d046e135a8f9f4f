"""Gathers what a detector says batch by batch into one verdict per row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from deft.runs.detection import Verdicts
from deft.runs.disk_rows import DiskRows
from deft.training.batches import Batch
from deft.training.finite import check_numbers

MOST_SHARES = 1 << 26  # class probabilities that are kept of all images together: 128 MB
NO_BORDER = -1.0  # below every probability: nothing is flagged
TOP = 5  # classes that are kept of each image's prediction, never the whole N x K


class Collector:
    """Per-row results of a scoring pass; rows that never come stay NaN, −1 and False.

    Args:
        rows: Number of rows N of the data set.
        classes: Number of classes K.
    """

    def __init__(self, rows: int, classes: int) -> None:
        self._rows, self._classes = rows, classes
        self._top = min(TOP, classes)
        self._log_odds = np.full(rows, np.nan, np.float32)
        self._topk = np.full((rows, self._top), -1, np.int64)
        self._probs = np.full((rows, self._top), np.nan, np.float32)
        self._threshold = np.full(rows, np.nan, np.float32)
        self._margin = np.full(rows, np.nan, np.float32)
        self._features: DiskRows | None = None
        self._shares: DiskRows | None = None

    def keep(self, batch: Batch, features: Tensor, shares: Tensor, margin: Tensor | None = None) -> None:
        """Take in what explains the verdicts on a batch: it changes none of them.

        Args:
            batch: Whose rows they are.
            features: What the images are judged by, (B, P).
            shares: Class scores in which the given label doesn't count, as logits, (B, K).
            margin: s⁺ − s⁻ of the given label, (B,), where there are such prompts.
        """
        rows = batch.index.cpu().numpy()
        if self._features is None:
            self._features = DiskRows.reserve((self._rows, features.shape[1]))
            if self._rows * self._classes <= MOST_SHARES:
                self._shares = DiskRows.reserve((self._rows, self._classes))
        self._features.values[rows] = features.detach().float().cpu().numpy()
        if self._shares is not None:
            self._shares.values[rows] = torch.softmax(shares.detach().float(), dim=1).cpu().numpy()
        if margin is not None:
            self._margin[rows] = margin.detach().float().cpu().numpy()

    def add(self, batch: Batch, log_odds: Tensor, logits: Tensor, threshold: Tensor | None = None) -> None:
        """Take in a batch.

        Args:
            batch: The batch that was scored.
            log_odds: That the given label is right, positive for clean, (B,).
            logits: Class scores, (B, K).
            threshold: Similarity that the given label's own has to pass, (B,).

        Raises:
            NotFinite: A score is no number.
        """
        rows = batch.index.cpu().numpy()
        probs, topk = torch.softmax(logits.float(), dim=1).topk(self._top, dim=1)
        # Log-odds may be infinite: then the probability is 0 or 1.
        shares = torch.cat([probs, log_odds.float().sigmoid().unsqueeze(1)], dim=1)
        check_numbers(shares, rows, "The scores of the model")
        self._log_odds[rows] = log_odds.float().cpu().numpy()
        self._topk[rows] = topk.cpu().numpy()
        self._probs[rows] = probs.cpu().numpy()
        if threshold is not None:
            self._threshold[rows] = threshold.float().cpu().numpy()

    @property
    def log_odds(self) -> np.ndarray:
        """Log-odds that each row's label is right, (N,), NaN where no batch held the row."""
        return self._log_odds

    def verdicts(self, shift: float = 0.0) -> Verdicts:
        """Return one verdict per row.

        Args:
            shift: Added to all log-odds, for detectors that find their border only once all are known.
        """
        odds = self._log_odds + np.float32(shift)
        with np.errstate(over="ignore"):
            p_clean = (1 / (1 + np.exp(-odds))).astype(np.float32)
        return Verdicts(
            p_clean=p_clean,
            is_clean=np.nan_to_num(odds, nan=-1.0) > 0,
            predicted=self._topk[:, 0].copy(),
            topk=self._topk,
            topk_probs=self._probs,
            noise_threshold=None if np.isnan(self._threshold).all() else self._threshold,
            prompt_margin=None if np.isnan(self._margin).all() else self._margin,
            features=self._features,
            probabilities=self._shares,
        )


def score_of(scores: Tensor, classes: Tensor) -> Tensor:
    """Return the score of one class per sample, (B,), from scores (B, K) and classes (B,)."""
    return scores.gather(1, classes.unsqueeze(1)).squeeze(1)


def margin(scores: Tensor, classes: Tensor) -> Tensor:
    """Return by how much one class's score exceeds the best other score, (B,), from (B, K) and (B,)."""
    rivals = scores.scatter(1, classes.unsqueeze(1), float("-inf")).amax(dim=1)
    return score_of(scores, classes) - rivals


def odds_of(joint: Tensor, labels: Tensor, none: Tensor) -> Tensor:
    """Return the log-odds that each label is right, against another class or none of them, (N,).

    Args:
        joint: log P(class, label | image), (N, K).
        labels: Given labels, (N,).
        none: P(none of the classes), (N,).
    """
    own = joint.gather(1, labels[:, None]).squeeze(1)
    others = joint.scatter(1, labels[:, None], -torch.inf).logsumexp(dim=1)
    return own - torch.logaddexp(others, joint.logsumexp(dim=1) + torch.logit(none.clamp(1e-12, 1 - 1e-6)))


def suggesting(verdicts: Verdicts, given: np.ndarray, border: float, none: np.ndarray) -> Verdicts:
    """Return verdicts by a border, and what they suggest: the best other class for a flagged label, or none.

    The best other class is suggested even where the label is still the likeliest; where the image shows none of the
    classes it is the label itself, which stands for no suggestion everywhere in deft.

    Args:
        verdicts: Scores and likely classes, (N,); scores that aren't numbers are of rows that weren't judged.
        given: Given labels, (N,).
        border: Probability of being right at or below which a label is flagged.
        none: P(none of the classes), (N,).
    """
    judged = np.isfinite(verdicts.p_clean)
    clean = judged & (np.nan_to_num(verdicts.p_clean, nan=NO_BORDER) > border)
    again = ~clean & judged & (verdicts.predicted == given)
    predicted = np.where(again, verdicts.topk[:, 1], verdicts.predicted)
    predicted = np.where(~clean & (np.nan_to_num(none) > 0.5), given, predicted)
    return replace(verdicts, is_clean=clean, predicted=predicted, p_none=none)
