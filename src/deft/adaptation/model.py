"""`AdaptedModel`: a trained classifier with its classes and the record of its training.

Shapes: N images, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from deft.adaptation.model_card import model_card
from deft.adaptation.predictors import CONFIG, Predictor, load_predictor
from deft.arguments import checked
from deft.data.given import check_images
from deft.data.image_notes import CUT_OFF, count_notes
from deft.data.images import LabeledImages
from deft.data.pixel_rule import PixelRule
from deft.errors import DataError, ModelError
from deft.files import fill_folder, parse_json, readable_json
from deft.manifest import check_folder, seal
from deft.metrics import accuracy
from deft.progress import Progress, Silent
from deft.training.finite import check_numbers
from deft.training.inputs import FrozenPart, Inputs, Reading, open_inputs
from deft.training.workspace import Workspace
from deft.wording import counted, noun

CARD, TRAINING_RECORD = "README.md", "training.json"


@dataclass(frozen=True)
class Evaluation:
    """How well a model names images whose labels are known.

    Args:
        accuracy: Share of the images that are named right.
        images: How many were looked at.
        per_class: One row per class: `class`, `images`, `recall`, `precision`; NaN where there is nothing to divide by.
        confusion: Images by label (rows) and prediction (columns).
        unreadable: How many could not be read, or have no label.
    """

    accuracy: float
    images: int
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    unreadable: int = 0

    def summary(self) -> dict[str, Any]:
        """Return the same as plain JSON values; NaN becomes None."""
        rows = self.per_class.astype(object).where(self.per_class.notna(), None)
        return {
            "accuracy": self.accuracy,
            "images": self.images,
            "unreadable": self.unreadable,
            "per_class": rows.to_dict("records"),
            "classes": list(self.confusion.columns),
            "confusion": self.confusion.to_numpy().tolist(),
        }


@dataclass(frozen=True, eq=False)
class AdaptedModel:
    """A trained classifier, its classes, and the record of its training.

    Args:
        predictor: The network that answers, which knows how to store itself.
        classes: Names of its K classes.
        training_record: What it was trained on and how: data, counts, method, seed, scores, versions.

    Example:
        >>> model = deft.adapt("tiny", images.keep(found.is_clean))  # doctest: +SKIP
        >>> model.predict(new_images).head()  # doctest: +SKIP
    """

    predictor: Predictor
    classes: tuple[str, ...]
    training_record: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        backbone = self.training_record.get("backbone")
        named = "" if backbone is None else f"{backbone!r}, "
        return f"AdaptedModel({named}{counted(len(self.classes), 'class', 'classes')})"

    @checked
    def predict(
        self, images: LabeledImages, *, top: int = 5, workers: int | None = None, progress: Progress | None = None
    ) -> pd.DataFrame:
        """Predict the classes of images, whether or not they have labels.

        Args:
            images: N of them, such as `find_images` or `load_images` gives.
            top: How many classes are listed for each.
            workers: Processes that decode images; None takes one per core.
            progress: Told how far the work has come.

        Returns:
            One row per image, in order: `sample_id`, `file_name`, `predicted_label`, `predicted_label_id`,
            `predicted_prob`, `topk_labels`, `topk_probs`, `read_error`, `image_note`.

        Raises:
            DataError: No image can be read.
            ModelError: An answer is no number.
        """
        check_images(images, "predict", "find_images")
        told = progress or Silent()
        count = min(max(top, 1), len(self.classes))
        best = np.full((len(images), count), -1, np.int64)
        probs = np.full((len(images), count), np.nan)
        # Whatever label an image has, or none: only its pixels are looked at.
        bare = images.relabel(np.zeros(len(images), np.int64), images.classes or ("unlabelled",))
        bare = replace(bare, pixels=self._rule(images))
        pixels = FrozenPart(self.predictor.spec, self.predictor.device)
        space = Workspace(workers=workers, progress=told)
        with open_inputs(pixels, bare, space, Reading(), least_classes=1) as inputs, torch.no_grad():
            batches = inputs.batches
            for batch in told.track(batches.ordered(), "Predicting", total=len(batches)):
                likely = self.predictor.scores(batch.inputs).float().softmax(dim=1).topk(count, dim=1)
                index = batch.index.cpu().numpy()
                check_numbers(likely.values, index, "The answers of the model")
                best[index], probs[index] = likely.indices.cpu().numpy(), likely.values.cpu().numpy()
        if cut := count_notes(inputs.image_notes.values()).get(CUT_OFF):
            deep = f"{counted(cut, 'image')} {noun(cut, 'has', 'have')}"
            told.note(
                f"{deep} more than 8 bits, which this model hasn't learned from: their values above 255 are "
                "white here, as in transformers' pipelines. Convert them to 8 bits first."
            )
        return self._table(images, best, probs, inputs)

    @checked
    def evaluate(
        self, images: LabeledImages, *, workers: int | None = None, progress: Progress | None = None
    ) -> Evaluation:
        """Compare predictions with labels that are known to be right.

        Args:
            images: Labelled images; classes are matched by name.
            workers: Processes that decode images; None takes one per core.
            progress: Told how far the work has come.

        Returns:
            Accuracy, recall and precision of each class, and the confusion matrix.

        Raises:
            DataError: Images have a class that the model doesn't know, or none of them can be used.
        """
        check_images(images, "evaluate")
        truth = images.in_classes(self.classes).labels
        table = self.predict(images, top=1, workers=workers, progress=progress)
        predicted = table["predicted_label_id"].to_numpy(np.int64)
        known = (truth >= 0) & (predicted >= 0)
        if not known.any():
            raise DataError("None of the images has both a label and pixels that can be read; nothing to compare.")
        size = len(self.classes)
        cells = np.bincount(truth[known] * size + predicted[known], minlength=size * size).reshape(size, size)
        names = list(self.classes)
        hits, given, said = cells.diagonal(), cells.sum(axis=1), cells.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_class = pd.DataFrame(
                {"class": names, "images": given, "recall": hits / given, "precision": hits / said}
            )
        return Evaluation(
            accuracy=accuracy(predicted[known], truth[known]),
            images=int(known.sum()),
            per_class=per_class,
            confusion=pd.DataFrame(cells, index=pd.Index(names, name="label"), columns=names),
            unreadable=int((~known).sum()),
        )

    @checked
    def save(self, folder: str | Path, *, beside: Mapping[str, str] | None = None) -> None:
        """Write weights, configuration and a model card into a folder, which holds all of them or no model.

        Models on backbones of the hub can be loaded by `transformers.pipeline("image-classification", folder)`.

        Args:
            folder: Created if need be.
            beside: Texts that the folder isn't whole without, by the names of their files; people may edit them.
        """
        texts = {CARD: model_card(self.training_record, self.classes, in_pipelines=self.predictor.runs_in_pipelines)}
        texts |= beside or {}
        with fill_folder(Path(folder), CONFIG, lambda part: seal(part, without=list(texts))) as part:
            self.predictor.save(part, self.classes)
            (part / TRAINING_RECORD).write_text(readable_json(self.training_record), encoding="utf-8")
            for name, text in texts.items():
                (part / name).write_text(text, encoding="utf-8")

    @classmethod
    @checked
    def load(cls, folder: str | Path, *, device: str = "auto") -> AdaptedModel:
        """Read what `save` wrote, or any image classifier in the form of the hub.

        Args:
            folder: The model.
            device: Where to load it, as in `load_encoder`.

        Returns:
            The classifier.

        Raises:
            ModelError: The folder holds no classifier.
        """
        folder = Path(folder)
        check_folder(folder, ModelError)
        predictor, classes = load_predictor(folder, device=device)
        path = folder / TRAINING_RECORD
        try:
            training_record = parse_json(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise ModelError(f"{path} can't be read as the record of a training: {error}.") from error
        return cls(predictor, classes, training_record)

    def _rule(self, images: LabeledImages) -> PixelRule:
        """Return how pixels are read: as in training; in pipelines, what it hasn't seen is read as they do."""
        known = PixelRule.from_settings((self.training_record.get("info") or {}).get("pixels")).ranges
        if not self.predictor.runs_in_pipelines:
            return images.pixels.with_ranges(known)
        return replace(images.pixels, ranges=known, unknown="clip")

    def _table(
        self,
        images: LabeledImages,
        best: np.ndarray,
        probs: np.ndarray,
        inputs: Inputs,
    ) -> pd.DataFrame:
        readable = best[:, 0] >= 0
        names = [[self.classes[k] for k in row] if row[0] >= 0 else [] for row in best.tolist()]
        return pd.DataFrame(
            {
                "sample_id": images.sample_id,
                "file_name": images.file_name,
                "predicted_label": [row[0] if row else None for row in names],
                "predicted_label_id": best[:, 0],
                "predicted_prob": probs[:, 0],
                "topk_labels": names,
                "topk_probs": [row if ok else [] for row, ok in zip(probs.tolist(), readable, strict=True)],
                "read_error": [inputs.read_errors.get(row) for row in range(len(images))],
                "image_note": [inputs.image_notes.get(row) for row in range(len(images))],
            }
        )
