"""Beats that follow each other, gathered into the bursts that they are."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from hw.memory.shapes import WRITE_BEAT
from models.machine.build import BURST_BEATS

__all__ = ["OPEN_BEAT", "BurstFormer"]

OPEN_BEAT = data.StructLayout({"address": ADDRESS_BITS, "data": DATA_BITS, "strobe": DATA_BITS // 8, "last": 1})
"""A beat of a burst that is not closed before its `last`."""

_DEPTH = 2 * BURST_BEATS
_MARGIN = 8  # beats that may still come when `room` falls


class BurstFormer(wiring.Component):
    """Hold the beats of a burst until its length is known, then let them go with it.

    Beats come one a cycle, bursts of at most 16 that keep their 256 bytes; while `room` is high eight
    more find room. They leave as WRITE_BEATs, a beat a cycle, at least two cycles after their burst's last came.
    `idle`: there are none.
    """

    def __init__(self) -> None:
        super().__init__({
            "i": In(stream.Signature(OPEN_BEAT, always_ready=True)),
            "room": Out(1),
            "o": Out(stream.Signature(WRITE_BEAT)),
            "idle": Out(1, init=1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        i, o = self.i, self.o
        content = data.StructLayout({"data": DATA_BITS, "strobe": DATA_BITS // 8})
        burst = data.StructLayout({"address": ADDRESS_BITS, "left": WRITE_BEAT["left"].width})
        m.submodules.beats = beats = SyncFIFO(width=content.size, depth=_DEPTH)
        m.submodules.bursts = bursts = SyncFIFO(width=burst.size, depth=_DEPTH)

        # the burst that comes
        come, start = Signal(range(BURST_BEATS)), Signal(ADDRESS_BITS, reset_less=True)
        given, closed = data.View(content, beats.w_data), data.View(burst, bursts.w_data)
        m.d.comb += [
            given.data.eq(i.p.data), given.strobe.eq(i.p.strobe), beats.w_en.eq(i.valid),
            closed.address.eq(Mux(come == 0, i.p.address, start)), closed.left.eq(come),
            bursts.w_en.eq(i.valid & i.p.last),
        ]
        with m.If(i.valid):
            m.d.sync += come.eq(Mux(i.p.last, 0, come + 1))
            with m.If(come == 0):
                m.d.sync += start.eq(i.p.address)

        # the one that goes
        going, left = Signal(), Signal(range(BURST_BEATS), reset_less=True)
        first, taken = data.View(burst, bursts.r_data), Signal()
        content = data.View(content, beats.r_data)
        m.d.comb += [
            o.valid.eq(going | bursts.r_rdy), taken.eq(o.valid & o.ready),
            o.p.address.eq(Mux(going, 0, first.address)), o.p.data.eq(content.data), o.p.strobe.eq(content.strobe),
            o.p.left.eq(Mux(going, left, first.left)),
            beats.r_en.eq(taken), bursts.r_en.eq(taken & ~going),
        ]
        with m.If(taken):
            m.d.sync += [left.eq(o.p.left - 1), going.eq(o.p.left != 0)]
        m.d.sync += [self.room.eq(beats.level <= _DEPTH - _MARGIN - 2), self.idle.eq((beats.level == 0) & ~i.valid)]
        return m
