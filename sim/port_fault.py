"""What is made to go wrong on a port of the simulated memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Channel", "PortFault", "Wrong"]


class Channel(IntEnum):
    """Of an AXI4 port, as `sim/verilated/port_faults.h` numbers them."""

    AR = 0
    R = 1
    AW = 2
    W = 3
    B = 4


class Wrong(IntEnum):
    """What is wrong: a response, on R with garbage for data and on B for a write that was not done, or a channel that
    stands still."""

    SLVERR = 2
    DECERR = 3
    HOLD = 4


@dataclass(frozen=True)
class PortFault:
    """From transfer `after` of a channel of a port on, counted from when it is planted.

    A wrong response is one; a channel on hold stands still for `cycles` from the first that it costs on, 0: until
    faults are cleared. Raises ValueError for a response on a channel that has none.
    """

    port: int
    channel: Channel
    wrong: Wrong
    after: int = 0
    cycles: int = 0

    def __post_init__(self) -> None:
        if self.wrong != Wrong.HOLD and self.channel not in (Channel.R, Channel.B):
            raise ValueError(f"channel {self.channel.name} has no response")
        if self.after < 0 or self.cycles < 0:
            raise ValueError("transfers and cycles are counted from 0")
