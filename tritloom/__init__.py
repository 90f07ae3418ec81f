"""The installed command, the library (`tritloom.library`), and what happens before any other package of ours."""

import importlib
import sys
from functools import cache
from types import ModuleType

from tritloom.start import find_own_packages, prepare

prepare()

__all__ = ["Chat", "LanguageModel", "TritloomError", "chat", "generate", "load", "stream"]


def __getattr__(name: str) -> object:
    """The library's names, imported when one is first asked for: a command needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_library(), name)


@cache
def _library() -> ModuleType:
    from tritloom.apart import import_apart, others_have_our_names

    if "tritloom.library" not in sys.modules and others_have_our_names():
        return import_apart("tritloom.library")
    find_own_packages()
    return importlib.import_module("tritloom.library")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
