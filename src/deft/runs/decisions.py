"""What people decided about images: a log in the run folder that only ever grows.

The log is SQLite in write-ahead mode with full synchronisation: a decision is on the disk before `record` returns.
Every entry of an image has a revision, 1, 2, 3 and so on; who decides says which revision was on the screen, so two
people who look at the same image can't overwrite each other unawares.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from deft.errors import ConflictError, DataError
from deft.files import replace_file
from deft.runs.vocabulary import Status

FILE = "reviews.sqlite"
FORMAT = 1  # PRAGMA user_version of the file
BUSY_SECONDS = 10.0  # how long a write waits for another process's

_SCHEMA = """
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    sample_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('decide', 'undo')),
    status TEXT NOT NULL,
    from_label TEXT NOT NULL,
    to_label TEXT,
    reviewer TEXT NOT NULL,
    time TEXT NOT NULL,
    UNIQUE (sample_id, revision)
)
"""
_COLUMNS = "id, sample_id, revision, action, status, from_label, to_label, reviewer, time"


@dataclass(frozen=True)
class Decision:
    """What one person decided about one image.

    Args:
        sample_id: Which image.
        status: "kept": the given label is right; "corrected": `to_label` is; "none_of_these": no class fits;
            "bad_image": nothing can be seen; "skipped": not decided.
        from_label: Given label; empty where there is none.
        to_label: The label to use from now on: the given one if kept, the new one if corrected, else None.
        reviewer: Who decided.
        time: When, ISO 8601 in UTC, from `now`.

    Raises:
        DataError: Status and labels contradict each other.

    Example:
        >>> Decision("a.jpg", "corrected", "cat", "dog", "Ada", "2026-11-26T09:00:00.000+00:00").to_label
        'dog'
    """

    sample_id: str
    status: Status
    from_label: str
    to_label: str | None
    reviewer: str
    time: str

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise DataError(f"Unknown decision {self.status!r}. Known: {', '.join(get_args(Status))}.")
        given, new = self.from_label, self.to_label
        fits = {"kept": bool(given) and new == given, "corrected": bool(new) and new != given}
        if not fits.get(self.status, new is None):
            raise DataError(f"An image can't be {self.status!r} with the label {given!r} becoming {new!r}.")


@dataclass(frozen=True)
class Entry:
    """One line of the log.

    Args:
        number: Place in the log, rising.
        revision: Place among the image's own entries, from 1.
        action: "decide", or "undo" of the image's last decision that still stood.
        decision: What was decided; for an undo, what was taken back, with who took it back and when.
    """

    number: int
    revision: int
    action: Literal["decide", "undo"]
    decision: Decision


class Decisions:
    """The log of a run, `reviews.sqlite` in its folder; made if it isn't there.

    Args:
        run: Folder of the run.

    Raises:
        DataError: There is no such folder, or the file isn't a log that this version can read.

    Example:
        >>> with Decisions("run/") as log:  # doctest: +SKIP
        ...     log.record(Decision("a.jpg", "kept", "cat", "cat", "Ada", now()), expected=0)
        1
    """

    def __init__(self, run: str | Path) -> None:
        self.path = Path(run) / FILE
        if not self.path.parent.is_dir():
            raise DataError(f"There is no run folder {run}, so nothing can be reviewed there.")
        self._lock = threading.RLock()
        with _explained(self.path):
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with _explained(self.path):
                self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Decisions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        with self._lock:
            self._connection.close()

    def record(self, decision: Decision, expected: int | None) -> int:
        """Append a decision.

        Args:
            decision: What was decided.
            expected: Revision of the image that the decision rests on, 0 for none yet; None for whatever it is.

        Returns:
            The image's new revision.

        Raises:
            ConflictError: The image has another revision by now.
        """
        return self.record_all([(decision, expected)])[0]

    def record_all(self, decisions: Sequence[tuple[Decision, int | None]]) -> list[int]:
        """Append several decisions together, all or none.

        Args:
            decisions: What was decided, and the revision that it rests on, each as in `record`.

        Returns:
            The new revision of each image.

        Raises:
            ConflictError: One of the images has another revision by now; nothing is written.
        """
        with self._writing():
            return [self._append(decision, "decide", expected) for decision, expected in decisions]

    def undo(self, sample_id: str, reviewer: str, time: str, expected: int | None) -> int:
        """Append that an image's last decision is taken back; the one before it, if any, stands again.

        Args:
            sample_id: Which image.
            reviewer: Who takes it back.
            time: When, as in `Decision`.
            expected: Revision of the image that is on the screen, as in `record`.

        Returns:
            The image's new revision.

        Raises:
            ConflictError: The image has another revision by now.
            DataError: There is nothing to undo.
        """
        return self.undo_all([(sample_id, expected)], reviewer, time)[0]

    def undo_all(self, samples: Sequence[tuple[str, int | None]], reviewer: str, time: str) -> list[int]:
        """Take back the last decision of several images together, all or none.

        Args:
            samples: The images, and the revision of each that is on the screen, as in `record`.
            reviewer: Who takes them back.
            time: When, as in `Decision`.

        Returns:
            The new revision of each image.

        Raises:
            ConflictError: One of the images has another revision by now; nothing is written.
            DataError: There is nothing to undo about one of them.
        """
        with self._writing():
            return [self._undo(sample_id, reviewer, time, expected) for sample_id, expected in samples]

    def latest(self) -> dict[str, Decision]:
        """Return the decision that stands for each image, by sample_id; images without one are not in it."""
        return {sample: kept[-1] for sample, kept in standing(self.history()).items() if kept}

    def copy_to(self, run: str | Path) -> None:
        """Copy the log as it is now into another run's folder, in place of the log there, if any.

        Args:
            run: Folder of the other run.
        """
        with replace_file(Path(run) / FILE) as temporary, self._lock, _explained(self.path):
            copy = sqlite3.connect(temporary)
            try:
                self._connection.backup(copy)
            finally:
                copy.close()

    def revision(self, sample_id: str) -> int:
        """Return an image's revision, 0 if nothing was ever decided about it.

        Args:
            sample_id: Which image.
        """
        with self._lock, _explained(self.path):
            row = self._connection.execute("SELECT MAX(revision) FROM log WHERE sample_id = ?", [sample_id]).fetchone()
        return int(row[0] or 0)

    def history(self, sample_id: str | None = None, *, after: int = 0) -> list[Entry]:
        """Return the log in the order in which it was written.

        Args:
            sample_id: Only about this image.
            after: Only entries with a larger number, for who has read up to there.
        """
        chosen = "" if sample_id is None else "AND sample_id = ?"
        values: list[object] = [after] if sample_id is None else [after, sample_id]
        query = f"SELECT {_COLUMNS} FROM log WHERE id > ? {chosen} ORDER BY id"
        with self._lock, _explained(self.path):
            rows = self._connection.execute(query, values).fetchall()
        return [Entry(row[0], row[2], row[3], Decision(row[1], *row[4:])) for row in rows]

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._writing():
            (found,) = self._connection.execute("PRAGMA user_version").fetchone()
            (tables,) = self._connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if found == 0 and tables == 0:
                self._connection.execute(_SCHEMA)
                self._connection.execute(f"PRAGMA user_version = {FORMAT}")
            elif found != FORMAT:
                raise DataError(f"{self.path} has format {found}; this deft reads format {FORMAT}.")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; others wait, and what fails leaves nothing behind."""
        with self._lock, _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _undo(self, sample_id: str, reviewer: str, time: str, expected: int | None) -> int:
        last = standing(self.history(sample_id)).get(sample_id)
        if not last:
            raise DataError(f"There is no decision about {sample_id} to undo.")
        return self._append(replace(last[-1], reviewer=reviewer, time=time), "undo", expected)

    def _append(self, decision: Decision, action: str, expected: int | None) -> int:
        found = self.revision(decision.sample_id)
        if expected is not None and expected != found:
            raise ConflictError(
                f"{decision.sample_id} was decided elsewhere in the meantime: it has revision {found}, "
                f"the page shows revision {expected}."
            )
        made = (decision.status, decision.from_label, decision.to_label, decision.reviewer, decision.time)
        self._connection.execute(
            "INSERT INTO log (sample_id, revision, action, status, from_label, to_label, reviewer, time) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (decision.sample_id, found + 1, action, *made),
        )
        return found + 1


