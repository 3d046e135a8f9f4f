"""`deft corrupt`: a label file with wrong labels made on purpose, and the true ones beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deft.cli.bounds import number
from deft.cli.options import Classes, Data, ImageCol, LabelCol, Labels, Quiet, Seed, Split, source_of
from deft.cli.run_folder import check_new_table
from deft.errors import SettingsError
from deft.wording import counted

if TYPE_CHECKING:
    from deft.data.images import LabeledImages
    from deft.noise import Labels as LabelNumbers
    from deft.progress import Progress

NoiseName = Literal["symmetric", "pair-flip", "asymmetric", "instance-dependent"]
SIDE = 16  # pixels to which images are shrunk as features of instance-dependent noise


def corrupt(
    data: Data,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="OUT", help="New .csv or .parquet file of labels.", show_default=False),
    ],
    noise: Annotated[NoiseName, typer.Option(help="Kind of noise.")] = "symmetric",
    rate: Annotated[
        float, typer.Option(metavar="RATE", min=0, max=1, callback=number, help="Share of labels to make wrong.")
    ] = 0.4,
    seed: Seed = 0,
    class_map: Annotated[
        str | None,
        typer.Option("--map", metavar="A=B,...", help="Which class turns into which, for asymmetric noise."),
    ] = None,
    include_self: Annotated[
        bool,
        typer.Option("--include-self", help="Symmetric noise may draw the true class, as in the authors' code."),
    ] = False,
    labels: Labels = None,
    image_col: ImageCol = None,
    label_col: LabelCol = None,
    classes: Classes = None,
    split: Split = None,
    quiet: Quiet = False,
) -> None:
    """Write a table of labels, some made wrong, that deft detect can read; the truth is its true_label column."""
    check_new_table(out, data)
    _check(noise, class_map, include_self)
    source = source_of(data, labels, classes, split, image_col, label_col)

    from deft.cli.progress import choose_progress

    progress = choose_progress(quiet=quiet)
    images = source.open(progress)
    given = _corrupted(images, noise, rate, seed, class_map, include_self, progress)
    _write(out, images, given)
    total, changed = int((images.labels >= 0).sum()), int((given != images.labels).sum())
    typer.echo(f"{changed} of {counted(total, 'label')} made wrong ({changed / max(1, total):.2%})")
    typer.echo(f"Find them with: deft detect {out} -o RUN --clean-col true_label")


def _check(noise: str, class_map: str | None, include_self: bool) -> None:
    if (class_map is not None) != (noise == "asymmetric"):
        raise SettingsError("--noise asymmetric needs --map, as in --map cat=dog,dog=cat; no other noise takes it.")
    if include_self and noise != "symmetric":
        raise SettingsError(f"--include-self belongs to --noise symmetric, not {noise}.")


def _corrupted(
    images: LabeledImages,
    noise: str,
    rate: float,
    seed: int,
    class_map: str | None,
    include_self: bool,
    progress: Progress,
) -> LabelNumbers:
    from deft import noise as make

    count, labels = len(images.classes), images.labels
    if noise == "symmetric":
        return make.symmetric(labels, rate, num_classes=count, seed=seed, include_self=include_self)
    if noise == "pair-flip":
        return make.pair_flip(labels, rate, num_classes=count, seed=seed)
    if noise == "asymmetric":
        pairs = parse_map(class_map or "", images.classes)
        return make.asymmetric(labels, rate, class_map=pairs, num_classes=count, seed=seed)
    features = _small_pixels(images, progress)
    return make.instance_dependent(features, labels, rate, num_classes=count, seed=seed)


def parse_map(text: str, classes: Sequence[str]) -> dict[int, int]:
    """Return the class numbers that "cat=dog,dog=cat" names.

    Raises:
        SettingsError: A pair isn't one, or names a class that isn't there.
    """
    place = {name: number for number, name in enumerate(classes)}
    pairs = {}
    for piece in text.split(","):
        names = [name.strip() for name in piece.split("=")]
        if len(names) != 2:
            raise SettingsError(f"--map wants pairs such as cat=dog,dog=cat, not {piece!r}.")
        for name in names:
            if name not in place:
                raise SettingsError(f"--map names {name!r}, but the classes are {', '.join(classes)}.")
        pairs[place[names[0]]] = place[names[1]]
    return pairs


def _small_pixels(images: LabeledImages, progress: Progress) -> Any:
    """Return the pixels of all images at a small size, uint8 (N, side, side, 3)."""
    import numpy as np

    from deft.data.image_spec import ImageSpec
    from deft.training.pixel_store import PixelStore

    spec = ImageSpec(SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), fit="squash")
    with PixelStore.build(images, spec, None, progress=progress) as store:
        return np.array(store.read(np.arange(len(images), dtype=np.int64)))


def _write(out: Path, images: LabeledImages, given: LabelNumbers) -> None:
    """Write the table under a temporary name and rename it."""
    from deft.data.table_writer import write_label_table
    from deft.files import replace_file

    names = [*images.classes, None]  # the last is for rows without a label
    columns = {
        "label": [names[label] for label in given.tolist()],
        "true_label": [names[label] for label in images.labels.tolist()],
    }
    with replace_file(out) as temporary:
        write_label_table(temporary, out, images, columns)
