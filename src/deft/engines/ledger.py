"""What a scoring is of, and which parts of it are done: enough to go on after any interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deft.engines.parts import Part
from deft.errors import DataError
from deft.files import parse_json, replace_file, strict_json
from deft.manifest import checksum
from deft.runs.lock import is_empty

JOB = "score.json"
MANIFEST = "manifest.jsonl"
PARTS = "parts"
SAMPLE, DETECTOR = "sample.json", "detector"  # how a detector learns from a sample of the data, and it


@dataclass(frozen=True)
class Record:
    """What is noted of a part that is done.

    Args:
        file: Its name in the folder of parts.
        rows: Images in it.
        judged: Those with a verdict.
        flagged: Those whose label is called wrong.
        checksum: Of the file (BLAKE2b).
    """

    file: str
    rows: int
    judged: int
    flagged: int
    checksum: str


class Ledger:
    """The folder of a scoring: `score.json`, `manifest.jsonl` with one line for each part that is done, and `parts/`.

    Args:
        folder: The output.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def parts(self) -> Path:
        """Folder of the parts."""
        return self.folder / PARTS

    def begin(self, job: Mapping[str, Any]) -> None:
        """Note what is scored, or see that it is what was scored here before.

        Args:
            job: All that determines the verdicts, as plain JSON values.

        Raises:
            DataError: The folder holds something else, or verdicts on other data or by another detector.
        """
        path = self.folder / JOB
        if path.is_file():
            self._compare(path, job)
            return
        if not (self.folder / SAMPLE).is_file():
            refuse_other_content(self.folder)
        with replace_file(path) as temporary:
            temporary.write_text(strict_json(job), encoding="utf-8")

    def done(self) -> dict[str, Record]:
        """Return the parts that are done and whole, by file; a part that was damaged or is gone is not among them."""
        found = {one.file: one for one in self._noted()}
        return {name: one for name, one in found.items() if self._is_whole(one)}

    def note(self, record: Record) -> None:
        """Note that a part is done; the line is on the disk when this returns.

        Args:
            record: What to note.
        """
        with (self.folder / MANIFEST).open("ab") as file:
            if file.tell() and not _ends_line(self.folder / MANIFEST):
                file.write(b"\n")  # a process was killed within its last line
            file.write(json.dumps(asdict(record)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def check_there(self, parts: Sequence[Part]) -> None:
        """See that what was written is still there; a folder that is deleted meanwhile would be made anew by each part.

        Args:
            parts: All of them.

        Raises:
            DataError: Something is gone.
        """
        gone = sum(not (self.parts / part.file).is_file() for part in parts)
        if not (self.folder / JOB).is_file():
            raise DataError(
                f"{self.folder} has vanished while it was written. Delete what is left of it, to begin again."
            )
        if gone:
            raise DataError(f"{gone} parts have vanished from {self.parts}; the same command does them again.")

    def remove_others(self, parts: Sequence[Part]) -> None:
        """Remove what killed processes left half written in the folder of parts.

        Args:
            parts: Those that belong there.
        """
        known = {part.file for part in parts}
        for path in self.parts.iterdir():
            if path.name not in known and path.name.startswith("."):
                path.unlink(missing_ok=True)

    def _compare(self, path: Path, job: Mapping[str, Any]) -> None:
        differing = names_that_differ(path, job)
        if differing:
            raise DataError(
                f"{self.folder} holds scores with another {' and '.join(differing)}. Repeat the first command's "
                "options on the same data to go on, or choose another folder."
            )

    def _noted(self) -> Iterator[Record]:
        try:
            lines = (self.folder / MANIFEST).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield Record(**parse_json(line))
            except (ValueError, TypeError):
                continue  # a line that a killed process left unfinished: its part is done again

    def _is_whole(self, record: Record) -> bool:
        path = self.parts / record.file
        return path.is_file() and checksum(path) == record.checksum


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def names_that_differ(path: Path, now: Mapping[str, Any]) -> list[str]:
    """Return the names whose values a file of a scoring has otherwise than they are now, in the order of these.

    Args:
        path: Holds a JSON object, in the folder of the scoring.
        now: As plain JSON values.

    Raises:
        DataError: It can't be read.
    """
    try:
        stored = parse_json(path.read_bytes())
        return [name for name in now if stored.get(name) != now[name]]
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} can't be read: {error}. Delete {path.parent} to begin again.") from error


def refuse_other_content(folder: Path) -> None:
    """Refuse a folder that is to be filled with scores, and holds something else.

    Args:
        folder: May be missing.

    Raises:
        DataError: It isn't empty.
    """
    if folder.is_dir() and not is_empty(folder):
        raise DataError(f"{folder} is not empty, and holds no scores of deft's. Choose another folder.")
