"""What the memory behind a Verilated core counts: the ports' cycles and latencies, the DRAM's lines and rows."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields

__all__ = ["LINE_BYTES", "Counters", "DramCounters", "PortCounters"]

LINE_BYTES = 64  # what the DRAM transfers at a time
LINE_NS = 3.75  # and how long that takes at 2133 MT/s


class Counters:
    """Counters read from C++, all of 64 bits in the order of the fields."""

    @classmethod
    def read(cls, fill: Callable[[ctypes.Array], None]):
        values = (ctypes.c_uint64 * len(fields(cls)))()
        fill(values)
        return cls(*values)

    def __sub__(self, before):
        """What was counted since ``before``; maxima stay those since the beginning."""
        return type(self)(*(now if field.name.endswith("_max") else now - then
                            for field, now, then in zip(fields(self), astuple(self), astuple(before), strict=True)))


@dataclass(frozen=True)
class PortCounters(Counters):
    """One port's cycles by what its data channels did, and its bursts.

    A cycle of the read data channel takes a beat, waits for the memory although bursts are under way, is held by a
    core that is not ready, or is idle: nothing was asked for.
    """

    read_beats: int
    read_waiting: int
    read_held: int
    read_bursts: int
    read_latency: int
    """Cycles from the address to the last beat, summed over the bursts."""
    read_latency_max: int
    write_beats: int
    write_waiting: int
    """Cycles in which the memory did not take the write data shown."""
    bytes_written: int
    """As the strobes say; beats count whole."""

    def read_idle(self, cycles: int) -> int:
        """Those of ``cycles`` in which no read was under way."""
        return cycles - self.read_beats - self.read_waiting - self.read_held

    @property
    def mean_read_latency(self) -> float:
        """Cycles from an address to its burst's last beat; 0 without bursts."""
        return self.read_latency / self.read_bursts if self.read_bursts else 0.0


@dataclass(frozen=True)
class DramCounters(Counters):
    """Lines of 64 bytes transferred (a burst counts every line that it touches), row changes, turns of the bus."""

    lines_read: int
    lines_written: int
    rows_opened: int
    turnarounds: int
    refreshes: int

    def utilisation(self, cycles: int, clock_mhz: float = 250.0) -> float:
        """The part of ``cycles`` of the core's clock in which the memory's data bus moved data."""
        return (self.lines_read + self.lines_written) * LINE_NS / (cycles * 1e3 / clock_mhz)
