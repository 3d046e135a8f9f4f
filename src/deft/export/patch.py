"""A label patch: what changes, in a small file that another copy of the data can take on and give back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from deft.data.image_bytes import content_id
from deft.errors import DataError
from deft.export.formats import Destination
from deft.export.plan import Plan, Written
from deft.files import parse_json, replace_file
from deft.progress import Progress

PATCH = "patch.json"
KIND = "deft label patch"
FORMAT = 1
_OPTIONAL = ("content", "from_label", "to_label", "by")
_KEYS = {"from_label": "from", "to_label": "to"}


@dataclass(frozen=True)
class Change:
    """One label that changes.

    Args:
        sample: Sample id where the patch was made.
        file: What people call the image there.
        content: Name of the image's content, from `content_id`; None where it could not be read.
        from_label: Label before; None for none.
        to_label: Label afterwards; None takes the label away, so that the image is no longer used.
        reason: Why.
        by: Name of the detector or person who decided.
    """

    sample: str
    file: str
    content: str | None
    from_label: str | None
    to_label: str | None
    reason: str
    by: str | None


@dataclass(frozen=True)
class Patch:
    """Changes of labels, each of another sample.

    Args:
        changes: Them.

    Raises:
        DataError: Two are about the same sample, or one changes nothing.

    Example:
        >>> change = Change("a.jpg", "a.jpg", None, "cat", "dog", "verdict", "deft")
        >>> Patch((change,)).reversed().changes[0].to_label
        'cat'
    """

    changes: tuple[Change, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for change in self.changes:
            if change.sample in seen:
                raise DataError(f"The patch changes {change.sample} twice.")
            if change.from_label == change.to_label:
                raise DataError(f"The patch changes {change.sample} from {change.from_label!r} to the same label.")
            seen.add(change.sample)

    def __len__(self) -> int:
        return len(self.changes)

    def reversed(self) -> Patch:
        """Return the patch that takes this one back."""
        return Patch(tuple(_reversed(change) for change in self.changes))

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        with replace_file(path) as temporary:
            temporary.write_text(self._json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Patch:
        """Read what `save` wrote.

        Raises:
            DataError: It isn't a patch, or a change in it is malformed.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read as a label patch: {error}.") from error
        try:
            stored = parse_json(text)
        except ValueError as error:
            raise DataError(f"{path} is no label patch, such as patch.json of deft export: {error}.") from error
        if not isinstance(stored, dict) or stored.get("kind") != KIND:
            raise DataError(f"{path} is no label patch, which an export as 'patch' makes.")
        if stored.get("format") != FORMAT:
            raise DataError(f"{path} has format {stored.get('format')!r}; this deft reads format {FORMAT}.")
        changes = stored.get("changes")
        if not isinstance(changes, list):
            raise DataError(f"{path} has no list of changes.")
        return cls(tuple(_change(one, f"Change {number} of {path}") for number, one in enumerate(changes)))

    def _json(self) -> str:
        changes = [{_KEYS.get(name, name): value for name, value in asdict(one).items()} for one in self.changes]
        return json.dumps({"kind": KIND, "format": FORMAT, "changes": changes}, ensure_ascii=False, indent=1) + "\n"


def make_patch(plan: Plan, progress: Progress) -> Patch:
    """Collect what changes; the images are read once, to name their content.

    Args:
        plan: Images and outcomes.
        progress: Told of every image that changes.

    Raises:
        DataError: Nothing changes.
    """
    rows = [row for row, one in enumerate(plan.outcomes) if one.label != plan.given(row)]
    if not rows:
        raise DataError("No label changes, so there is nothing to put into a patch.")
    return Patch(tuple(_changes(plan, progress.track(rows, "Reading changed images", total=len(rows)))))


def write_patch(plan: Plan, to: Destination) -> Written:
    """Write `patch.json`.

    Args:
        plan: Images and outcomes.
        to: Where.

    Raises:
        DataError: Nothing changes.
    """
    patch = make_patch(plan, to.progress)
    patch.save(to.folder / PATCH)
    how = f"Put it on another copy of the data with: deft apply {shlex.quote(str(to.target / PATCH))} DATA -o TABLE"
    return Written((PATCH,), len(patch), (how,))


def _changes(plan: Plan, rows: Iterator[int]) -> Iterator[Change]:
    for row in rows:
        outcome = plan.outcomes[row]
        yield Change(
            sample=plan.found.sample_id[row],
            file=plan.found.file_name[row],
            content=content_id(plan.images, row),
            from_label=plan.given(row),
            to_label=outcome.label,
            reason=outcome.reason,
            by=outcome.by,
        )


def _reversed(change: Change) -> Change:
    values = {one.name: getattr(change, one.name) for one in fields(Change)}
    return Change(**{**values, "from_label": change.to_label, "to_label": change.from_label})


def _change(stored: Any, where: str) -> Change:
    if not isinstance(stored, dict):
        raise DataError(f"{where} isn't a JSON object.")
    values: dict[str, Any] = {}
    for one in fields(Change):
        key = _KEYS.get(one.name, one.name)
        value = stored.get(key)
        if not isinstance(value, str) and not (value is None and key in stored and one.name in _OPTIONAL):
            raise DataError(f"{where} needs {key!r} as text, not {value!r}.")
        values[one.name] = value
    return Change(**values)
