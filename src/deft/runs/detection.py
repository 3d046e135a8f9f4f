"""A verdict on every image of a data set, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deft.arguments import checked
from deft.data.dataset_writer import push_table
from deft.data.image_notes import count_notes
from deft.data.images import LabeledImages
from deft.data.words import title, words_for
from deft.errors import DataError
from deft.runs.cleanlab_table import cleanlab_issues
from deft.runs.disk_rows import DiskRows, kept_rows
from deft.runs.duplicates import DuplicateGroups, duplicate_columns, kind_places, summarize_duplicates
from deft.runs.kinds import count_kinds, issue_kinds
from deft.runs.near import Near
from deft.runs.near_files import FEATURES, PROBABILITIES, read_near, write_near
from deft.runs.notebook import SHOWN, notebook_table
from deft.runs.own_images import with_source
from deft.runs.reasons import Reasons
from deft.runs.storage import floats, group_numbers, known_floats, most_probable, places_in, read_columns, write_files
from deft.runs.summary import probability_of, summarize
from deft.runs.vocabulary import IssueKind
from deft.wording import counted

FORMAT = 1  # of the files that `save` writes


@dataclass(frozen=True)
class Verdicts:
    """What a detector says of N images; rows that can't be read hold NaN, −1 and False.

    Args:
        p_clean: Probability that the given label is right, (N,).
        is_clean: Whether the given label passes, (N,).
        predicted: Suggested class, (N,).
        topk: Most probable classes, best first, (N, k).
        topk_probs: Their probabilities, (N, k).
        noise_threshold: Similarity that the given label's own had to pass (DeFT's φ), (N,), where there is one.
        duplicate_group: Number of the images that show the same picture, (N,), −1 for one of its own.
        duplicate_kind: By what each is known for a duplicate, places in `deft.data.duplicates.KINDS`, (N,).
        p_none: Probability that the image shows none of the classes, (N,), where the detector says so.
        prompt_margin: By how much the image is closer to the given label's positive prompt than to its negative one,
            s⁺ − s⁻ (Wei et al. 2024, Eq. 4), (N,), where there are such prompts.
        features: What the image was judged by, (N, P), where the detector kept it.
        probabilities: P(class | image), the label aside, (N, K), where N x K is small enough to keep.
    """

    p_clean: np.ndarray
    is_clean: np.ndarray
    predicted: np.ndarray
    topk: np.ndarray
    topk_probs: np.ndarray
    noise_threshold: np.ndarray | None = None
    duplicate_group: np.ndarray | None = None
    duplicate_kind: np.ndarray | None = None
    p_none: np.ndarray | None = None
    prompt_margin: np.ndarray | None = None
    features: DiskRows | None = None
    probabilities: DiskRows | None = None

    def __repr__(self) -> str:
        flagged = int((~self.is_clean & np.isfinite(self.p_clean)).sum())
        return f"Verdicts({counted(len(self.p_clean), 'image')}, {flagged} flagged)"


@dataclass(frozen=True, repr=False)
class Detection:
    """A verdict on every image of a data set, in its order.

    Args:
        sample_id: Stable name of each image, (N,).
        file_name: What a user knows it by, (N,).
        split: Split of each image, or None.
        classes: Class names, K of them.
        given: Given labels, int64 (N,); −1 where there is none.
        verdicts: What the detector says about each image.
        read_errors: Row to reason, of the images that could not be judged.
        settings: Everything that determined the verdicts.
        info: How the run went: versions, wall seconds, peak memory, fingerprints.
        clean_labels: The truth where it is known, (N,).
        image_notes: Row to what is odd about a picture, such as "blank" or "blurred".
        words: What the model read for each class; made from the names if not given.
        images: The images that were judged, if they are at hand: notebooks show thumbnails. They aren't saved.
        content: Name of each image's content (`LabeledImages.content_id`), (N,), where it is known: by it a run tells
            its images from others that were put in their place.
        near: Neighbours and typical images, where they were looked up before; `reasons` finds them otherwise.

    Example:
        >>> found = DeFT(load_encoder("tiny")).detect(images)  # doctest: +SKIP
        >>> found.table.query("is_label_issue")  # doctest: +SKIP
    """

    sample_id: tuple[str, ...]
    file_name: tuple[str, ...]
    split: tuple[str, ...] | None
    classes: tuple[str, ...]
    given: np.ndarray
    verdicts: Verdicts
    read_errors: Mapping[int, str]
    settings: Mapping[str, Any]
    info: Mapping[str, Any] = field(default_factory=dict)
    clean_labels: np.ndarray | None = None
    image_notes: Mapping[int, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    images: LabeledImages | None = field(default=None, compare=False)
    content: tuple[str, ...] | None = None
    near: Near | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words) or words_for(self.classes))

    def __len__(self) -> int:
        return len(self.sample_id)

    def __repr__(self) -> str:
        classes = counted(len(self.classes), "class", "classes")
        return f"Detection({counted(len(self), 'image')}, {classes}, {int(self.is_label_issue.sum())} flagged)"

    def _repr_html_(self) -> str:
        return notebook_table(self.suspects(SHOWN), repr(self), self.sample_id, self.images)

    @property
    def p_clean(self) -> np.ndarray:
        """Probability that the given label is right, (N,), NaN where the image could not be read."""
        return self.verdicts.p_clean

    @property
    def is_clean(self) -> np.ndarray:
        """Whether to keep the image with its label, (N,); False where it could not be read."""
        return self.verdicts.is_clean

    @property
    def is_label_issue(self) -> np.ndarray:
        """Whether the given label is judged wrong, (N,); False where the image could not be read."""
        issue: np.ndarray = ~self.verdicts.is_clean & self.judged
        return issue

    @property
    def predicted(self) -> np.ndarray:
        """Suggested class of each image, (N,), −1 where it could not be read."""
        return self.verdicts.predicted

    @property
    def suggested(self) -> np.ndarray:
        """Class that fits better than the given label, (N,); −1 where none does or the image could not be read."""
        better: np.ndarray = np.where(self.verdicts.predicted != self.given, self.verdicts.predicted, -1)
        return better

    @property
    def issue_kind(self) -> tuple[IssueKind | None, ...]:
        """What kind of error each image is suspected of, (N,); None where nothing is (`issue_kinds`)."""
        return issue_kinds(self)

    @cached_property
    def reasons(self) -> Reasons:
        """What speaks for and against each label: neighbours, duplicates, typical images, and a sentence."""
        return Reasons(self)

    @property
    def embeddings(self) -> np.ndarray:
        """The features that judged the images, float16 (N, P), NaN where an image could not be read.

        They lie on the disk where they lie there in this order (a loaded run), and are copied into memory elsewhere.

        Raises:
            DataError: The run has none: it was made by another program or version, or features.npy was deleted.

        Example:
            >>> cleanlab.Datalab(data, label_name="label").find_issues(features=found.embeddings)  # doctest: +SKIP
        """
        return kept_rows(self.verdicts.features, "features")

    @property
    def probabilities(self) -> np.ndarray:
        """P(class | image) with the given label left aside, float16 (N, K), NaN where an image could not be read.

        Raises:
            DataError: The run has none, or N x K was too large to keep.

        Example:
            >>> cleanlab.filter.find_label_issues(found.given, found.probabilities)  # doctest: +SKIP
        """
        return kept_rows(self.verdicts.probabilities, "probabilities")

    @property
    def judged(self) -> np.ndarray:
        """Which images were judged, (N,)."""
        judged: np.ndarray = np.isfinite(self.verdicts.p_clean)
        return judged

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """What a page calls each class: its name, with its words where they say more, (K,)."""
        return tuple(map(title, self.classes, self.words))

    def reason(self, row: int) -> str | None:
        """Return why an image could not be judged, without the file name that its read error begins with.

        Args:
            row: Number of the image.

        Returns:
            The reason; None if the image was judged.
        """
        error = self.read_errors.get(row)
        return None if error is None else error.removeprefix(f"{self.file_name[row]}: ")

    @property
    def table(self) -> pd.DataFrame:
        """One row per image: given label, suggestion, score, verdict (columns as in docs/file-formats.md).

        `label_score` lies in 0..1 and is low where the label is likely wrong, as in cleanlab.
        """
        verdicts = self.verdicts
        columns: dict[str, Any] = {
            "sample_id": self.sample_id,
            "file_name": self.file_name,
            "split": self.split if self.split is not None else [None] * len(self),
            "given_label": self._names(self.given),
            "given_label_id": self.given,
            "predicted_label": self._names(verdicts.predicted),
            "predicted_label_id": verdicts.predicted,
            "is_label_issue": self.is_label_issue,
            "issue_kind": self.issue_kind,
            "label_score": verdicts.p_clean.astype(np.float64),
            "predicted_prob": probability_of(verdicts.predicted, verdicts.topk, verdicts.topk_probs),
            "topk_labels": [self._names(row) if ok else [] for row, ok in zip(verdicts.topk, self.judged, strict=True)],
            "topk_probs": [
                [float(p) for p in row] if ok else [] for row, ok in zip(verdicts.topk_probs, self.judged, strict=True)
            ],
            "read_error": [self.read_errors.get(row) for row in range(len(self))],
            "image_note": [self.image_notes.get(row) for row in range(len(self))],
        }
        if verdicts.noise_threshold is not None:
            columns["noise_threshold"] = verdicts.noise_threshold.astype(np.float64)
        columns |= duplicate_columns(verdicts.duplicate_group, verdicts.duplicate_kind)
        if verdicts.p_none is not None:
            columns["none_prob"] = verdicts.p_none.astype(np.float64)
        if verdicts.prompt_margin is not None:
            columns["prompt_margin"] = verdicts.prompt_margin.astype(np.float64)
        if self.clean_labels is not None:
            columns["clean_label"] = self._names(self.clean_labels)
        return pd.DataFrame(columns)

    @property
    def duplicates(self) -> DuplicateGroups:
        """Groups of images that show the same picture; none if nobody looked for them."""
        return DuplicateGroups.of(self.verdicts.duplicate_group, self.given, self.split, self.verdicts.duplicate_kind)

    @checked
    def suspects(self, limit: int | None = 50) -> pd.DataFrame:
        """Return the images whose label is judged wrong, worst first.

        Args:
            limit: How many at most; None for all.

        Returns:
            The rows of `table` that are flagged, by rising `label_score`.
        """
        worst = self.table.loc[lambda table: table["is_label_issue"]].sort_values("label_score", kind="stable")
        return worst.head(len(worst) if limit is None else max(limit, 0))

    def summary(self) -> dict[str, Any]:
        """Return counts, the estimated noise rate with its interval, a table of classes, confused pairs and settings.

        Returns:
            What `summary.json` holds, as plain JSON values.
        """
        verdicts = self.verdicts
        found = summarize(self.given, verdicts.predicted, self.is_label_issue, self.p_clean, self.classes)
        found["unreadable"] = len(self.read_errors)
        found["duplicates"] = summarize_duplicates(
            verdicts.duplicate_group, self.given, self.classes, self.file_name, self.split, verdicts.duplicate_kind
        )
        found["issue_kinds"] = count_kinds(self.issue_kind)
        found["image_notes"] = count_notes(self.image_notes.values())
        if (evidence := self.info.get("evidence")) is not None:
            found["estimated_noise_rate"] = evidence["noise_rate"]
            found["noise_rate_interval"] = evidence["noise_rate_interval"]
        return {"format": FORMAT, **found, "settings": dict(self.settings), **self.info}

    @checked
    def save(self, folder: str | Path) -> None:
        """Write `labels.parquet`, `labels.csv`, `summary.json` and the evidence; no file is ever half written.

        With the images at hand it is a run that `deft review`, `report` and `export` open: `run.json` says where the
        images are, and images that were in memory alone are copied into `images.parquet`.

        Args:
            folder: Created if need be.
        """
        notes = {
            "format": FORMAT,
            "label_score": "0..1, low means that the given label is likely wrong",
            "classes": list(self.classes),
            "words": list(self.words),
            "settings": dict(self.settings),
            "info": dict(self.info),
        }
        more: dict[str, Any] = {"is_clean": self.is_clean}
        if (content := with_source(self, Path(folder))) is not None:
            more["content_id"] = content
        write_files(Path(folder), self.table, more, self.summary(), notes)
        write_near(Path(folder), self)

    @classmethod
    @checked
    def load(cls, folder: str | Path) -> Detection:
        """Read what `save` wrote.

        Args:
            folder: Holds `labels.parquet`.

        Raises:
            DataError: The folder holds no detection.

        Returns:
            The detection, without its images; `open_run` finds those as well.
        """
        try:
            found, run = _from_columns(*read_columns(folder)), Path(folder)
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise DataError(f"{folder} holds verdicts that deft doesn't write: {error!r}.") from error
        rows = {"features": FEATURES, "probabilities": PROBABILITIES}
        kept: dict[str, Any] = {name: DiskRows.load(run / file, len(found)) for name, file in rows.items()}
        verdicts = replace(found.verdicts, **kept)
        return replace(found, verdicts=verdicts, near=read_near(run, found.sample_id, found.classes))

    def to_cleanlab(self) -> pd.DataFrame:
        """Return the verdicts as cleanlab's issue table, one row per image: the columns of `get_issues("label")`.

        `label_quality` is `label_score` again, under the name that `CleanLearning` gives it.
        """
        return cleanlab_issues(self.table)

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Push the table of verdicts, without the images, to the Hugging Face Hub.

        Args:
            repository: `user/name` of the data set there.
            private: Whether only its owner sees it.

        Returns:
            Its address.

        Raises:
            SettingsError: The name isn't one.
            DataError: It can't be pushed: no network, no login, no right.

        Example:
            >>> found.push_to_hub("me/photos-verdicts", private=True)  # doctest: +SKIP
            'https://huggingface.co/datasets/me/photos-verdicts'
        """
        return push_table(self.table, repository, private=private)

    def _names(self, ids: np.ndarray) -> list[str | None]:
        return [self.classes[index] if index >= 0 else None for index in ids.tolist()]


