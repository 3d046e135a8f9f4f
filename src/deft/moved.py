"""Where the modules of earlier versions are now, and what parameters were called; they warn for one release, then go.

A module that was also an action of `deft` (`deft.adapt`, `deft.fit`) can't stay importable: importing it would put the
module in the place of the action. It is refused with the place where it is now.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

MOVED: Mapping[str, str] = MappingProxyType(
    {
        "deft.data.unlabelled": "deft.data.load",
        "deft.decisions": "deft.runs.decisions",
        "deft.detectors.detection": "deft.runs.detection",
        "deft.detectors.phase1": "deft.detectors.deft_training",
        "deft.detectors.saved_run": "deft.runs.folder",
        "deft.detectors.trained": "deft.detectors.deft_trained",
        "deft.export.outcomes": "deft.runs.outcomes",
        "deft.optimization": "deft.training.optimization",
    }
)
"""Modules that the documentation named, or that held a public name, with where that is now."""

REFUSED: Mapping[str, str] = MappingProxyType({"deft.adapt": "deft.adaptation", "deft.fit": "deft.training.loop"})
"""Modules whose name is that of an action now."""

C = TypeVar("C", bound=type)


class _Finder(MetaPathFinder, Loader):
    """Finds the modules of `MOVED`; it stands first, since Python takes a folder that an upgrade left for a module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in REFUSED:
            name = f"{fullname}(...) is an action; the module is {REFUSED[fullname]}."
            raise ModuleNotFoundError(f"There is no module {fullname}: {name}", name=fullname)
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        new = MOVED[module.__name__]
        warnings.warn(f"{module.__name__} is called {new} now.", DeprecationWarning, stacklevel=2)
        there = import_module(new)
        module.__doc__ = there.__doc__
        vars(module).update(__getattr__=lambda name: getattr(there, name), __dir__=lambda: dir(there))


def keep_old_modules() -> None:
    """Let the modules of `MOVED` be imported under their old names."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def old_parameters(field: str, names: Mapping[str, str]) -> Callable[[C], C]:
    """Return what lets a frozen value take parameters that became settings of one of its fields.

    Args:
        field: The field, itself a frozen value.
        names: The setting of that field, by the parameter's old name.
    """

    def wrap(kind: C) -> C:
        new_init: Callable[..., None] = kind.__init__  # type: ignore[misc]

        @wraps(new_init)
        def init(self: Any, *args: Any, **given: Any) -> None:
            old = {name: given.pop(name) for name in names.keys() & given.keys()}
            if old:
                from dataclasses import replace

                told = ", ".join(sorted(old))
                warnings.warn(
                    f"{told}: settings of {kind.__name__}({field}=...) now.", DeprecationWarning, stacklevel=2
                )
                start = given.get(field, getattr(kind, field))
                given[field] = replace(start, **{names[name]: value for name, value in old.items()})
            new_init(self, *args, **given)

        kind.__init__ = init  # type: ignore[misc]
        return kind

    return wrap
