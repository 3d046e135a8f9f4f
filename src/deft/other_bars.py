"""The progress bars of other libraries, which deft doesn't show, loaded so that a notebook says nothing of them."""

from __future__ import annotations

import contextlib
import sys
import warnings
from importlib import import_module


def load_silently() -> None:
    """Load what transformers and datasets draw bars with, without its warning that a notebook has no ipywidgets.

    deft's own bar needs none. Outside of IPython nothing is loaded.

    Example:
        >>> load_silently()
    """
    if "IPython" not in sys.modules:
        return
    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.filterwarnings("ignore", message="IProgress not found")
        import_module("tqdm.auto")
