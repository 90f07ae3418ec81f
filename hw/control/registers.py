"""Registers: the AXI4-Lite slave made from the shared register map."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4Lite, Response
from models.machine.registers import REGISTERS, Register

__all__ = ["Registers"]


class Registers(wiring.Component):
    """`models.machine.registers.REGISTERS` behind a bus, one port each under its name in lower case.

    "ro": an input, sampled when it is read. "rw": an output, after a reset what the map says, written byte by byte as
    the strobes say.
    "wp": an output that bears the written bits for one cycle and is 0 otherwise.

    One access of each direction at a time; two cycles from the later of address and data to a write's answer, three
    from the address to a read's.
    Every access is answered with OKAY: reads elsewhere give 0, writes elsewhere and to read-only registers do
    nothing, so that a stray access cannot raise a bus fault in the processor.
    """

    def __init__(self, registers: tuple[Register, ...] = REGISTERS) -> None:
        for register in registers:
            if register.access not in ("ro", "rw", "wp"):
                raise ValueError(f"{register.name}: unknown access {register.access!r}")
        self._registers = registers
        ports = {r.name.lower(): In(32) if r.access == "ro" else Out(32, init=r.reset) for r in registers}
        super().__init__({"bus": In(Axi4Lite()), **ports})

    def elaborate(self, platform) -> Module:
        m = Module()
        bus = self.bus
        m.d.comb += [bus.bresp.eq(Response.OKAY), bus.rresp.eq(Response.OKAY)]

        write_word, write_data, strobes = (Signal(bits, name=name, reset_less=True) for bits, name in (
            (10, "write_word"), (32, "write_data"), (4, "strobes")))
        addressed, loaded, write = Signal(), Signal(), Signal()
        m.d.comb += [
            bus.awready.eq(~addressed),
            bus.wready.eq(~loaded),
            write.eq(addressed & loaded & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [addressed.eq(1), write_word.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [loaded.eq(1), write_data.eq(bus.wdata), strobes.eq(bus.wstrb)]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write):
            m.d.sync += [addressed.eq(0), loaded.eq(0), bus.bvalid.eq(1)]

        read_word, fetched, selected = Signal(10, reset_less=True), Signal(), Signal()
        m.d.comb += bus.arready.eq(~fetched & ~selected & ~bus.rvalid)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [fetched.eq(1), read_word.eq(bus.araddr[2:])]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        # Which register it is takes a cycle, then they are or-ed: a chain of multiplexers would be as long as the map.
        chosen = Signal(len(self._registers), reset_less=True)
        m.d.sync += selected.eq(fetched)
        with m.If(fetched):
            m.d.sync += fetched.eq(0)
        read = 0
        for i, register in enumerate(self._registers):
            m.d.sync += chosen[i].eq(fetched & (read_word == register.offset // 4))
            if register.access != "wp":
                read = read | (chosen[i].replicate(32) & getattr(self, register.name.lower()))
        with m.If(selected):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(read)]

        mask = Cat(strobe.replicate(8) for strobe in strobes)
        for register in self._registers:
            port, word = getattr(self, register.name.lower()), register.offset // 4
            written = write & (write_word == word)
            if register.access == "rw":
                with m.If(written):
                    m.d.sync += port.eq((write_data & mask) | (port & ~mask))
            elif register.access == "wp":
                m.d.sync += port.eq(Mux(written, write_data & mask, 0))
        return m
