"""Corrected tables: CSV, Parquet, Hugging Face, and cleanlab's own."""

from __future__ import annotations

import pandas as pd

from deft.data.dataset_writer import save_dataset
from deft.data.table_writer import write_label_table
from deft.export.formats import Destination
from deft.export.plan import Plan, Written, write_left_out

ISSUES = "label_issues.csv"


def write_csv(plan: Plan, to: Destination) -> Written:
    """Write the paths of the usable images and their final labels as a table that `load_images` reads.

    Args:
        plan: What to write.
        to: Where.

    Raises:
        DataError: Nothing is left.
        SettingsError: The images are no files.
    """
    return _write_table(plan, to, ".csv")


def write_parquet(plan: Plan, to: Destination) -> Written:
    """Write the same as Parquet, with the images themselves where they are no files.

    Args:
        plan: What to write.
        to: Where.

    Raises:
        DataError: Nothing is left.
    """
    return _write_table(plan, to, ".parquet")


def _write_table(plan: Plan, to: Destination, ending: str) -> Written:
    rows = plan.usable()
    images, labels = plan.part(rows)
    name = f"labels{ending}"
    notes = plan.notes(rows)
    notes["label_before"] = images.spelt(notes["label_before"])
    write_label_table(to.folder / name, to.target / name, images, {"label": images.spelt(labels), **notes})
    return Written((name,), len(rows), write_left_out(plan, to.folder, rows, {}))


def write_dataset(plan: Plan, to: Destination) -> Written:
    """Write the usable images and their final labels as `datasets.load_from_disk` reads them.

    Args:
        plan: What to write.
        to: Where.

    Raises:
        DataError: Nothing is left.
    """
    rows = plan.usable()
    images, labels = plan.part(rows)
    notes = {name: values for name, values in plan.notes(rows).items() if name != "split"}
    failed = save_dataset(images, labels, plan.classes, to.folder, to.progress, **notes)
    failures = {rows[row]: why for row, why in failed.items()}
    written = [row for row in rows if row not in failures]
    told = write_left_out(plan, to.folder, written, failures)
    return Written((), len(written), (*told, f'Open it with: datasets.load_from_disk("{to.target}")'))


def write_issues(plan: Plan, to: Destination) -> Written:
    """Write cleanlab's issue table of all images, with what becomes of each beside it.

    Args:
        plan: What to write.
        to: Where.
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
    table.to_csv(to.folder / ISSUES, index=False)
    return Written((ISSUES,), len(rows))
