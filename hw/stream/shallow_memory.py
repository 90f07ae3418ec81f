"""Attributes of memories of few words that are read through a register, for Vivado and Yosys."""

from __future__ import annotations

from hw.boards.technology import PLAIN, Technology

__all__ = ["NO_COLLISIONS", "shallow_attributes"]

NO_COLLISIONS = {"no_rw_check": 1}
"""Of a memory from which nobody uses a word that is read while it is written: Yosys need not tell old from new."""


def shallow_attributes(technology: Technology | None, style: str = "") -> dict[str, object]:
    """Of such a memory. technology: None for none in particular. style: what it lies in where block RAM is too good
    for it; "" leaves that to the tool."""
    if (technology or PLAIN).shallow_blocks:
        style = "block"
    return NO_COLLISIONS | ({"ram_style": style} if style else {})
