"""The table of made numbers that every method learns from."""

from ..methods.conftest import table_run

__all__ = ["table_run"]
