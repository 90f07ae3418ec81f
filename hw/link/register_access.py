"""Register access: one read or write of a register at a time, as an AXI4-Lite master."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4Lite

__all__ = ["RegisterAccess"]


class RegisterAccess(wiring.Component):
    """`start`, while not `busy`, reads or writes (`write`) the word at `address`. `done` pulses with its response,
    `error` with it, and `result` of a read.

    It is busy from the cycle behind `start` to that of `done`, however long that takes; what it was given may change.
    """

    def __init__(self) -> None:
        bus = Axi4Lite()
        super().__init__({
            "start": In(1), "write": In(1), "address": In(bus.members["araddr"].shape), "data": In(32),
            "busy": Out(1), "done": Out(1), "error": Out(1), "result": Out(32),
            "bus": Out(bus),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        bus, writing = self.bus, Signal()
        m.d.comb += [
            bus.awaddr.eq(bus.araddr),
            bus.wstrb.eq(-1),
            bus.rready.eq(self.busy & ~writing & ~bus.arvalid),
            bus.bready.eq(self.busy & writing & ~bus.awvalid & ~bus.wvalid),
            self.done.eq((bus.rvalid & bus.rready) | (bus.bvalid & bus.bready)),
            self.error.eq((bus.rready & bus.rresp[1]) | (bus.bready & bus.bresp[1])),
            self.result.eq(bus.rdata),
        ]
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(bus.awready):
            m.d.sync += bus.awvalid.eq(0)
        with m.If(bus.wready):
            m.d.sync += bus.wvalid.eq(0)
        with m.If(self.done):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), writing.eq(self.write), bus.araddr.eq(self.address),
                         bus.wdata.eq(self.data), bus.arvalid.eq(~self.write), bus.awvalid.eq(self.write),
                         bus.wvalid.eq(self.write)]
        return m
