"""Names of earlier versions: they work, and warn; or they say what there is instead."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import deft
from deft.moved import MOVED, REFUSED, keep_old_modules


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_a_module_is_found_under_its_old_name_and_warns(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"^{old} is called {new} now") as heard:
        module = import_module(old)
    there = import_module(new)
    public = [name for name in vars(there) if not name.startswith("_")]
    assert public
    assert all(getattr(module, name) is getattr(there, name) for name in public)
    assert module.__doc__ == there.__doc__
    assert set(public) <= set(dir(module))
    assert len(heard) == 1


def test_the_warning_points_at_the_line_that_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "deft.decisions", raising=False)
    with pytest.warns(DeprecationWarning, match="deft.runs.decisions") as heard:
        from deft.decisions import read_decisions  # type: ignore[import-not-found, unused-ignore]
    assert heard[0].filename == __file__
    assert read_decisions is deft.read_decisions


def test_the_new_modules_stay_what_they_are() -> None:
    for old, new in MOVED.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(old)
        there = import_module(new)
        assert there.__name__ == new
        assert there.__spec__ is not None
        assert there.__spec__.name == new


@pytest.mark.parametrize(("old", "new"), REFUSED.items())
def test_a_module_that_is_an_action_now_is_refused_with_its_new_place(old: str, new: str) -> None:
    code = f"import deft, {old}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith(f"There is no module {old}: {old}(...) is an action; the module is {new}.")
    assert callable(getattr(deft, old.removeprefix("deft.")))


def test_a_folder_that_an_upgrade_left_does_not_hide_an_action(tmp_path: Path) -> None:
    (tmp_path / "adapt" / "__pycache__").mkdir(parents=True)
    code = f"import deft; deft.__path__.insert(0, {str(tmp_path)!r}); import deft.adapt"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "There is no module deft.adapt" in done.stderr


def test_a_module_that_never_was_is_an_ordinary_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'deft\.magic'"):
        import_module("deft.magic")


def test_the_finder_is_there_once() -> None:
    before = list(sys.meta_path)
    keep_old_modules()
    assert sys.meta_path == before


def test_old_parameters_of_deft_become_settings_of_its_prompts() -> None:
    encoder: Any = None  # no model is needed to compare settings
    with pytest.warns(DeprecationWarning, match="class_specific, context_length: settings of DeFT"):
        made = deft.DeFT(encoder, context_length=4, class_specific=True)  # type: ignore[call-arg]
    assert made == deft.DeFT(encoder, prompts=deft.PromptSettings(length=4, class_specific=True))
    assert "context_length" not in inspect.signature(deft.DeFT).parameters
