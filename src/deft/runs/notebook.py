"""What a notebook shows of a detection: its worst labels as a table with thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import pandas as pd

from deft.data.images import LabeledImages
from deft.data.printable import shown
from deft.data.thumbnails import thumbnail
from deft.errors import DataError
from deft.runs.vocabulary import NOTHING_BETTER

SHOWN = 20  # rows
SIDE = 64  # pixels of a thumbnail


def notebook_table(suspects: pd.DataFrame, title: str, sample_id: Sequence[str], images: LabeledImages | None) -> str:
    """Return the rows of a detection's table as HTML; all text in it is escaped.

    Args:
        suspects: Rows of `Detection.table`, indexed by their place in it.
        title: Stands above them.
        sample_id: Names of all images that were judged, in order.
        images: The images, for thumbnails, if they are at hand.
    """
    pictures = images is not None and images.sample_id == tuple(sample_id)
    heads = [*(["Image"] if pictures else []), "File", "Given label", "Suggestion", "Score (low = wrong)"]
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in heads)
    columns = ["file_name", "given_label", "predicted_label", "label_score"]
    rows = []
    for row, (file_name, given, suggested, score) in zip(
        suspects.index, suspects[columns].itertuples(index=False), strict=True
    ):
        first = [_picture(images, int(row))] if images is not None and pictures else []
        better = NOTHING_BETTER if suggested == given else suggested
        cells = [*first, *(_text(value) for value in (file_name, given, better)), f"{score:.3g}"]
        rows.append("<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>")
    caption = f'<caption style="text-align:left">{_text(title)}: the worst {len(rows)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _text(value: object) -> str:
    return f"<bdi>{escape(shown(value))}</bdi>"


def _picture(images: LabeledImages, row: int) -> str:
    try:
        data = base64.b64encode(thumbnail(images, row, side=SIDE)).decode("ascii")
    except DataError:  # it was there when it was judged
        return "no picture"
    return f'<img alt="" style="max-width:{SIDE}px;min-width:32px" src="data:image/webp;base64,{data}">'
