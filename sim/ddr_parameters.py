"""Figures of the KV260's memory and of the way to it, each with where it comes from.

K: known, from a datasheet, a register or a configuration; F: fitted to published measurements of one KV260
(docs/memory-model.md); A: assumed.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields, replace

__all__ = ["CLOCK_NS", "DDR", "SIXTEENTHS", "DdrParameters"]

SIXTEENTHS = 16  # of a nanosecond: the model's unit of time
CLOCK_NS = 0.9375
"""Of the memory. K: the PLL of two KV260s read out gives 1066.67 MHz; the parts are DDR4-2400."""
LINE_BYTES = 64


def _clocks(count: int) -> float:
    return count * CLOCK_NS


@dataclass(frozen=True, kw_only=True)
class DdrParameters:
    """Times in ns, sizes in lines of 64 bytes. The order is that of `sim/verilated/ddr_parameters.h`."""

    line: float = _clocks(4)  # K: tCCD_S, eight beats of 64 bits
    line_same_group: float = _clocks(6)  # K: tCCD_L of DDR4-2133
    precharge: float = _clocks(16) + 8  # K: tRP, the board's preset; F: what the controller adds
    activate: float = _clocks(16) + 8  # K: tRCD, the board's preset; F: what the controller adds
    row_open: float = _clocks(36)  # K: tRAS
    row_cycle: float = _clocks(51)  # K: tRC
    activate_to_activate: float = _clocks(6)  # K: tRRD of a page of 2 KB
    four_activates: float = _clocks(32)  # K: tFAW
    row_commands: float = 4.0  # F: slots that a precharge and an activate take from columns
    read_to_precharge: float = _clocks(8)  # K: tRTP
    write_to_precharge: float = _clocks(36)  # K: CWL, the line, tWR
    read_to_write: float = _clocks(8)  # A: 6 by the standard, 2 for the board
    write_to_read: float = _clocks(28)  # K: CWL, the line, tWTR
    refresh: float = 410  # K: 350 ns, tRFC of 8 Gb parts; F: what the controller adds
    refresh_interval: float = 7800  # K: tREFI, half of it above 85 degrees
    read_window: int = 20  # F; UG1087's SCHED.lpr_num_entries gives 33 to reads, all of low priority
    write_window: int = 32  # A
    write_run: int = 16  # F: the sum of two vectors
    write_patience: float = 120  # A: 64 clocks of the controller
    request: float = 100  # F; of the DMAs that were measured, with their interconnect
    answer: float = 125  # F: as `request`
    port_line: float = 7.5  # K: UG1085, 16 bytes a cycle at 533 MHz
    beats_a_pause: int = 128  # F: 3.956 GB/s of one port, of 4.0
    limit_line: float = 0.0  # of `limited`; 0: no limit
    limit_burst: float = 0.0

    def limited(self, gb_s: float) -> DdrParameters:
        """The same memory with a data bus that carries no more than so many GB/s on average.

        What was lost since the last 512 ns, to a refresh for example, may be made up for at the full rate.
        """
        return replace(self, limit_line=LINE_BYTES / gb_s, limit_burst=512.0)

    def to_model(self) -> ctypes.Array:
        """As the C++ takes them: 64-bit words, times in sixteenths of a nanosecond."""
        values = [getattr(self, field.name) * (1 if field.type == "int" else SIXTEENTHS) for field in fields(self)]
        return (ctypes.c_uint64 * len(values))(*map(round, values))


DDR = DdrParameters()
"""Of the KV260."""
