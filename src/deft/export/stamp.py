"""What an export was made of, noted in its folder: the same export, asked for again, is told from all others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from deft.data.readers import FileReader
from deft.data.rows import feed
from deft.errors import DataError
from deft.export.image_files import Link
from deft.export.plan import Plan, Written
from deft.files import parse_json, strict_json
from deft.runs.provenance import versions

STAMP = ".deft-export.json"
FORMAT = 1
HERE = "{folder}"  # in the place of the folder's path


@dataclass(frozen=True)
class Stamp:
    """The note of one export: which it is, without a path or a name in it, since the folder may be given away.

    What was said of an export for Label Studio names the folder that it serves.

    Args:
        export: Digest of all that determines the files.
    """

    export: str

    @classmethod
    def of(cls, plan: Plan, format: str, link: Link, root: Path | None, *, safe_csv: bool) -> Stamp:
        """Return the stamp of an export.

        Args:
            plan: Images, verdicts and outcomes.
            format: A key of `FORMATS`.
            link: How files get into an `imagefolder`.
            root: Document root of Label Studio.
            safe_csv: Whether cells that a spreadsheet would run are neutralised.
        """
        found, digest = plan.found, blake2b(digest_size=16)
        below = "" if root is None else os.path.abspath(root)
        options = (versions()["deft-labels"], format, link, str(safe_csv), below)
        for texts in (
            options,
            (strict_json(found.settings), *found.classes),
            found.sample_id,
            found.file_name,
            found.split or (),
            found.content or (),
            plan.images.reader.paths if isinstance(plan.images.reader, FileReader) else (),
            [f"{row} {why}" for row, why in sorted(plan.unreadable.items())],
            [repr(one) for one in plan.outcomes],
            [repr(one) for one in plan.before or ()],
        ):
            feed(digest, (str(len(texts)), *texts))
        verdicts = found.verdicts
        for numbers in (found.given, found.is_clean, verdicts.predicted, verdicts.topk):
            digest.update(numbers.astype("<i8").tobytes())
        for numbers in (found.p_clean, verdicts.topk_probs):
            digest.update(numbers.astype("<f4").tobytes())
        return cls(digest.hexdigest())

    def write(self, folder: Path, written: Written, target: Path) -> None:
        """Note in a folder whose files are all there which export it is, and what was said of it.

        Args:
            folder: Of the export.
            written: What the export left.
            target: Where the folder will lie.
        """
        notes = [note.replace(str(target), HERE) for note in written.notes]
        said = {"files": list(written.files), "images": written.images, "notes": notes}
        note = {"format": FORMAT, "export": self.export, "tree": _tree(folder), "written": said}
        (folder / STAMP).write_text(strict_json(note), encoding="ascii")

    def find(self, folder: Path) -> Written | None:
        """Return what this export left in a folder, marked as `already` there; None where the folder holds nothing.

        Args:
            folder: Need not be there.

        Raises:
            DataError: It holds something else: another export, this one changed, or somebody's files.
        """
        if not folder.is_dir() or not any(folder.iterdir()):
            return None
        try:
            note = parse_json((folder / STAMP).read_bytes())
            export, tree, said = note["export"], note["tree"], note["written"]
            notes = tuple(text.replace(HERE, str(folder)) for text in said["notes"])
            written = Written(tuple(said["files"]), int(said["images"]), notes, already=True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise DataError(f"{folder} is not empty. {_ELSEWHERE}") from None
        if export != self.export:
            raise DataError(f"{folder} holds another export: its labels, images or options were others. {_ELSEWHERE}")
        if tree != _tree(folder):
            raise DataError(f"{folder} holds this export, but was changed since. {_ELSEWHERE}")
        return written


_ELSEWHERE = "Choose a new folder, or delete this one first."


def _tree(folder: Path) -> str:
    """Return a digest of the names and sizes of a folder's files; what they hold isn't read."""
    digest = blake2b(digest_size=16)
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(place, name)
            inside = os.path.relpath(path, folder)
            if inside != STAMP:
                feed(digest, (inside, str(os.lstat(path).st_size)))
    return digest.hexdigest()
