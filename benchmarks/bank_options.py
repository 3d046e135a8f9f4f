"""Options of the scripts that run over settings: where the data lie, which rows, settings, seeds and model."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.settings import Bank, settings
from deft.encoders.load import load_encoder


def bank_parser(description: str | None, *, some: str | None = None, seeds: str = "0,1,2") -> argparse.ArgumentParser:
    """Return a parser of the options that all of them have.

    Args:
        description: What the script does: its own docstring.
        some: Settings that it runs unless told, with commas; all if None.
        seeds: And seeds.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--photos", type=Path, required=True, help="folder with imagenette, cars and caltech")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "deft-benchmarks", help="of embeddings")
    parser.add_argument(
        "--rows", choices=["tuning", "tables"], default="tables", help="which rows: benchmarks/settings.py"
    )
    every = ",".join(settings()) if some is None else some
    parser.add_argument("--settings", default=every, help="of benchmarks.settings, with commas")
    parser.add_argument("--seeds", default=seeds, help="with commas")
    parser.add_argument("--model", default="tiny")
    return parser


def bank_of(options: argparse.Namespace) -> Bank:
    """Return the data sets that options name, with their model."""
    encoder = load_encoder(options.model, device="cpu")
    return Bank(options.data, options.photos, options.cache, encoder, rows=options.rows)
