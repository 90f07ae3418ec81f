"""Run lights: what a board's LEDs show of its runs, seen at the register port."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4Lite
from models.machine.registers import Control, Status, register

__all__ = ["ALIVE_CYCLES", "RunLights"]

ALIVE_CYCLES = 1 << 22
"""For which the light of the line is on after a byte: a glance."""


class RunLights(wiring.Component):
    """`bus`: the register port, all of it seen, nothing driven; `line`: the serial line to the board, idle high.

    `alive` is on for `cycles` after the line was last low. `busy` is on from a START until `irq`, or `reset`.
    `error` is that of STATUS, as it was read last, and off after `reset`.
    """

    def __init__(self, *, cycles: int = ALIVE_CYCLES) -> None:
        self._cycles = cycles
        bus = {name: In(member.shape) for name, member in Axi4Lite().members.items()}
        super().__init__({"bus": In(wiring.Signature({name: Out(member.shape) for name, member in bus.items()})),
                          "line": In(1, init=1), "irq": In(1), "reset": In(1), "alive": Out(1), "busy": Out(1),
                          "error": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        bus, control, status = self.bus, register("CONTROL").offset, register("STATUS").offset
        written, read, started = Signal(len(bus.awaddr)), Signal(len(bus.araddr)), Signal()
        with m.If(bus.awvalid):
            m.d.sync += written.eq(bus.awaddr)
        with m.If(bus.wvalid):
            m.d.sync += started.eq((bus.wdata & Control.START).any())
        with m.If(bus.arvalid):
            m.d.sync += read.eq(bus.araddr)
        with m.If(bus.rvalid & bus.rready & (read == status)):
            m.d.sync += self.error.eq((bus.rdata & Status.ERROR).any())
        with m.If(bus.bvalid & bus.bready & (written == control) & started):
            m.d.sync += self.busy.eq(1)
        with m.If(self.irq):
            m.d.sync += self.busy.eq(0)
        with m.If(self.reset):
            m.d.sync += [self.busy.eq(0), self.error.eq(0)]

        left = Signal(range(self._cycles))
        m.d.sync += self.alive.eq(left != 0)
        with m.If(~self.line):
            m.d.sync += left.eq(self._cycles - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m
