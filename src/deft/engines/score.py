"""`score`: a detector over data of any size, in parts; what is done is kept, and what is missing is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deft.engines.judges import Judge, Kept
from deft.engines.ledger import Ledger, Record
from deft.engines.parts import PART_SIZE, Listing, Part, PartReader, find_units, make_parts
from deft.engines.scorer import Scorer, Work
from deft.errors import DataError
from deft.files import readable_json, replace_file
from deft.progress import Progress, Silent
from deft.runs.lock import only_writer
from deft.runs.source import Source

FORMAT = 1
Engine = Callable[[Sequence[Part], Work], Iterator[Record]]


@dataclass(frozen=True)
class Scored:
    """What came of a scoring.

    Args:
        images: All of them.
        judged: Those with a verdict.
        flagged: Those whose label is called wrong.
        parts: Number of files.
        found: How many of these were there already.
    """

    images: int
    judged: int
    flagged: int
    parts: int
    found: int


def score(
    source: Source,
    output: Path,
    detector: Path | Judge,
    *,
    engine: Engine | None = None,
    part_size: int = PART_SIZE,
    device: str = "auto",
    workers: int | None = None,
    max_pixels: int | None = None,
    max_seconds: float | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Judge the labels of any number of images; write `parts/*.parquet` in their order.

    Each part is a detection of its own: pictures that are the same in two parts aren't seen as duplicates.

    Args:
        source: The images.
        output: Folder for the verdicts; one that holds some of them already is completed.
        detector: Folder of a trained detector, or `LabelMatching`.
        engine: Works on the parts; None works in this process, `RayEngine` on a cluster.
        part_size: Most images of a part, which are in memory and on a temporary disk together.
        device: Where the model runs.
        workers: Processes that decode images; None takes one per core.
        max_pixels: A larger image isn't decoded.
        max_seconds: An image that takes longer to read is given up.
        progress: Told how far the work has come.

    Returns:
        Counts over all parts.

    Raises:
        DataError: The data can't be read, or the folder holds other verdicts.
        ModelError: The detector can't be used.
    """
    tell = progress or Silent()
    units = find_units(source.whole())
    judge = detector if isinstance(detector, Judge) else Kept(str(detector.absolute()))
    ledger, reader = Ledger(output), PartReader(units)
    with only_writer(output):
        listing = Listing.of(reader, tell.track(range(len(units)), "Listing images", total=len(units)))
        judge, rows = judge.of_data(*listing.classes(source.words)), listing.rows
        place = str((output / "parts").absolute())
        work = Work(tuple(units), judge, place, device, workers, max_pixels, max_seconds)
        ledger.begin(_job(work, rows, part_size))
        ledger.parts.mkdir(exist_ok=True)
        parts = list(make_parts(units, rows, part_size))
        ledger.remove_others(parts)
        done = ledger.done()
        found = len(done)
        missing = [part for part in parts if part.file not in done]
        run = engine or _local(reader)
        for record in tell.track(_known(run, missing, work), "Scoring parts", total=len(missing)):
            ledger.note(record)
            done[record.file] = record
        if len(done) < len(parts):
            raise DataError(f"{len(parts) - len(done)} parts have no verdicts; the same command does them.")
        ledger.check_there(parts)
        result = _sum(done.values(), found)
        with replace_file(output / "summary.json") as temporary:
            temporary.write_text(readable_json({"format": FORMAT, **asdict(result)}), encoding="utf-8")
    return result


def _known(run: Engine, missing: Sequence[Part], work: Work) -> Iterable[Record]:
    return run(missing, work) if missing else []


def _local(reader: PartReader) -> Engine:
    """Return the engine that works in this process, part by part."""

    def run(parts: Sequence[Part], work: Work) -> Iterator[Record]:
        scorer = Scorer(work, reader)
        for part in parts:
            yield scorer.score(part)

    return run


def _job(work: Work, rows: Sequence[int], part_size: int) -> dict[str, Any]:
    """Return all that determines the verdicts and how they lie in files."""
    stamps = [
        {"name": unit.name, "images": count, "size": size, "time": time}
        for unit, count in zip(work.units, rows, strict=True)
        for size, time in [unit.stamp()]
    ]
    first = work.units[0].source
    columns = {name: value for name, value in asdict(first).items() if name != "data"}
    return {
        "format": FORMAT,
        "detector": work.judge.identity(),
        "data": stamps,
        "columns": columns,
        "part_size": part_size,
        "max_pixels": work.max_pixels,
        "max_seconds": work.max_seconds,
    }


def _sum(records: Iterable[Record], found: int) -> Scored:
    every = list(records)
    return Scored(
        sum(one.rows for one in every),
        sum(one.judged for one in every),
        sum(one.flagged for one in every),
        len(every),
        found,
    )
