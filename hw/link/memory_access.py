"""Memory access: one read or write of a beat at a time, as an AXI4 master."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import DATA_BITS, INCREMENT, SIZE_16_BYTES, Axi4

__all__ = ["MemoryAccess"]


class MemoryAccess(wiring.Component):
    """`start`, while not `busy`, reads or writes (`write`) the 16 bytes at `address`, a multiple of 16. `done` pulses
    with the response, `error` with it, and `result` of a read.

    It is busy from the cycle behind `start` to that of `done`, however long that takes; what it was given may change.
    Bursts have one beat and ID 0.
    """

    def __init__(self) -> None:
        super().__init__({
            "start": In(1), "write": In(1), "address": In(32), "data": In(DATA_BITS),
            "busy": Out(1), "done": Out(1), "error": Out(1), "result": Out(DATA_BITS),
            "axi": Out(Axi4()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        axi, writing = self.axi, Signal()
        m.d.comb += [
            axi.awaddr.eq(axi.araddr),
            *(port.eq(SIZE_16_BYTES) for port in (axi.arsize, axi.awsize)),
            *(port.eq(INCREMENT) for port in (axi.arburst, axi.awburst)),
            axi.wstrb.eq(-1),
            axi.wlast.eq(1),
            axi.rready.eq(1),  # an answer that nobody waits for, of before a reset, is dropped
            axi.bready.eq(1),
            self.done.eq(self.busy & ((axi.rvalid & ~writing & ~axi.arvalid)
                                      | (axi.bvalid & writing & ~axi.awvalid & ~axi.wvalid))),
            self.error.eq((~writing & axi.rresp[1]) | (writing & axi.bresp[1])),
            self.result.eq(axi.rdata),
        ]
        with m.If(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        with m.If(axi.awready):
            m.d.sync += axi.awvalid.eq(0)
        with m.If(axi.wready):
            m.d.sync += axi.wvalid.eq(0)
        with m.If(self.done):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), writing.eq(self.write), axi.araddr.eq(self.address),
                         axi.wdata.eq(self.data), axi.arvalid.eq(~self.write), axi.awvalid.eq(self.write),
                         axi.wvalid.eq(self.write)]
        return m
