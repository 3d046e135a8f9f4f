"""`build_report`: from images and verdicts to a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deft.arguments import checked
from deft.data.given import check_images
from deft.data.images import LabeledImages
from deft.data.printable import shown
from deft.errors import DataError, SettingsError
from deft.files import replace_file
from deft.metrics import score_detection
from deft.progress import Progress, Silent
from deft.report import LIMIT, confusions, facts, plots
from deft.report.gallery import build_gallery
from deft.report.names import check_names
from deft.report.page import Fact, Page, Plot, Table
from deft.report.render import render
from deft.report.reviewed import review_part
from deft.report.words import count, percent, plural
from deft.runs.detection import Detection
from deft.runs.given import check_found
from deft.runs.review_summary import ReviewSummary


@dataclass(frozen=True)
class Report:
    """A page about a detection.

    Args:
        page: All that stands on it.
    """

    page: Page

    def html(self) -> str:
        """Return the page as one self-contained document."""
        return render(self.page)

    def write(self, path: str | Path) -> None:
        """Write the page as one file that needs no network and no script.

        Args:
            path: Path of the file; an older one is replaced.
        """
        with replace_file(Path(path)) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")


@checked
def build_report(
    images: LabeledImages,
    found: Detection,
    *,
    limit: int = LIMIT,
    name: str = "",
    reviews: ReviewSummary | None = None,
    progress: Progress | None = None,
) -> Report:
    """Build a report page about the labels of a data set.

    Args:
        images: The images that were judged, for thumbnails and sizes.
        found: The verdicts on them.
        limit: How many suspects are shown at most.
        name: The data set's name, for the title.
        reviews: What a review of the run came to (`summarize_reviews`), for a section of its own.
        progress: Told of every thumbnail.

    Returns:
        The page, to be written.

    Raises:
        DataError: The verdicts are about other images.
        SettingsError: The limit is below zero.

    Example:
        >>> build_report(images, found).write("report.html")  # doctest: +SKIP
    """
    check_images(images, "build_report(images, found)")
    check_found(found, "build_report(images, found)")
    if images.sample_id != found.sample_id:
        raise DataError(
            f"The verdicts are about other images: {len(found)} rows were judged, {len(images)} given, and their "
            "sample_id must be the same in the same order."
        )
    if limit < 0:
        raise SettingsError(f"A report shows 0 suspects or more, not {limit}.")
    return Report(_page(images, found, limit, name, reviews, progress or Silent()))


def _page(
    images: LabeledImages,
    found: Detection,
    limit: int,
    name: str,
    reviews: ReviewSummary | None,
    progress: Progress,
) -> Page:
    summary = found.summary()
    scores, wrong = _ranked(found)
    curve, table = _budget(found, scores, wrong)
    truth, curves = _against_truth(found)
    return Page(
        name=shown(name),
        tiles=facts.tiles(found, summary),
        review=review_part(reviews),
        truth=truth,
        gallery=build_gallery(images, found, limit, progress),
        budget=curve,
        budgets=table,
        classes=confusions.class_table(summary),
        pairs=confusions.pair_table(summary),
        transition=confusions.transition(found),
        scores=plots.histogram(found.p_clean[found.judged].astype(np.float64), found.is_label_issue[found.judged]),
        curves=curves,
        names=check_names(found),
        reading=facts.reading(found),
        sizes=facts.sizes(images) + facts.odd_pictures(summary) + facts.duplicates(summary),
        torn=facts.torn(found),
        errors=facts.errors(found),
        how=facts.how(found),
        settings=facts.all_settings(found),
    )


def _ranked(found: Detection) -> tuple[plots.Floats, npt.NDArray[np.bool_] | None]:
    """Return the scores, flagged and worst first, and which labels are wrong where all truth is known."""
    rows = np.flatnonzero(found.judged)
    order = rows[np.lexsort((found.p_clean[rows], ~found.is_label_issue[rows]))]
    truth = found.clean_labels
    wrong = None if truth is None or (truth[order] < 0).any() else found.given[order] != truth[order]
    return found.p_clean[order].astype(np.float64), wrong


def _budget(found: Detection, p_clean: plots.Floats, wrong: npt.NDArray[np.bool_] | None) -> tuple[Plot, Table]:
    """Return the curve of what is found among the first n, and some points of it."""
    expected = np.cumsum(1 - p_clean)
    total = float(expected[-1]) if len(expected) else 0.0
    looks = [int(np.searchsorted(expected, share * total - 1e-9)) + 1 for share in (0.5, 0.8, 0.9, 0.95) if total]
    looks = sorted({min(look, len(expected)) for look in [*looks, int(found.is_label_issue.sum())] if look})
    columns = ["Look at", "Expect to find", "Of the wrong labels expected"]
    rows = [
        [count(look), count(expected[look - 1]), percent(expected[look - 1] / max(total, 1e-9), 0)] for look in looks
    ]
    if wrong is not None:
        columns.append("Really found")
        for row, look in zip(rows, looks, strict=True):
            row.append(count(int(wrong[:look].sum())))
    flagged = int(found.is_label_issue.sum())
    note = (
        f"{plural(flagged, 'image is', 'images are')} flagged. What is expected is the sum of 1 − score: "
        "it is as good as the scores are."
    )
    return plots.budget(p_clean, wrong), Table(tuple(columns), tuple(map(tuple, rows)), words=0, note=note)


def _against_truth(found: Detection) -> tuple[tuple[Fact, ...], tuple[Plot, ...]]:
    """Return scores and curves, where the truth is known of some of the judged."""
    truth = found.clean_labels
    if truth is None or not (found.judged & (truth >= 0)).any():
        return (), ()
    scores = score_detection(found.is_label_issue, found.p_clean, found.given, truth, found.predicted)
    rows = found.judged & (truth >= 0)
    wrong, p_clean = (found.given != truth)[rows], found.p_clean[rows].astype(np.float64)
    curves: tuple[Plot, ...] = ()
    if 0 < int(wrong.sum()) < len(wrong):
        curves = (
            plots.roc(p_clean, wrong, scores.auroc),
            plots.precision_recall(p_clean, wrong, scores.average_precision),
        )
    return facts.truth_facts(scores), curves
