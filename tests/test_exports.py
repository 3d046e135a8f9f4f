"""The index of the library is complete, sorted and costs nothing to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import deft


def test_every_name_can_be_had() -> None:
    assert deft.__all__ == sorted(set(deft.__all__))
    assert all(getattr(deft, name) is not None for name in deft.__all__)
    assert dir(deft) == deft.__all__


def test_names_that_are_modules_too_stay_functions() -> None:
    """`deft.fit` and `deft.adapt` are actions, whichever module was imported before."""
    code = (
        "import deft, deft.adapt.kept; first = deft.fit, deft.adapt; from deft.fit import Method; "
        "print(all(callable(one) for one in (*first, deft.fit, deft.adapt)), first == (deft.fit, deft.adapt))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True True"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = deft.magic


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, deft; print([m for m in ('torch', 'transformers', 'pandas', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
