"""Boards that builds are chosen for: device, ports, clock, memory, and how much of the device the engine may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hw.analytic.memory_rate import KV260_MEMORY, MemoryRate
from hw.synthesis.resources import XC7Z020, XCK26, XCZU48DR, Device
from models.errors import OptionError
from models.machine.build import BOARDS, BuildParameters

__all__ = ["DEVICES", "Board", "Share", "board_device"]


@dataclass(frozen=True)
class Share:
    """What the engine (linear engine, weight buffer, ports, sequencer) may take of a device."""

    lut: float = 0.45  # of the device's
    uram: float = 0.75  # 48 of the XCK26's 64
    bram36: float = 0.486  # 70 of the XCK26's 144


@dataclass(frozen=True)
class Board:
    """ports: 128-bit ones at most. start: the build whose other parameters every candidate has."""

    device: Device
    ports: int
    memory: MemoryRate
    start: BuildParameters


_KV260 = BOARDS["kv260"]

DEVICES: dict[str, Board] = {
    "kv260": Board(XCK26, 4, KV260_MEMORY, _KV260),
    "rfsoc4x2": Board(XCZU48DR, 4, replace(KV260_MEMORY, name="rfsoc4x2"), replace(_KV260, name="rfsoc4x2")),
    "arty_z7": Board(XC7Z020, 2, MemoryRate("arty_z7", port_rate=128 / 129, limit_gb_s=1.9, latency_ns=200),
                     replace(_KV260, name="arty_z7", clock_mhz=100, ports=2, hidden_max=1536, inputs_max=4096)),
}
"""By name. rfsoc4x2: the PS and its ports are the KV260's, its memory (DDR4-2400, 64 bits) taken as no faster.
arty_z7: two 64-bit HP ports stand for a 128-bit one; 16 bits of DDR3-1050 are 2.1 GB/s at most, of which nine tenths
are assumed, and so are 100 MHz. Neither was simulated, synthesised or run: they show what a choice would look like."""


def board_device(name: str) -> Board:
    """The board of that name; `OptionError` for one that is not described."""
    if name not in DEVICES:
        raise OptionError(f"no device is described for board {name!r}; known: {', '.join(sorted(DEVICES))}")
    return DEVICES[name]
