"""One of many labelled images, and many of them as a Hugging Face data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from deft.data.decode import whole
from deft.data.image_bytes import image_file
from deft.data.readers import FileReader, ImageError
from deft.errors import DataError

if TYPE_CHECKING:
    from deft.data.images import LabeledImages


@dataclass(frozen=True, eq=False, repr=False)
class LabeledImage:
    """One image of a data set, with its label.

    Args:
        images: The data set.
        row: Which one.

    Example:
        >>> images[0].label  # doctest: +SKIP
        'cat'
        >>> images[0].image.size  # doctest: +SKIP
        (500, 375)
    """

    images: LabeledImages
    row: int

    @property
    def label(self) -> str | None:
        """Name of the class that it was given; None where there is none."""
        label = int(self.images.labels[self.row])
        return self.images.classes[label] if label >= 0 else None

    @property
    def file_name(self) -> str:
        """What a person knows it by."""
        return self.images.file_name[self.row]

    @property
    def split(self) -> str | None:
        """Name of the split that it came from, if there are splits."""
        return None if self.images.split is None else self.images.split[self.row]

    @property
    def read_error(self) -> str | None:
        """Why it can't be used; None where it can."""
        return self.images.read_errors.get(self.row)

    @property
    def image(self) -> Image.Image:
        """The picture, upright, with the colours that a detector sees.

        Raises:
            DataError: It can't be read.
        """
        number = int(self.images.rows[self.row])
        try:
            return Image.fromarray(whole(self.images.reader.read(number), None, self.images.pixels))
        except ImageError as error:
            raise DataError(f"{self.file_name}: {error}") from error

    def __repr__(self) -> str:
        return f"LabeledImage({self.file_name!r}, {self.label!r})"


def to_dataset(images: LabeledImages) -> Any:
    """Return a `datasets.Dataset` with the columns image, label (`ClassLabel`; None where there is none), file_name.

    Files stay where they are and are named by their path; other images are taken into memory as files.

    Args:
        images: Any.

    Raises:
        DataError: An image can't be read.
    """
    import datasets

    reader = images.reader
    cells = []
    for row, number in enumerate(images.rows.tolist()):
        if isinstance(reader, FileReader):
            cells.append({"path": reader.paths[number], "bytes": None})
            continue
        try:
            cells.append({"path": images.file_name[row], "bytes": image_file(images, row)})
        except ImageError as error:
            raise DataError(f"{images.file_name[row]}: {error}; leave it out first, with keep or filter.") from error
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=list(images.classes)),
        "file_name": datasets.Value("string"),
    }
    labels = [label if label >= 0 else None for label in images.labels.tolist()]
    columns: dict[str, Any] = {"image": cells, "label": labels, "file_name": list(images.file_name)}
    if images.split is not None:
        features["split"], columns["split"] = datasets.Value("string"), list(images.split)
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))