def _from_columns(columns: Mapping[str, list[Any]], notes: Mapping[str, Any]) -> Detection:
    classes = tuple(notes["classes"])
    topk, probs = most_probable(columns, classes)
    verdicts = Verdicts(
        p_clean=floats(columns["label_score"]),
        is_clean=np.array(columns["is_clean"], bool),
        predicted=np.array(columns["predicted_label_id"], np.int64),
        topk=topk,
        topk_probs=probs,
        noise_threshold=known_floats(columns.get("noise_threshold")),
        duplicate_group=group_numbers(columns.get("duplicate_group")),
        duplicate_kind=kind_places(columns.get("duplicate_kind")),
        p_none=known_floats(columns.get("none_prob")),
        prompt_margin=known_floats(columns.get("prompt_margin")),
    )
    return Detection(
        sample_id=tuple(columns["sample_id"]),
        file_name=tuple(columns["file_name"]),
        split=None if columns["split"][:1] in ([], [None]) else tuple(columns["split"]),
        classes=classes,
        given=np.array(columns["given_label_id"], np.int64),
        verdicts=verdicts,
        read_errors={row: reason for row, reason in enumerate(columns["read_error"]) if reason is not None},
        settings=notes["settings"],
        info=notes["info"],
        image_notes={row: note for row, note in enumerate(columns.get("image_note", [])) if note is not None},
        words=tuple(notes.get("words", ())),
        clean_labels=places_in(columns.get("clean_label"), classes),
        content=tuple(columns["content_id"]) if "content_id" in columns else None,
    )
