"""What people decided about images: a log in the run folder that only ever grows.

The log is SQLite in write-ahead mode with full synchronisation: a decision is on the disk before `record` returns.
Every entry of an image has a revision, 1, 2, 3 and so on. A decision names the revision that was on the screen, so two
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

from deft.arguments import checked
from deft.errors import ConflictError, DataError
from deft.files import replace_file
from deft.runs.sqlite_log import add_row, explained, open_to_read, open_to_write, read_rows, transaction
from deft.runs.vocabulary import Status
from deft.shown import in_short

FILE = "reviews.sqlite"


@dataclass(frozen=True)
class Decision:
    """What one person decided about one image.

    Args:
        sample_id: The image.
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

    def __repr__(self) -> str:
        given = in_short(self.from_label)
        label = given if self.to_label in (None, self.from_label) else f"{given} -> {in_short(self.to_label)}"
        return f"Decision({in_short(self.sample_id)}, {label}, {self.status}, by {in_short(self.reviewer)})"

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
    """The log of a run, `reviews.sqlite` in its folder; the file is made when the first decision is recorded.

    Args:
        run: Folder of the run.

    Raises:
        DataError: There is no such folder, or the file isn't a log that this version can read.

    Example:
        >>> with Decisions("run/") as log:  # doctest: +SKIP
        ...     log.record(Decision("a.jpg", "kept", "cat", "cat", "Ada", now()), expected=0)
        1
    """

    @checked
    def __init__(self, run: str | Path) -> None:
        self.path = Path(run) / FILE
        if not self.path.parent.is_dir():
            raise DataError(f"There is no run folder {run}, so nothing can be reviewed there.")
        self._lock = threading.RLock()
        self._made: sqlite3.Connection | None = None
        self._closed = self._known = False
        self.history()  # which finds a damaged one now, and not at the first decision

    def __repr__(self) -> str:
        return f"Decisions({in_short(self.path.parent)})"

    def __enter__(self) -> Decisions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._closed = True
            if self._made is not None:
                self._made.close()

    def record(self, decision: Decision, expected: int | None) -> int:
        """Append a decision.

        Args:
            decision: What was decided.
            expected: Revision of the image that the decision is based on, 0 for none yet; None accepts any.

        Returns:
            The image's new revision.

        Raises:
            ConflictError: The image has a newer revision.
        """
        return self.record_all([(decision, expected)])[0]

    def record_all(self, decisions: Sequence[tuple[Decision, int | None]]) -> list[int]:
        """Append several decisions together, all or none.

        Args:
            decisions: What was decided, and the revision that it is based on, each as in `record`.

        Returns:
            The new revision of each image.

        Raises:
            ConflictError: One of the images has a newer revision; nothing is written.
        """
        with self._writing():
            return [self._append(decision, "decide", expected) for decision, expected in decisions]

    def undo(self, sample_id: str, reviewer: str, time: str, expected: int | None) -> int:
        """Take back an image's last decision; the one before it, if any, stands again.

        Args:
            sample_id: The image.
            reviewer: Who takes it back.
            time: When, as in `Decision`.
            expected: Revision of the image that the reviewer saw, as in `record`.

        Returns:
            The image's new revision.

        Raises:
            ConflictError: The image has a newer revision.
            DataError: There is nothing to undo.
        """
        return self.undo_all([(sample_id, expected)], reviewer, time)[0]

    def undo_all(self, samples: Sequence[tuple[str, int | None]], reviewer: str, time: str) -> list[int]:
        """Take back the last decision of several images together, all or none.

        Args:
            samples: The images, and the revision of each that the reviewer saw, as in `record`.
            reviewer: Who takes them back.
            time: When, as in `Decision`.

        Returns:
            The new revision of each image.

        Raises:
            ConflictError: One of the images has a newer revision; nothing is written.
            DataError: There is nothing to undo about one of them.
        """
        with self._writing():
            return [self._undo(sample_id, reviewer, time, expected) for sample_id, expected in samples]

    def latest(self) -> dict[str, Decision]:
        """Return the decision that stands for each image, by sample_id; images without one are not in it."""
        return latest(self.history())

    def copy_to(self, run: str | Path) -> None:
        """Copy the log as it is now into another run's folder, in place of the log there, if any.

        Args:
            run: Folder of the other run.
        """
        copy_log(self.path.parent, run)

    def revision(self, sample_id: str) -> int:
        """Return an image's revision, 0 if nothing was ever decided about it.

        Args:
            sample_id: The image.
        """
        with self._reading() as connection:
            if connection is None:
                return 0
            row = connection.execute("SELECT MAX(revision) FROM log WHERE sample_id = ?", [sample_id]).fetchone()
        return int(row[0] or 0)

    def history(self, sample_id: str | None = None, *, after: int = 0) -> list[Entry]:
        """Return the log in the order in which it was written.

        Args:
            sample_id: Only entries about this image.
            after: Only entries with a larger number than this, to continue from there.
        """
        with self._reading() as connection:
            return [] if connection is None else _entries(connection, sample_id, after)

    def _connection(self) -> sqlite3.Connection:
        """Return the file, opened to write."""
        if self._made is None:
            self._made = open_to_write(self.path)
        return self._made

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give the file to read from; None where nobody has made it yet. Only a decision leaves a trace."""
        with self._lock, explained(self.path):
            self._refuse_closed()
            if self._made is not None:
                yield self._made
            elif not self.path.exists():
                yield None
            else:
                with contextlib.closing(open_to_read(self.path, known=self._known)) as connection:
                    self._known = True
                    yield connection

    def _refuse_closed(self) -> None:
        if self._closed:
            raise DataError(f"{self.path} was closed.")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Open one transaction; others wait, and a failure leaves nothing behind."""
        with self._lock, explained(self.path):
            self._refuse_closed()
            with transaction(self._connection()):
                yield

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
        add_row(self._connection(), (decision.sample_id, found + 1, action, *made))
        return found + 1


