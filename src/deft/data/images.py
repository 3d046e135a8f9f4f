"""`LabeledImages`: the images, the labels they were given, and what a person calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from deft.arguments import said
from deft.data.contents import read_contents, unique_names
from deft.data.names import places
from deft.data.one_image import LabeledImage, to_dataset
from deft.data.pixel_rule import PixelRule
from deft.data.readers import ImageReader, IntArray
from deft.data.rows import Mask, as_spelt, chosen_rows, feed, integers, mask, pick, pick_known
from deft.data.words import words_for
from deft.errors import DataError, SettingsError
from deft.wording import counted, noun

NO_LABEL = "no label"
"""The read error of a row whose label is missing or blank."""


@dataclass(frozen=True, eq=False, repr=False)
class LabeledImages:
    """Images with labels; the order of rows is their identity, and no row is ever lost.

    Args:
        reader: Gives the bytes of each image.
        rows: The reader's row of each image, int64 (N,).
        labels: Index into `classes` of the label given to each image, int64 (N,); -1 where there is none.
        classes: Names of the classes as the data spells them, in its order (folder, cell, `ClassLabel`).
        file_name: What a person knows each image by: its path, or `table.parquet#row`.
        split: Name of the split that each image came from.
        clean_labels: True labels where they are known, for scoring only, int64 (N,); -1 where unknown.
        read_errors: Why a row can't be used, by row; rows without a label are always here.
        trusted: Mask of labels that a person has confirmed, bool (N,), which detectors take as true; none by default.
        first_labels: Label that each image bore before a person decided, int64 (N,); those given where nobody did.
        content: Name of each image's content where it is known already (`content_id`), (N,).
        own_id: Unique names that the images have already (`sample_id`), as of a run, (N,); made from contents if not.
        pixels: How the pictures are converted to RGB, and which are too large.
        words: What a model reads for each class, (K,); made from the names if not given.
        label_cells: Each label as the data writes it, (N,), where that is a number rather than the class's name.
        notes: What a person should know about how the data was read, one sentence each.
        skipped: Number of files that were passed over, by kind.
        origin: What `load_images` was asked for, by name, where the images can be found again by it.

    Raises:
        DataError: Lengths differ, a label is none of the classes, or an id or a class occurs twice.

    Example:
        >>> images = load_images("photos/")  # doctest: +SKIP
        >>> images.keep(found.is_clean).class_counts()  # doctest: +SKIP
        array([4981, 5012])
    """

    reader: ImageReader
    rows: IntArray
    labels: IntArray
    classes: tuple[str, ...]
    file_name: tuple[str, ...]
    split: tuple[str, ...] | None = None
    clean_labels: IntArray | None = None
    read_errors: Mapping[int, str] = field(default_factory=dict)
    trusted: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    first_labels: IntArray | None = None
    content: tuple[str, ...] | None = None
    own_id: tuple[str, ...] | None = None
    pixels: PixelRule = field(default_factory=PixelRule)
    words: tuple[str, ...] = ()
    label_cells: tuple[Any, ...] | None = None
    notes: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    origin: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("classes", "file_name", "words", "notes"):
            put(self, name, tuple(getattr(self, name)))
        for name in ("split", "content", "own_id", "label_cells"):
            values = getattr(self, name)
            put(self, name, None if values is None else tuple(values))
        put(self, "rows", integers(self.rows, "rows", len(self.rows), 0, len(self.reader)))
        self._check_lengths()
        if self.own_id is not None and len(set(self.own_id)) != len(self):
            raise DataError("Two images have the same own_id.")
        if len(set(self.classes)) != len(self.classes):
            raise DataError(f"Two classes have the same name: {', '.join(self.classes[:20])}.")
        put(self, "words", self.words or words_for(self.classes))
        if len(self.words) != len(self.classes):
            raise DataError(f"There are words for {len(self.words)} classes, but {len(self.classes)} classes.")
        put(self, "labels", integers(self.labels, "labels", len(self), -1, len(self.classes)))
        for name in ("clean_labels", "first_labels"):
            values = getattr(self, name)
            if values is not None:
                put(self, name, integers(values, name, len(self), -1, len(self.classes)))
        put(self, "trusted", mask(self.trusted, len(self)))
        errors = {int(row): str(reason) for row, reason in sorted(self.read_errors.items())}
        if errors and not (min(errors) >= 0 and max(errors) < len(self)):
            raise DataError(f"read_errors names a row that isn't there ({len(self)} images).")
        put(self, "read_errors", dict.fromkeys(np.flatnonzero(self.labels < 0).tolist(), NO_LABEL) | errors)

    def _check_lengths(self) -> None:
        for name in ("file_name", "split", "content", "own_id", "label_cells"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self):
                raise DataError(f"{name} has {len(values)} values for {len(self)} images.")

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, chosen: int | np.integer[Any]) -> LabeledImage: ...

    @overload
    def __getitem__(self, chosen: slice | npt.ArrayLike) -> LabeledImages: ...

    def __getitem__(self, chosen: int | np.integer[Any] | slice | npt.ArrayLike) -> LabeledImage | LabeledImages:
        """Return one image by its number, or some by a slice, a mask or numbers.

        Example:
            >>> images[0].label, len(images[:10])  # doctest: +SKIP
            ('cat', 10)
        """
        if isinstance(chosen, slice):
            return self.keep(np.arange(len(self))[chosen])
        if not isinstance(chosen, int | np.integer):
            return self.keep(chosen)
        if not -len(self) <= chosen < len(self):
            raise IndexError(f"There are {len(self)} images, so there is none with the number {chosen}.")
        return LabeledImage(self, int(chosen) % len(self))

    def filter(self, wanted: Callable[[LabeledImage], bool]) -> LabeledImages:
        """Return the images that a function says yes to.

        Args:
            wanted: Told of each image.

        Raises:
            SettingsError: It can't be called.

        Example:
            >>> images.filter(lambda one: one.label != "blurry")  # doctest: +SKIP
        """
        if not callable(wanted):
            raise SettingsError(f"filter takes a function that is told of each image, not {said(wanted)}.")
        return self.keep(np.fromiter((bool(wanted(one)) for one in self), bool, len(self)))

    def __iter__(self) -> Iterator[LabeledImage]:
        return (LabeledImage(self, row) for row in range(len(self)))

    def to_dataset(self) -> Any:
        """Return a `datasets.Dataset` with the columns image, label and file_name (and split, where there are any).

        Raises:
            DataError: An image can't be read.

        Example:
            >>> images.keep(found.is_clean).to_dataset().save_to_disk("clean/")  # doctest: +SKIP
        """
        return to_dataset(self)

    def __repr__(self) -> str:
        unusable = f", {len(self.read_errors)} unusable" if self.read_errors else ""
        return (
            f"LabeledImages({counted(len(self), 'image')}, {counted(len(self.classes), 'class', 'classes')}{unusable})"
        )

    def keep(self, chosen: npt.ArrayLike) -> LabeledImages:
        """Return some of the images; they share the reader.

        Args:
            chosen: A mask with one truth value per image, or row numbers, each at most once; they come
                out in the order given.

        Raises:
            DataError: The mask has another length, or a row isn't there or is named twice.
        """
        index = chosen_rows(np.asarray(chosen), len(self))
        old = index.tolist()
        errors = {new: self.read_errors[row] for new, row in enumerate(old) if row in self.read_errors}
        return replace(
            self,
            rows=self.rows[index],
            labels=self.labels[index],
            file_name=pick(self.file_name, old),
            split=None if self.split is None else pick(self.split, old),
            clean_labels=None if self.clean_labels is None else self.clean_labels[index],
            read_errors=errors,
            trusted=self.trusted[index],
            first_labels=None if self.first_labels is None else self.first_labels[index],
            content=pick_known(self._content, old),
            own_id=pick_known(self._ids, old),
            label_cells=pick_known(self.label_cells, old),
        )

    def relabel(
        self,
        labels: npt.ArrayLike,
        classes: Sequence[str] | None = None,
        *,
        words: Sequence[str] | None = None,
        trusted: npt.ArrayLike | None = None,
    ) -> LabeledImages:
        """Return the same images with other labels.

        Args:
            labels: Indices into `classes`, one per image; -1 for none. A row that was unusable for want
                of a label becomes usable when it gets one.
            classes: Names, if they change too; true labels are then kept only where the names are the same.
            words: What a model reads for each of `classes`; None keeps them where the names are the same.
            trusted: Mask of the labels that a person has confirmed, bool (N,); None keeps the present one.
        """
        given = np.asarray(labels)
        names = self.classes if classes is None else tuple(classes)
        errors = {row: why for row, why in self.read_errors.items() if why != NO_LABEL}
        clean = self.clean_labels
        if clean is not None and names != self.classes:
            place = {name: number for number, name in enumerate(names)}
            moved = np.array([*(place.get(name, -1) for name in self.classes), -1], dtype=np.int64)
            clean = moved[clean]
        known = self.trusted if trusted is None else np.asarray(trusted)
        new = replace(
            self,
            labels=given,
            classes=names,
            clean_labels=clean,
            read_errors=errors,
            trusted=known,
            first_labels=None,
            content=self._content,
            own_id=self._ids,
            words=self._words_of(names) if words is None else tuple(words),
            label_cells=None,
        )
        if self.origin is not None and new.given_names() != self.given_names():
            new = replace(new, origin=None)  # what is found there has other labels
        return new if self.label_cells is None else replace(new, label_cells=tuple(self.spelt(new.given_names())))

    def given_names(self) -> list[str | None]:
        """Return the name of the class that each image is given, None where there is none."""
        return [self.classes[label] if label >= 0 else None for label in self.labels.tolist()]

    def spelt(self, names: Sequence[str | None]) -> list[Any]:
        """Return labels as the data writes them.

        Args:
            names: Class of each image, (N,). An image that keeps its label keeps its cell; otherwise the class is
                written as in most of its cells.

        Example:
            >>> load_images("ints.csv", classes=["cat", "dog"]).spelt(["dog", "cat"])  # doctest: +SKIP
            ['1', '0']
        """
        if self.label_cells is None:
            return list(names)
        return as_spelt(names, self.given_names(), self.label_cells)

    @cached_property
    def content_id(self) -> tuple[str, ...]:
        """Name of each image's content, (N,), the same wherever its bytes lie; copies of a file share it.

        Every image is read once for it, and the result is kept between runs. An image that can't be read is named by
        its file name.
        """
        return read_contents(self.reader, self.rows, self.file_name) if self.content is None else self.content

    @cached_property
    def sample_id(self) -> tuple[str, ...]:
        """A name for each image that is unique in this data and the same in every run, (N,).

        It is the name of the content, so moving files or reordering rows doesn't change it; further copies of a file
        get a number added.
        """
        if self.own_id is not None:
            return self.own_id
        return unique_names(self.content_id, self._apart())

    def by_content(self) -> IntArray:
        """Return the rows in the order in which they are learned, int64 (N,).

        Rows are sorted by content, and copies of a file by label and name, so the order of the rows has no effect.
        """
        content, apart = self.content_id, self._apart()

        def key(row: int) -> tuple[Any, ...]:
            name, label = apart[row]
            return content[row], label, bool(self.trusted[row]), name

        return np.array(sorted(range(len(self)), key=key), np.int64)

    def _apart(self) -> list[tuple[str, str]]:
        """Return what tells copies of a file apart: file names, and labels where one file is listed twice."""
        names = (*self.classes, "")
        return [(name, names[label]) for name, label in zip(self.file_name, self.labels.tolist(), strict=True)]

    @property
    def _content(self) -> tuple[str, ...] | None:
        """Names of the contents if they are known already; they are then passed on with the images."""
        return self.content or self.__dict__.get("content_id")

    @property
    def _ids(self) -> tuple[str, ...] | None:
        """The same for `sample_id`: a copy of a file keeps its name when rows are taken out or labels change."""
        return self.own_id if self.own_id is not None or self._content is None else self.sample_id

    def in_classes(self, names: Sequence[str], words: Sequence[str] | None = None) -> LabeledImages:
        """Return the same images with labels that are indices into other classes, matched by name.

        The same spelling comes first, then the only one that differs just in case, underscores or hyphens. A class
        that isn't among the names is left out if no image has it.

        Args:
            names: The other classes, in their order.
            words: What a model reads for them; None keeps the words of those that are there.

        Raises:
            DataError: Images have a class that isn't among the names.

        Example:
            >>> photos.in_classes(model.classes).labels  # doctest: +SKIP
        """
        place = places(self.classes, names)
        counts = self.class_counts().tolist()
        foreign = [(name, n) for name, n in zip(self.classes, counts, strict=True) if n and name not in place]
        if foreign:
            some = ", ".join(f"{name!r} ({counted(n, 'image')})" for name, n in foreign[:5])
            some += f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""
            total = sum(n for _, n in foreign)
            known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise DataError(
                f"{counted(total, 'image')} {noun(total, 'has', 'have')} a class that is not among the "
                f"{len(names)} expected: {some}. Expected: {known}."
            )
        index = np.array([*(place.get(name, -1) for name in self.classes), -1], np.int64)
        return self.relabel(index[self.labels], names, words=words)

    def class_counts(self) -> IntArray:
        """Return the number of images given each class, int64 (K,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes)).astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the images by content and order, whatever their labels and names."""
        digest = blake2b(digest_size=16)
        feed(digest, self.content_id)
        return digest.hexdigest()

    @cached_property
    def label_fingerprint(self) -> str:
        """Identity of the labels given, of the classes' names and words, and of which labels are trusted."""
        digest = blake2b(digest_size=16)
        feed(digest, self.classes)
        if self.words != words_for(self.classes):
            feed(digest, self.words)
        digest.update(self.labels.astype("<i8").tobytes())
        if self.trusted.any():
            digest.update(np.packbits(self.trusted).tobytes())
        if self.first_labels is not None:
            digest.update(self.first_labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def _words_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return words for other names; a class that keeps its name keeps its words."""
        known = dict(zip(self.classes, self.words, strict=True))
        return tuple(known.get(name, own) for name, own in zip(names, words_for(names), strict=True))
