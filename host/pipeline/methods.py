"""The methods there are: every stage in the folders of this package and, where one is named, in a folder of the user's.

A file's name says nothing, its stage does. Files that begin with an underscore are left alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from host.pipeline.stage import KINDS, Order, Stage
from models.errors import OptionError

__all__ = ["METHODS_VARIABLE", "Methods", "find_methods", "is_fitted"]

METHODS_VARIABLE = "TRITLOOM_METHODS"
"""Environment variable that names the user's folder where no option does."""

Methods = dict[tuple[str, str], type[Stage]]
"""By kind and method."""


def find_methods(folder: str | Path | None = None) -> Methods:
    """All methods; `OptionError` for a folder or a file of the user's that is of no use. Its files are run."""
    found: Methods = {}
    for module in _own():
        _add(found, module)
    if folder := folder or os.environ.get(METHODS_VARIABLE):
        for module in _of(Path(folder)):
            if not _add(found, module):
                raise OptionError(f"{module.__file__} has no stage: a subclass of {Stage.__module__}.Stage")
    return found


def is_fitted(method: type[Stage]) -> bool:
    """Whether it has something to fit."""
    return method.fit.__func__ is not Stage.fit.__func__  # type: ignore[attr-defined]  # of class methods


def _own() -> Iterator[ModuleType]:
    for kind in KINDS:
        package = importlib.import_module(f"{__package__}.{kind}")
        for item in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
            yield importlib.import_module(f"{package.__name__}.{item.name}")


def _of(folder: Path) -> Iterator[ModuleType]:
    if not folder.is_dir():
        raise OptionError(f"{folder} is no folder of methods")
    for path in sorted(folder.glob("[!_]*.py")):
        spec = importlib.util.spec_from_file_location(f"tritloom_method_{path.stem}", path)
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look
        vars(module)["__builtins__"] = globals()["__builtins__"]  # its imports of ours go where those here go
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise OptionError(f"{path} cannot be used: {type(error).__name__}: {error}") from error
        yield module


def _add(found: Methods, module: ModuleType) -> int:
    """Takes the stages that a module defines; how many."""
    stages = [cls for _, cls in inspect.getmembers(module, inspect.isclass)
              if issubclass(cls, Stage) and cls.__module__ == module.__name__ and not inspect.isabstract(cls)]
    for cls in stages:
        missing = [name for name in ("kind", "method", "order", "sites") if not hasattr(cls, name)]
        if missing or cls.kind not in KINDS or not isinstance(cls.order, Order):
            raise OptionError(f"{module.__file__}: {cls.__name__} needs a kind ({', '.join(KINDS)}), a method, an "
                              "order and sites")
        if (cls.kind, cls.method) in found:
            raise OptionError(f"{module.__file__}: there is {cls.kind} by {cls.method} already")
        found[cls.kind, cls.method] = cls
    return len(stages)
