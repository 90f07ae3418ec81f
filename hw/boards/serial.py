"""What a board without a processor has in place of one: a serial line to a host, and an SDRAM of its own."""

from __future__ import annotations

from dataclasses import dataclass

from hw.sdram.timing import SdramTiming

__all__ = ["Serial"]


@dataclass(frozen=True, kw_only=True)
class Serial:
    """baud: bits a second of the line, 8N1. sdram: shape and timing of the chip, whose first byte has address 0."""

    baud: int
    sdram: SdramTiming
