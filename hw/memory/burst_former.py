"""Beats that follow each other, gathered into the bursts that they are."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from hw.memory.shapes import WRITE_BEAT
from hw.stream.deep_queue import DeepQueue
from models.machine.build import BURST_BEATS

__all__ = ["OPEN_BEAT", "BurstFormer", "BurstPort"]

OPEN_BEAT = data.StructLayout({"address": ADDRESS_BITS, "data": DATA_BITS, "strobe": DATA_BITS // 8, "last": 1})
"""A beat of a burst that is not closed before its `last`."""

_DEPTH = 2 * BURST_BEATS
_MARGIN = 8  # beats that may still come when `room` falls, and one whose leaving is not counted yet


class BurstPort(wiring.Signature):
    """A user's side of a BurstFormer: beats go out; `room`: six more find room; `idle`: it holds none."""

    def __init__(self) -> None:
        super().__init__({"beat": Out(stream.Signature(OPEN_BEAT, always_ready=True)), "room": In(1), "idle": In(1)})


class BurstFormer(wiring.Component):
    """Hold the beats of a burst until its length is known, then let them go with it.

    Beats come one a cycle while there is room, bursts of at most 16 that keep their 256 bytes. They leave as
    WRITE_BEATs, a beat a cycle, four cycles after their burst's last came or later.
    """

    def __init__(self) -> None:
        super().__init__({
            "i": In(BurstPort()),
            "o": Out(stream.Signature(WRITE_BEAT)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        i, o = self.i.beat, self.o
        content = data.StructLayout({"data": DATA_BITS, "strobe": DATA_BITS // 8})
        burst = data.StructLayout({"address": ADDRESS_BITS, "left": WRITE_BEAT["left"].width})
        m.submodules.beats = beats = DeepQueue(content, _DEPTH)
        m.submodules.bursts = bursts = DeepQueue(burst, _DEPTH)

        # the burst that comes
        come, start = Signal(range(BURST_BEATS)), Signal(ADDRESS_BITS, reset_less=True)
        given, closed = beats.i.p, bursts.i.p
        m.d.comb += [
            given.data.eq(i.p.data), given.strobe.eq(i.p.strobe), beats.i.valid.eq(i.valid),
            closed.address.eq(Mux(come == 0, i.p.address, start)), closed.left.eq(come),
            bursts.i.valid.eq(i.valid & i.p.last),
        ]
        with m.If(i.valid):
            m.d.sync += come.eq(Mux(i.p.last, 0, come + 1))
            with m.If(come == 0):
                m.d.sync += start.eq(i.p.address)

        # the one that goes
        going, left = Signal(), Signal(range(BURST_BEATS), reset_less=True)
        first, content, taken = bursts.o.p, beats.o.p, Signal()
        there = going | bursts.o.valid
        m.d.comb += [
            o.valid.eq(beats.o.valid & there), taken.eq(o.valid & o.ready),
            o.p.address.eq(Mux(going, 0, first.address)), o.p.data.eq(content.data), o.p.strobe.eq(content.strobe),
            o.p.left.eq(Mux(going, left, first.left)),
            beats.o.ready.eq(o.ready & there), bursts.o.ready.eq(o.ready & beats.o.valid & ~going),
        ]
        with m.If(taken):
            m.d.sync += [left.eq(o.p.left - 1), going.eq(o.p.left != 0)]

        held, gone, room, idle = Signal(range(_DEPTH + 4)), Signal(), Signal(), Signal(init=1)
        m.d.sync += [gone.eq(taken), held.eq(held + i.valid - gone), room.eq(held <= _DEPTH - _MARGIN),
                     idle.eq((held == 0) & ~i.valid)]
        m.d.comb += [self.i.room.eq(room), self.i.idle.eq(idle)]
        return m
