"""Initial contents of memories, which no text needs where they are zeros."""

from __future__ import annotations

import re

__all__ = ["without_zero_memories"]

_ZERO_WORD = re.compile(r" *\S+ ?\[\d+\] = \d+'h0+;")


def without_zero_memories(verilog: str) -> str:
    """The text without the initial contents of memories that start as zeros.

    A device's memories do so unasked. 20,000 words one by one are half of a core's text; Yosys reads them for minutes,
    and what Vivado makes of those of an UltraRAM, which takes no others, is not known.
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
