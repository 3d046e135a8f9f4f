"""Who finds wrong labels best: DeFT and what people use today, on embeddings that are computed once for all of them.

    python -m benchmarks.detection --data ../shared/data --photos ../photos    # every setting (benchmarks/settings.py)
    python -m benchmarks.tables    # writes docs/benchmarks.md from benchmarks/results/

One JSON file per setting, method (benchmarks/verdicts.py) and seed is written to benchmarks/results/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import verdicts
from benchmarks.settings import Bank, settings
from deft.encoders.load import load_encoder

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the Parquet files")
    parser.add_argument("--photos", type=Path, help="folder with imagenette, cars and caltech")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deft-benchmarks", help="of embeddings")
    parser.add_argument(
        "--rows", choices=["tuning", "tables"], default="tables", help="which rows; see benchmarks.settings"
    )
    parser.add_argument("--settings", help="some of benchmarks.settings, with commas; default: all")
    parser.add_argument("--methods", help="some of benchmarks.verdicts, with commas; default: all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    bank = Bank(
        options.data, options.photos, options.cache, load_encoder(options.model, device="cpu"), rows=options.rows
    )
    out = options.out if options.rows == "tables" else options.out / "tuning"
    names = options.settings.split(",") if options.settings else list(settings())
    methods = options.methods.split(",") if options.methods else list(verdicts.METHODS)
    verdicts.run(bank, names, methods, [int(seed) for seed in options.seeds.split(",")], out)


if __name__ == "__main__":
    main()
