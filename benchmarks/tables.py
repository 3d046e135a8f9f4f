"""Writes docs/benchmarks.md and docs/gpu.md from the JSON files of benchmarks/results/.

python -m benchmarks.tables
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu_table import gpu_page
from benchmarks.kinds_table import kinds_page
from benchmarks.verdict_table import verdict_page
from deft.bench.tables import page_text

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
GPU_PAGE = PAGE.with_name("gpu.md")
BENCH_NOTES = Path(__file__).parent / "bench_notes.md"


def bench_page(folder: Path) -> list[str]:
    """The lines of the tables of `deft bench`; none where it has no results."""
    lines = page_text(folder)
    notes = BENCH_NOTES.read_text(encoding="utf-8") if BENCH_NOTES.is_file() else ""
    head = ["## The paper's tables, and the peers'", "", "By [`deft bench`](bench.md).", *lines]
    return [*head, "", *notes.splitlines(), ""] if lines else []


def page() -> str:
    """The page's text."""
    parts = [
        "# Benchmarks",
        "",
        "Made from `benchmarks/results/*.json` by `python -m benchmarks.tables`;",
        "each of these files names the command that printed it. How they are run: [running the benchmarks](bench.md).",
        "A wrong label is the positive class. Every method sees the same photos through the same encoder.",
        "",
        *verdict_page(RESULTS),
        *kinds_page(RESULTS / "kinds.json"),
        *bench_page(RESULTS / "bench"),
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    GPU_PAGE.write_text(gpu_page(RESULTS / "gpu.json"), encoding="utf-8")
