"""Mutated files of every format: each row comes out with pixels or with a reason, and nothing crashes or hangs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FUZZ = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "fuzz_images.py"))


def test_every_whole_file_of_every_format_and_mode_can_be_read() -> None:
    from deft.data.decode import decode
    from deft.data.readers import ImageError

    refused = {}
    for kind, data in FUZZ["whole_files"]():
        try:
            decode(data, FUZZ["SPEC"], 32)
        except ImageError as error:
            refused[kind] = str(error)
    assert refused == {}


@pytest.mark.parametrize("workers", [0, 1])
def test_rows_in_are_rows_out(tmp_path: Path, workers: int) -> None:
    errors = FUZZ["check_round"](tmp_path, 100 + workers, count=300, workers=workers)
    assert 30 < len(errors) < 270
    assert not [reason for reason in errors.values() if "ends the process" in reason]
