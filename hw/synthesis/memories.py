"""Initial contents of memories, which synthesis need not read where they are zeros."""

from __future__ import annotations

import re

__all__ = ["without_zero_memories"]

_ZERO_WORD = re.compile(r" *\S+ ?\[\d+\] = \d+'h0+;")


def without_zero_memories(verilog: str) -> str:
    """The text without the initial contents of memories that start as zeros.

    A device's memories do so unasked, and reading 20,000 words one by one takes Yosys minutes. Not for a simulator of
    four states, in which such memories would start unknown.
    """
    kept: list[str] = []
    block: list[str] = []  # an initial block of which only zeros were seen
    for line in verilog.splitlines(keepends=True):
        if not block and line.strip() != "initial begin":
            kept.append(line)
        elif block and line.strip() == "end":
            block = []
        else:
            block.append(line)
            if len(block) > 1 and not _ZERO_WORD.fullmatch(line.rstrip()):
                kept += block
                block = []
    return "".join(kept + block)