def read_decisions(run: str | Path) -> Mapping[str, Decision]:
    """Return the decisions that stand in a run folder.

    Args:
        run: The folder; nothing is made in it.

    Returns:
        The decision about each image by sample_id; empty if nobody reviewed the run.

    Raises:
        DataError: The log can't be read.

    Example:
        >>> read_decisions("run/")["cat/17.jpg"].to_label  # doctest: +SKIP
        'dog'
    """
    if not (Path(run) / FILE).is_file():
        return {}
    with Decisions(run) as log:
        return log.latest()


def now() -> str:
    """Return the time in UTC, ISO 8601 to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def standing(entries: Sequence[Entry], before: dict[str, list[Decision]] | None = None) -> dict[str, list[Decision]]:
    """Return each image's decisions that were not taken back, oldest first, by sample_id.

    Args:
        entries: Of the log, in its order.
        before: What stood before them, which is changed; None for nothing.
    """
    kept: dict[str, list[Decision]] = {} if before is None else before
    for entry in entries:
        stack = kept.setdefault(entry.decision.sample_id, [])
        if entry.action == "decide":
            stack.append(entry.decision)
        elif stack:
            stack.pop()
    return kept


def first_labels(entries: Sequence[Entry]) -> dict[str, str]:
    """Return each image's label before anybody decided about it, by sample_id; empty where there was none."""
    return {entry.decision.sample_id: entry.decision.from_label for entry in reversed(entries)}  # the first one stays


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors as one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise DataError(f"{path} can't be read or written as a log of decisions: {error}.") from error
