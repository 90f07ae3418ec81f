"""Our packages beside others of the same names: a `models` or `host` of the user's, in the folder of a notebook.

They are then imported under `tritloom.own`: `models.config` as `tritloom.own.models.config`, and so on. In these
modules alone, an import of one of our packages means that one, now and in functions that run later. Whatever else the
process imports finds the user's, as if ours had no such names.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

__all__ = ["import_apart", "others_have_our_names"]

_HOME = Path(__file__).resolve().parent.parent
_OURS = ("tritloom", "models", "hw", "host", "sim")
_PREFIX = "tritloom.own"


def others_have_our_names() -> bool:
    """Whether an import of one of our packages would find, or has found, somebody else's."""
    return any(_foreign(name) for name in _OURS[1:])


def import_apart(module: str) -> ModuleType:
    """A module of ours by its usual name, with all that it imports of ours."""
    if _PREFIX not in sys.modules:
        home = ModuleType(_PREFIX, "Our packages, apart from others of the same names.")
        home.__path__ = [str(_HOME)]
        sys.modules[_PREFIX] = home
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module(f"{_PREFIX}.{module}")


def _foreign(name: str) -> bool:
    try:
        spec = find_spec(name)
    except ValueError:  # a module that was made, not found
        return True
    if spec is None:
        return False
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return all(_HOME not in Path(place).resolve().parents for place in places)


class _Finder(MetaPathFinder):
    """Finds what lies below `tritloom.own`."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
                  ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_PREFIX}."):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Runs a module whose import statements are `_import`: Python takes them from the module's builtins."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = _BUILTINS
        super().exec_module(module)


def _import(name: str, globals: Mapping[str, object] | None = None, locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (), level: int = 0) -> ModuleType:
    """As `builtins.__import__`, which is what an import statement calls."""
    top = name.partition(".")[0]
    if level or top not in _OURS:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    found = importlib.import_module(f"{_PREFIX}.{name}")
    if not fromlist:
        return sys.modules[f"{_PREFIX}.{top}"]
    return builtins.__import__(found.__name__, globals, locals, fromlist)


_BUILTINS = vars(builtins) | {"__import__": _import}
