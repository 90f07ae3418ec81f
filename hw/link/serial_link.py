"""Serial link: a board's end of a serial line, by which a host reaches registers, memory and the interrupt."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4, Axi4Lite
from models.machine.link import BAUD

__all__ = ["SerialLink"]


class SerialLink(wiring.Component):
    """The protocol of docs/link.md between `rx` and `tx`: a master of `registers` and of memory, `axi`.

    clock_mhz: of the design. memory_bytes: of the memory, which begins at address 0.

    `axi` has one burst of one beat under way, ID 0; `registers` one access. `memory_ready`: the memory may be accessed.
    `reset_core` is high for 64 cycles where the host asks for it.
    """

    def __init__(self, clock_mhz: float, baud: int = BAUD, *, memory_bytes: int = 32 << 20) -> None:
        self._clock_mhz, self._baud, self._memory_bytes = clock_mhz, baud, memory_bytes
        super().__init__({
            "rx": In(1), "tx": Out(1, init=1),
            "registers": Out(Axi4Lite()), "axi": Out(Axi4()),
            "irq": In(1), "memory_ready": In(1), "reset_core": Out(1),
        })

    def elaborate(self, platform) -> Module:
        return Module()
