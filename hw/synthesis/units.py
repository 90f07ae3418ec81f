"""Units of the accelerator that can be synthesised alone."""

from __future__ import annotations

import importlib

from hw.boards.registry import board_of
from models.errors import OptionError
from models.machine.build import BuildParameters

__all__ = ["FRAME", "PARTS", "RESET_BY_TREE", "UNITS", "unit_verilog"]

UNITS = {
    "linear": ("hw.linear.engine", "LinearEngine"),
    "head": ("hw.head.engine", "HeadEngine"),
    "vector": ("hw.vector.engine", "VectorEngine"),
    "attention": ("hw.attention.engine", "AttentionEngine"),
    "memory": ("hw.memory.system", "MemorySystem"),
    "control": ("hw.control.system", "ControlSystem"),
    "engine": ("hw.core", "linear_core"),
}
"""Module and class of each, by its name inside the core. engine: linear, memory and control together."""

RESET_BY_TREE = ("linear", "head", "vector", "attention")
"""As in the core."""

FRAME, PARTS = "engine", ("head", "vector", "attention")
"""The core in parts: a frame whose ports leave room for the others."""


def unit_verilog(build: BuildParameters, unit: str) -> str:
    """The Verilog of one unit, its top module named like the unit. `OptionError` for an unknown one.

    Its ports stand for registers next to it: paths start and end there. What the core would fold into the unit (the
    engines' reset, unused outputs) is not, so the sum of the units is a little more than the core.
    """
    if unit not in UNITS:
        raise OptionError(f"unknown unit {unit!r}; known: {', '.join(UNITS)}")
    from hw.stream.reset_tree import ResetTree  # late: a command's help needs no Amaranth
    from hw.verilog import to_verilog

    module, name = UNITS[unit]
    component = getattr(importlib.import_module(module), name)(build)
    if unit in RESET_BY_TREE:
        component = ResetTree(unit)(component)
    return to_verilog(component, board_of(build).technology, name=unit)
