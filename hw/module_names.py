"""Names of a design's modules that no tool has to escape."""

from __future__ import annotations

import re

from models.errors import BuildError

__all__ = ["SEPARATOR", "plain_names", "without_escapes"]

SEPARATOR = "__"
"""Between the names of the instances, from the top on, that make a module's name."""

_MODULE = re.compile(r"^module \\(\S+)$", re.MULTILINE)
_KIND = re.compile(r"^(?:module|  cell) \\(\S+)", re.MULTILINE)  # of a module, or of an instance
_ESCAPED = re.compile(r"\\([A-Za-z_][\w$]*) ")  # a name that Yosys escapes though it is one without, for a $ in it


def plain_names(design: str) -> tuple[str, set[str]]:
    """The RTLIL with modules called `top__part` where Amaranth calls them `top.part`, and these names."""
    modules = set(_MODULE.findall(design))
    odd = sorted(name for name in modules if SEPARATOR in name)
    if odd:
        raise BuildError(f"a module's name must not have {SEPARATOR!r} in it: {odd[0]}")

    def renamed(match: re.Match) -> str:
        return match[0].replace(".", SEPARATOR) if match[1] in modules else match[0]

    return _KIND.sub(renamed, design), {name.replace(".", SEPARATOR) for name in modules}


def without_escapes(verilog: str, modules: set[str]) -> str:
    """The Verilog with the names of these modules as they are."""
    return _ESCAPED.sub(lambda name: f"{name[1]} " if name[1] in modules else name[0], verilog)
