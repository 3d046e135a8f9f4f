"""Corrected tables: CSV, Parquet, Hugging Face, and cleanlab's own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from deft.data.dataset_writer import save_dataset
from deft.data.table_writer import write_label_table
from deft.export.plan import Plan, Written, write_left_out
from deft.progress import Progress

ISSUES = "label_issues.csv"


def write_table(plan: Plan, folder: Path, target: Path, ending: str) -> Written:
    """Write the usable images and their final labels as a table that `load_images` reads.

    Args:
        plan: What to write.
        folder: Where to write now; empty.
        target: Where the folder will lie.
        ending: ".csv" for paths; ".parquet" for paths, or for the images themselves where they are no files.

    Raises:
        DataError: Nothing is left.
        SettingsError: A CSV is asked for images that are no files.
    """
    rows = plan.usable()
    images, labels = plan.part(rows)
    name = f"labels{ending}"
    write_label_table(folder / name, target / name, images, {"label": labels, **plan.notes(rows)})
    return Written((name,), len(rows), write_left_out(plan, folder, rows, {}))


def write_dataset(plan: Plan, folder: Path, target: Path, progress: Progress) -> Written:
    """Write the usable images and their final labels as `datasets.load_from_disk` reads them.

    Args:
        plan: What to write.
        folder: Where to write now; empty.
        target: Where the folder will lie.
        progress: Told of every image.

    Raises:
        DataError: Nothing is left.
    """
    rows = plan.usable()
    images, labels = plan.part(rows)
    notes = {name: values for name, values in plan.notes(rows).items() if name != "split"}
    failed = save_dataset(images, labels, plan.classes, folder, progress, **notes)
    failures = {rows[row]: why for row, why in failed.items()}
    written = [row for row in rows if row not in failures]
    told = write_left_out(plan, folder, written, failures)
    return Written((), len(written), (*told, f'Open it with: datasets.load_from_disk("{target}")'))


def write_issues(plan: Plan, folder: Path) -> Written:
    """Write cleanlab's issue table of all images, with what becomes of each beside it.

    Args:
        plan: What to write.
        folder: Where; empty.
    """
    rows = list(range(len(plan.found)))
    notes = plan.notes(rows)
    columns = {
        "label": [one.label for one in plan.outcomes],
        **{name: notes[name] for name in ("change", "reason", "by")},
        "file_name": plan.found.file_name,
        "sample_id": plan.found.sample_id,
    }
    table = pd.concat([plan.found.to_cleanlab(), pd.DataFrame(columns)], axis=1)
    table.to_csv(folder / ISSUES, index=False)
    return Written((ISSUES,), len(rows))
