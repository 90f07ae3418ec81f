"""What is made to go wrong on a simulated serial line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["LineFault", "LineWrong"]

FRAME_BITS = 10


class LineWrong(IntEnum):
    """What is wrong with a byte, as `sim/soc/serial_line.h` numbers it."""

    DROPPED = 0
    DOUBLED = 1
    FLIPPED = 2


@dataclass(frozen=True)
class LineFault:
    """Of byte `at` of a direction, counted from the beginning, as `BoardCounters.sent` and `received` are.

    bits: those of FLIPPED, of a start bit, eight of data and a stop bit, the first in bit 0; to the host only data
    count.
    ValueError for what is none.
    """

    to_host: bool
    wrong: LineWrong
    at: int
    bits: int = 0

    def __post_init__(self) -> None:
        if self.at < 0 or not 0 <= self.bits < 1 << FRAME_BITS:
            raise ValueError(f"no byte has number {self.at}, or no bits {self.bits:#x}")
