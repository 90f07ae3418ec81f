"""A clock of its own for the core within a simulated system, so that a core at rest costs no time to simulate."""

from __future__ import annotations

import re

from models.errors import BuildError

__all__ = ["with_core_clock"]

_PORTS = re.compile(r"^module top\((.*?)\);", re.MULTILINE | re.DOTALL)
_CORE = re.compile(r"^  top__core core \(.*?\);", re.MULTILINE | re.DOTALL)


def with_core_clock(verilog: str) -> str:
    """The Verilog of module `top`, a `SerialSoc`, whose core has the clock `clk_core` in place of `clk`.

    The simulation gives both the same edges, but leaves out the core's where nothing in it changes
    (`sim/soc/board.cpp`). `BuildError` for another module.
    """
    core = _CORE.search(verilog)
    if core is None or core[0].count(".core_clk(clk)") != 1 or not _PORTS.search(verilog):
        raise BuildError("the Verilog is not that of a system with a core")
    clocked = core[0].replace(".core_clk(clk)", ".core_clk(clk_core)")
    verilog = verilog[:core.start()] + clocked + verilog[core.end():]
    head = "module top(clk_core, {});\n  input clk_core;\n  wire clk_core;"
    return _PORTS.sub(lambda found: head.format(found[1]), verilog, 1)
