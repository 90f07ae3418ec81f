"""Register slice: a stream cut by registers in both directions."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RegisterSlice"]


class RegisterSlice(wiring.Component):
    """First in, first out, two transfers of `shape`; latency 1 cycle, throughput 1 a cycle.

    `i.ready` and `o.valid` are registers, and registers enable those of the payload: the place that is next to be filled
    takes what is there until a transfer was. So a wide stream has no logic with many loads. `o.payload` comes out of a
    multiplexer, whose select is a register too.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform) -> Module:
        m = Module()
        places = [Signal(self.i.payload.shape(), name=f"place_{n}", reset_less=True) for n in range(2)]
        open_ = Signal(2, init=1)  # the place to be filled, one-hot; 0 where both are full
        ready, valid = Signal(init=1), Signal()
        to_fill, to_give = Signal(), Signal()  # numbers of places
        put, got, full = Signal(), Signal(), Signal()
        next_fill = to_fill ^ put
        m.d.comb += [
            self.i.ready.eq(ready), self.o.valid.eq(valid),
            put.eq(self.i.valid & ready), got.eq(valid & self.o.ready),
            full.eq(Mux(ready, valid & put, 1) & ~got),  # next cycle
            self.o.payload.eq(Mux(to_give, places[1], places[0])),
        ]
        m.d.sync += [
            ready.eq(~full), valid.eq(put | (valid & (~ready | ~got))),
            to_fill.eq(next_fill), to_give.eq(to_give ^ got),
            open_[0].eq(~full & ~next_fill), open_[1].eq(~full & next_fill),
        ]
        for n, place in enumerate(places):
            with m.If(open_[n]):
                m.d.sync += place.eq(self.i.payload)
        return m
