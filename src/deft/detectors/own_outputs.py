"""Detectors without an encoder: they judge labels by probabilities or embeddings of anybody's own model.

Shapes: N images, n of them usable, K classes, P width of the embeddings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deft.arguments import checked
from deft.data.identify import identify
from deft.data.images import NO_LABEL, LabeledImages
from deft.detectors.collector import NO_BORDER, Collector, odds_of, suggesting
from deft.detectors.own_duplicates import duplicates_by_features, kinds_by_features
from deft.errors import DataError
from deft.evidence.discriminant import SHRINKAGES, Discriminant
from deft.evidence.experts import even_likelihood
from deft.evidence.folds import content_keys, parts
from deft.evidence.foreign import Foreign, looks
from deft.evidence.neighbours import Neighbours
from deft.evidence.weighing import weigh
from deft.runs.detection import Detection, Verdicts
from deft.runs.judged import new_detection
from deft.runs.provenance import Stopwatch
from deft.training.batches import Batch
from deft.training.once import once_a_label
from deft.training.workspace import Workspace
from deft.transition import best_threshold

OFF = 0.1  # by how much an estimated rate may be off for other reasons than chance
MOST_REFERENCES = 20_000  # labelled images that others are compared with
SUMS_TO = 0.01  # by how much a row of probabilities may miss one


@dataclass(frozen=True)
class Said:
    """What an own model says of the usable images.

    Args:
        experts: Log-probabilities up to a constant of each image, its own label left out, (n, K) each.
        features: By which images are compared with each other, (n, P).
        unusual: How unusual each image looks, (n,); None where that can't be told.
        groups: Number of each image's group of duplicates, (N,), −1 for none; None where nobody looked for them.
    """

    experts: Sequence[Tensor]
    features: Tensor
    unusual: Tensor | None = None
    groups: np.ndarray | None = None


class OwnOutputs(ABC):
    """Judges labels by what somebody's own model says of the images, in their order; no encoder is needed.

    Attributes:
        name: What a run calls it.
    """

    name: ClassVar[str]

    @checked
    def detect(self, images: LabeledImages, *, workspace: Workspace | None = None) -> Detection:
        """Judge the label of every image.

        How labels go wrong is learned as by DeFT's default: weights and noise are those under which the given labels
        are most likely, and a label is flagged where that raises the expected F1.

        Args:
            images: Labelled images, N of them, in the order of the rows that were given. They are read only to tell
                them apart; those are decoded whose embeddings say that two of them may be one picture.
            workspace: Keeps notes of which file holds what.

        Returns:
            One verdict per image, in order; images without a label carry that as their reason.

        Raises:
            DataError: The rows or columns don't fit the images, or a value isn't what it should be.
        """
        watch, space = Stopwatch(), workspace or Workspace()
        known = identify(images, space.folder, progress=space.progress)
        rows = np.array([row for row in range(len(known)) if row not in known.read_errors], np.int64)
        if not len(rows):
            raise DataError(f"None of the {len(known)} images has a label and can be read.")
        keys = content_keys([known.content_id[row] for row in rows.tolist()])
        labels = torch.from_numpy(known.labels[rows])
        said = self._say(known, rows, labels, keys)
        verdicts, told = _judged(said, known, rows, keys)
        return new_detection(
            known,
            verdicts,
            read_errors={row: _reason(known, row) for row in known.read_errors},
            settings={"detector": self.name},
            info={**watch.info(known, "cpu"), "evidence": told},
            duplicate_group=said.groups,
            duplicate_kind=None if said.groups is None else kinds_by_features(known, said.groups),
        )

    @abstractmethod
    def _say(self, images: LabeledImages, rows: np.ndarray, labels: Tensor, keys: np.ndarray) -> Said:
        """Return what the own model says.

        Args:
            images: All of them, N.
            rows: The usable ones, (n,).
            labels: Their given labels, (n,).
            keys: Numbers that depend on their content alone, (n,).
        """


@final
@dataclass(frozen=True, eq=False)
class FromProbabilities(OwnOutputs):
    """Finds wrong labels by class probabilities of any model; they must be out of sample.

    A model that has learned a label agrees with it: give probabilities of cross-validation, or of a model that never
    saw these labels.

    Args:
        probabilities: P(class | image), (N, K): rows in the order of the images, columns in that of their classes.

    Example:
        >>> found = FromProbabilities(probs).detect(images)  # doctest: +SKIP
        >>> found.suspects()  # doctest: +SKIP
    """

    name: ClassVar[str] = "from-probabilities"

    probabilities: npt.ArrayLike

    def __repr__(self) -> str:
        return f"FromProbabilities({'×'.join(map(str, np.shape(self.probabilities)))})"

    def _say(self, images: LabeledImages, rows: np.ndarray, labels: Tensor, keys: np.ndarray) -> Said:
        values = _matrix(self.probabilities, "probabilities", len(images))[rows]
        if values.shape[1] != len(images.classes):
            named = ", ".join(images.classes[:10]) + (", ..." if len(images.classes) > 10 else "")
            raise DataError(
                f"probabilities has {values.shape[1]} columns for {len(images.classes)} classes ({named}); there must "
                "be one for each, in the order of images.classes."
            )
        sums = values.sum(axis=1)
        wrong = np.flatnonzero((np.abs(sums - 1) > SUMS_TO) | (values < 0).any(axis=1))
        if len(wrong):
            raise DataError(
                f"Row {rows[wrong[0]]} of probabilities sums to {sums[wrong[0]]:.3g}, and its smallest value is "
                f"{values[wrong[0]].min():.3g}; probabilities lie in 0 to 1 and sum to 1 (take the softmax of logits)."
            )
        logs = torch.from_numpy(np.log(np.maximum(values, 1e-9)).astype(np.float32))
        return Said([logs], logs)


@final
@dataclass(frozen=True, eq=False)
class FromEmbeddings(OwnOutputs):
    """Finds wrong labels by embeddings of any model: a discriminant and the nearest neighbours of each image.

    Both leave each image's own label out, so the embeddings may come from any model that wasn't trained on these
    labels: DINO, a CLIP, a classifier of other data.

    Args:
        features: Embeddings, (N, P): rows in the order of the images.

    Example:
        >>> found = FromEmbeddings(features).detect(images)  # doctest: +SKIP
        >>> found.reasons.of(0).sentence  # doctest: +SKIP
    """

    name: ClassVar[str] = "from-embeddings"

    features: npt.ArrayLike

    def __repr__(self) -> str:
        return f"FromEmbeddings({'×'.join(map(str, np.shape(self.features)))})"

    def _say(self, images: LabeledImages, rows: np.ndarray, labels: Tensor, keys: np.ndarray) -> Said:
        known = _matrix(self.features, "features", len(images)).astype(np.float32, copy=False)
        groups = duplicates_by_features(images, rows, keys, known)
        order = np.argsort(keys, kind="stable")
        once = order[once_a_label(groups[rows[order]], labels.numpy()[order])][:MOST_REFERENCES]
        values, chosen = torch.from_numpy(known[rows]), torch.from_numpy(once)
        classes = len(images.classes)
        near = Neighbours.fit(values[chosen], labels[chosen], classes=classes)
        shares, copies = near.compare(values, labels, _kin(groups[rows], labels.numpy(), once))
        own = (values[chosen], labels[chosen])
        fitted = [Discriminant.fit(*own, classes=classes, shrinkage=shrinkage) for shrinkage in SHRINKAGES]
        scores = [one.scores(values, labels, copies) for one in fitted]
        best = max(range(len(scores)), key=lambda place: even_likelihood(scores[place], labels))
        return Said([scores[best], shares], values, fitted[best].unusualness(values), groups)


def _kin(groups: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> dict[int, Tensor]:
    """Return the references that show the same picture as an image under the same label, by its place.

    Args:
        groups: Number of each image's group, (n,), −1 for none.
        labels: Given labels, (n,).
        chosen: Images that are references, (R,), one of each label in a group.
    """
    reference = {
        (int(groups[row]), int(labels[row])): place for place, row in enumerate(chosen.tolist()) if groups[row] >= 0
    }
    own = {row: (int(groups[row]), int(labels[row])) for row in np.flatnonzero(groups >= 0).tolist()}
    return {row: torch.tensor([reference[key]]) for row, key in own.items() if key in reference}


def _judged(said: Said, images: LabeledImages, rows: np.ndarray, keys: np.ndarray) -> tuple[Verdicts, dict[str, Any]]:
    """Return verdicts on all images, and what a summary says of how they came about."""
    labels, classes = torch.from_numpy(images.labels[rows]), len(images.classes)
    experts = [expert.log_softmax(dim=1) for expert in said.experts]
    open_ = torch.from_numpy(~images.trusted[rows])
    fair = open_ if bool(open_.any()) else torch.ones_like(open_)
    found = weigh([expert[fair] for expert in experts], labels[fair], torch.from_numpy(parts(keys[fair.numpy()])))
    probs, joint = found.explanations.believe(experts, labels)
    likelihood = joint.logsumexp(dim=1)
    none = torch.zeros_like(likelihood)
    if said.unusual is not None:
        seen = looks(said.unusual, probs)
        none = Foreign.learn(seen, likelihood, classes).probability(seen, likelihood)
    odds = odds_of(joint, labels, none)
    collector = Collector(len(images), classes)
    batch = Batch(said.features, labels, torch.from_numpy(rows))
    collector.add(batch, odds, joint)
    collector.keep(batch, said.features, probs)
    wrong = 1 - odds.sigmoid()
    border = 1 - best_threshold(wrong) if found.judges else NO_BORDER
    p_none = np.full(len(images), np.nan, np.float32)
    p_none[rows] = none.numpy()
    return suggesting(collector.verdicts(), images.labels, border, p_none), _told(
        wrong.masked_fill(~open_, 0), found.judges
    )


def _told(wrong: Tensor, judges: bool) -> dict[str, Any]:
    """Return what a summary says, given the probability that each label is wrong, 0 where a person confirmed it."""
    rate = float(wrong.mean())
    chance = 1.96 * float((wrong * (1 - wrong)).sum().sqrt()) / len(wrong) + 0.5 / len(wrong)
    sentence = (
        "Judged by the outputs of your own model, under the noise that makes the given labels most likely."
        if judges
        else "These outputs foretell held-out labels no better than chance, so no label was flagged."
    )
    return {
        "judges": judges,
        "sentence": sentence,
        "noise_rate": rate if judges else None,
        "noise_rate_interval": [max(rate * (1 - OFF) - chance, 0.0), min(rate * (1 + OFF) + chance, 1.0)],
    }


def _matrix(values: npt.ArrayLike, what: str, rows: int) -> np.ndarray:
    """Return finite numbers in two dimensions with a row for each image."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    try:
        matrix = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers in rows of the same length: {error}.") from error
    if matrix.ndim != 2 or len(matrix) != rows:
        raise DataError(f"{what} has shape {matrix.shape}; expected one row for each of the {rows} images.")
    if not np.isfinite(matrix).all():
        raise DataError(
            f"Row {int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])} of {what} holds NaN or infinity."
        )
    return matrix


def _reason(images: LabeledImages, row: int) -> str:
    reason = images.read_errors[row]
    return reason if reason != NO_LABEL else f"{images.file_name[row]}: {reason}"
