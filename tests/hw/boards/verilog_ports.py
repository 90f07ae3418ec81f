"""Ports of a Verilog module, and the connections of an instance, read from the text.

Understands what Amaranth's Verilog and this repository's hand-written files use: port lists with declarations in
the header or in the body, ranges of plain numbers, attributes and comments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Port", "instance_connections", "module_ports"]

_DECLARATION = re.compile(r"\b(input|output|inout)\b\s*(?:wire|reg)?\s*(?:signed)?\s*(?:\[(\d+):(\d+)\])?\s*"
                          r"(\\\S+|[A-Za-z_]\w*)")


@dataclass(frozen=True)
class Port:
    """direction: "input", "output" or "inout"."""

    direction: str
    width: int


def module_ports(text: str, module: str) -> dict[str, Port]:
    """All ports of `module` by name; `KeyError` where the text has no such module."""
    found = re.search(rf"\bmodule\s+\\?{re.escape(module)}\s*\((.*?)\bendmodule\b", _plain(text), re.DOTALL)
    if found is None:
        raise KeyError(module)
    return {name.lstrip("\\"): Port(direction, int(high or 0) - int(low or 0) + 1)
            for direction, high, low, name in _DECLARATION.findall(found[1])}


def instance_connections(text: str, module: str) -> dict[str, str]:
    """Port: expression of the only instance of `module`."""
    found = re.search(rf"(?<!module )\b{re.escape(module)}\s+\w+\s*\((.*?)\)\s*;", _plain(text), re.DOTALL)
    if found is None:
        raise KeyError(module)
    return dict(re.findall(r"\.(\w+)\(([^()]*)\)", found[1]))


def _plain(text: str) -> str:
    """Without comments and attributes."""
    return re.sub(r"//[^\n]*|/\*.*?\*/|\(\*[^)].*?\*\)", " ", text, flags=re.DOTALL)
