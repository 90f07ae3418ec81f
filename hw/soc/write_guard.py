"""Write guard: ends the write burst that a reset of its master has cut."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4Write
from models.machine.build import BURST_BEATS

__all__ = ["WriteGuard"]

_ADDRESS = ("awid", "awaddr", "awlen", "awsize", "awburst")


class WriteGuard(wiring.Component):
    """Between a master that may be reset and a memory that is not: `i` to `o`, in the same cycle.

    While `cut` is high the master is not listened to: a burst that the memory was shown goes on with beats that write
    nothing, and answers are taken and dropped. What the memory is still owed when `cut` falls goes on in the same way.
    `cut` is high from the cycle in which the master's reset begins, or an earlier one, until the master shows nothing
    any more: what `ready` tells it meanwhile means nothing, so that `cut` reaches none. `whole`: nothing is owed, and
    the master is listened to.

    The master has one burst of up to 16 beats at a time, as `hw.memory.write_master` does: it shows no data before its
    address, and nothing of the next burst before address and data of the one are taken.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(Axi4Write()), "o": Out(Axi4Write()), "cut": In(1), "whole": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        master, memory = self.i, self.o
        begun, addressed, loaded = Signal(), Signal(), Signal()  # shown; its address taken; its last beat taken
        closing, closes = Signal(), Signal()
        beats = Signal(range(BURST_BEATS))  # of it that are taken
        kept = Signal(sum(len(getattr(master, name)) for name in _ADDRESS), reset_less=True)
        shown, sent = (Cat(*(getattr(side, name) for name in _ADDRESS)) for side in (master, memory))
        length = Signal(8)
        m.d.comb += [
            closes.eq(self.cut | closing),
            self.whole.eq(~closes),
            master.bid.eq(memory.bid), master.bresp.eq(memory.bresp), master.bvalid.eq(memory.bvalid & ~closes),
            memory.bready.eq(master.bready | closes),
            memory.wdata.eq(master.wdata),
            master.awready.eq(memory.awready & ~closing), master.wready.eq(memory.wready & ~closing),
        ]
        with m.If(closes):
            m.d.comb += [
                sent.eq(kept), memory.awvalid.eq(begun & ~addressed),
                memory.wvalid.eq(begun & ~loaded), memory.wlast.eq(beats == length),
            ]
        with m.Else():
            m.d.comb += [
                sent.eq(shown), memory.awvalid.eq(master.awvalid),
                memory.wvalid.eq(master.wvalid), memory.wlast.eq(master.wlast), memory.wstrb.eq(master.wstrb),
            ]
        m.d.comb += length.eq(memory.awlen)

        begins, address, beat, all_addressed, all_loaded = (Signal() for _ in range(5))
        m.d.comb += [
            begins.eq(begun | memory.awvalid),
            address.eq(memory.awvalid & memory.awready),
            beat.eq(memory.wvalid & memory.wready),
            all_addressed.eq(addressed | address),
            all_loaded.eq(loaded | (beat & memory.wlast)),
        ]
        with m.If(~closes & master.awvalid):
            m.d.sync += kept.eq(shown)
        with m.If(all_addressed & all_loaded):
            m.d.sync += [begun.eq(0), addressed.eq(0), loaded.eq(0), beats.eq(0), closing.eq(0)]
        with m.Else():
            m.d.sync += [begun.eq(begins), addressed.eq(all_addressed), loaded.eq(all_loaded),
                         beats.eq(beats + beat), closing.eq(closes & begins)]
        return m
