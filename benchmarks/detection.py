"""Who finds wrong labels best: DeFT and what people use today, on embeddings that are computed once for all of them.

    python -m benchmarks.detection --data ../shared/data --photos ../photos    # every setting (benchmarks/settings.py)
    python -m benchmarks.tables    # writes docs/benchmarks.md from benchmarks/results/

One JSON file per setting, method (benchmarks/verdicts.py) and seed is written to benchmarks/results/.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import verdicts
from benchmarks.bank_options import bank_of, bank_parser

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = bank_parser(__doc__)
    parser.add_argument("--methods", help="some of benchmarks.verdicts, with commas; default: all")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    bank = bank_of(options)
    out = options.out if options.rows == "tables" else options.out / "tuning"
    methods = options.methods.split(",") if options.methods else list(verdicts.METHODS)
    verdicts.run(bank, options.settings.split(","), methods, [int(seed) for seed in options.seeds.split(",")], out)


if __name__ == "__main__":
    main()