@checked
def read_decisions(run: str | Path) -> Mapping[str, Decision]:
    """Return the decisions that stand in a run folder.

    Args:
        run: The folder; nothing is made in it.

    Returns:
        The decision about each image by sample_id; empty if nobody reviewed the run.

    Raises:
        DataError: There is no such folder, or the log can't be read.

    Example:
        >>> read_decisions("run/")["cat/17.jpg"].to_label  # doctest: +SKIP
        'dog'
    """
    if not Path(run).is_dir():
        raise DataError(f"There is no run folder {run}.")
    return latest(read_log(run))


def read_log(run: str | Path) -> list[Entry]:
    """Return the whole log of a run folder in the order in which it was written.

    Args:
        run: The folder; nothing is made or changed in it, so the right to read it is enough.

    Returns:
        All entries; none if nobody reviewed the run.

    Raises:
        DataError: The log can't be read.
    """
    path = Path(run) / FILE
    if not path.is_file():
        return []
    with explained(path), contextlib.closing(open_to_read(path)) as connection:
        return _entries(connection, None, 0)


def copy_log(run: str | Path, new: str | Path) -> None:
    """Copy a run's log as it is now into another run's folder, in place of the log there; nothing without a log.

    Args:
        run: Folder of the run; the right to read it is enough.
        new: Folder of the other run.

    Raises:
        DataError: The log can't be read.
    """
    path = Path(run) / FILE
    if not path.is_file():
        return
    with (
        explained(path),
        contextlib.closing(open_to_read(path)) as connection,
        replace_file(Path(new) / FILE) as temporary,
        contextlib.closing(sqlite3.connect(temporary)) as copy,
    ):
        connection.backup(copy)


def now() -> str:
    """Return the time in UTC, ISO 8601 to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def standing(entries: Sequence[Entry], before: dict[str, list[Decision]] | None = None) -> dict[str, list[Decision]]:
    """Return each image's decisions that were not taken back, oldest first, by sample_id.

    Args:
        entries: Entries of the log, in its order.
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


def latest(entries: Sequence[Entry]) -> dict[str, Decision]:
    """Return the decision that stands for each image, by sample_id; images without one are not in it.

    Args:
        entries: The whole log, in its order.
    """
    return {sample: kept[-1] for sample, kept in standing(entries).items() if kept}


def first_labels(entries: Sequence[Entry]) -> dict[str, str]:
    """Return each image's label before anybody decided about it, by sample_id; empty where there was none."""
    return {entry.decision.sample_id: entry.decision.from_label for entry in reversed(entries)}  # the first one stays


def _entries(connection: sqlite3.Connection, sample_id: str | None, after: int) -> list[Entry]:
    rows = read_rows(connection, sample_id, after)
    return [Entry(row[0], row[2], row[3], Decision(row[1], *row[4:])) for row in rows]
