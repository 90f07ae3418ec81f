"""SDRAM memory: AXI4 ports before an SDR SDRAM chip."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4
from hw.sdram.pins import SdramPins
from hw.sdram.timing import SdramTiming

__all__ = ["SdramMemory"]


class SdramMemory(wiring.Component):
    """Serve `masters` AXI4 masters of 128 bits from an SDRAM chip of 32 MB, whose first byte has address 0.

    Bursts are INCR of up to 16 full beats within 256 bytes. One outside the memory, or of another kind, is answered
    with DECERR; it writes nothing, and what it reads has no meaning. IDs come back in the order of the addresses, reads
    and writes apart. A write is answered when its data have gone to the chip.

    data_cycles: from the cycle in which READ is on the pins to the one whose end takes its first word from `dq_i`; by
    default the CAS latency, as where chip and controller have the same clock edge. `ready`: the chip is initialised.
    """

    def __init__(self, timing: SdramTiming, masters: int, clock_mhz: float, *, data_cycles: int | None = None) -> None:
        if not 1 <= masters <= 4:
            raise ValueError(f"masters must be 1 to 4, got {masters}")
        self._cycles, self._masters = timing.cycles(clock_mhz), masters
        self._data_cycles = self._cycles.cas if data_cycles is None else data_cycles
        if not 1 <= self._data_cycles <= 6:
            raise ValueError(f"data_cycles must be 1 to 6, got {data_cycles}")
        self._refreshes = timing.refreshes
        super().__init__({
            "axi": In(Axi4()).array(masters),
            "pins": Out(SdramPins()),
            "ready": Out(1),
        })

    def elaborate(self, platform) -> Module:
        return Module()
