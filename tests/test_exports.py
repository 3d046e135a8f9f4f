"""The index of the library is complete, sorted and costs nothing to import."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import deft


def test_every_name_can_be_had() -> None:
    assert len(deft.__all__) == len(set(deft.__all__))
    assert all(getattr(deft, name) is not None for name in deft.__all__)
    assert set(dir(deft)) == set(deft.__all__)


def test_rooms_and_actions_have_different_names() -> None:
    """Importing a room must not hide an action of the library behind a module of the same name."""
    rooms = {module.name for module in pkgutil.iter_modules(deft.__path__)}
    assert not rooms & set(deft.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = deft.magic


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, deft; print([m for m in ('torch', 'transformers', 'pandas', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
