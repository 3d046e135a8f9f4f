"""`deft demo`: handwritten digits with known wrong labels, found offline within a minute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deft.cli.options import Quiet
from deft.cli.report import REPORT, write_report

if TYPE_CHECKING:
    from deft.detectors.base import Detector
    from deft.encoders.base import DualEncoder
    from deft.metrics import DetectionScores

NOISE, SEED = 0.3, 0
EPOCHS = 5  # of small-loss, which finds no more in ten


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder for the results; an older demo is replaced.")
    ] = Path("demo-run"),
    quiet: Quiet = False,
) -> None:
    """Find the wrong labels among handwritten digits, 30 % of which were made wrong; needs no network."""
    from deft.cli.progress import choose_progress
    from deft.cli.run_folder import check_run
    from deft.data.sources import DEMO
    from deft.runs.folder import is_run
    from deft.runs.lock import only_writer
    from deft.runs.source import Source

    check_run(out, resume=is_run(out))
    progress = choose_progress(quiet=quiet)
    progress.note("Loading the digits and the bundled model")  # before the seconds that this takes
    from deft.data.digits import digits
    from deft.encoders.load import load_encoder
    from deft.encoders.remembered import remember_stem
    from deft.metrics import score_detection
    from deft.training.workspace import Workspace

    images, truth = digits(NOISE, SEED)
    encoder = remember_stem(load_encoder("tiny", device="cpu"))  # three detectors look at the same pictures
    space = Workspace(folder=out, progress=progress)
    rows = []
    with only_writer(out):
        Source(DEMO).save(out)
        for name, detector in _detectors(encoder).items():
            progress.note(f"Finding wrong labels with {name}")
            found = detector.detect(images, workspace=space)
            scores = score_detection(found.is_label_issue, found.p_clean, found.given, truth, found.predicted)
            rows.append((name, scores))
            if name == "deft":
                found.save(out)
                write_report(images, found, out / REPORT, DEMO, progress=progress)
    _print(rows, len(images), out)


def _detectors(encoder: DualEncoder) -> dict[str, Detector]:
    """Return DeFT and what it is compared with; only small-loss is told how many labels are wrong."""
    from deft.detectors.deft import DeFT
    from deft.detectors.label_match import LabelMatch
    from deft.detectors.small_loss import SmallLoss

    return {
        "deft": DeFT(encoder, seed=SEED),
        "label-match": LabelMatch(encoder),
        # Of the digits as they stand: cropped or mirrored, many are digits no more.
        "small-loss (told 30 %)": SmallLoss(encoder, noise_rate=NOISE, epochs=EPOCHS, seed=SEED, views=1),
    }


def _print(rows: list[tuple[str, DetectionScores]], images: int, out: Path) -> None:
    from deft.cli.output import percent, plain, standard_output, table

    cells = []
    for name, scores in rows:
        hits = round(scores.recall * scores.wrong)
        cells.append(
            (
                name,
                scores.flagged,
                f"{hits} of {scores.wrong}",
                percent(scores.precision),
                percent(scores.recall),
                percent(scores.f1),
            )
        )
    console = standard_output()
    title = f"{images} handwritten digits, 30 % of the labels made wrong"
    columns = ["method", "flagged", "wrong ones found", "precision", "recall", "F1"]
    console.print(table(title, columns, cells))
    console.print()
    console.print(plain(f"To look at, in a browser: {out / REPORT}"))
    console.print(plain(f"DeFT's verdict on every image: {out / 'labels.csv'}"))
    console.print(plain("On your own photos: deft detect PHOTOS -o RUN"))
