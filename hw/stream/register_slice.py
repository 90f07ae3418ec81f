"""Register slice: a stream cut by registers in both directions."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.boards.technology import PLAIN, Technology
from hw.stream.kept import KEPT

__all__ = ["RegisterSlice", "sliced"]

_BITS = 256  # of a payload that one register selects


def sliced(m: Module, technology: Technology | None, name: str, source: wiring.PureInterface, *,
           add: Callable[[str, wiring.Component], None] | None = None) -> wiring.PureInterface:
    """A stream behind a slice, submodule `name` of `m`, where the technology's wires are slow; elsewhere as it is.

    add: puts the slice there in its own way, for one with another reset.
    """
    if not (technology or PLAIN).slow_wires:
        return source
    cut = RegisterSlice(source.payload.shape())
    if add:
        add(name, cut)
    else:
        m.submodules[name] = cut
    connect(m, source, cut.i)
    return cut.o


class RegisterSlice(wiring.Component):
    """First in, first out, two transfers of `shape`; latency 1 cycle, throughput 1 a cycle.

    `i.ready` and `o.valid` are registers, and registers enable those of the payload: the place that is next to be
    filled takes what is there until a transfer was. So a wide stream has no logic with many loads. `o.payload` comes
    out of multiplexers, whose selects are registers too.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform) -> Module:
        m = Module()
        given = Value.cast(self.i.payload)
        places = [Signal(len(given), name=f"place_{n}", reset_less=True) for n in range(2)]
        open_ = Signal(2, init=1)  # the place to be filled, one-hot; 0 where both are full
        ready, valid = Signal(init=1), Signal()
        to_fill, to_give = Signal(), Signal()  # numbers of places
        selects = [Signal(name=f"select_{n}", reset_less=True, attrs=KEPT)  # to_give, for some of the bits each
                   for n in range(-(-len(given) // _BITS))]
        put, got, full = Signal(), Signal(), Signal()
        next_fill, next_give = to_fill ^ put, to_give ^ got
        m.d.comb += [
            self.i.ready.eq(ready), self.o.valid.eq(valid),
            put.eq(self.i.valid & ready), got.eq(valid & self.o.ready),
            full.eq(Mux(ready, valid & put, 1) & ~got),  # next cycle
            *(Value.cast(self.o.payload)[_BITS * n:_BITS * (n + 1)].eq(
                Mux(select, *(place[_BITS * n:_BITS * (n + 1)] for place in reversed(places))))
              for n, select in enumerate(selects)),
        ]
        m.d.sync += [
            ready.eq(~full), valid.eq(put | (valid & (~ready | ~got))),
            to_fill.eq(next_fill), to_give.eq(next_give), *(select.eq(next_give) for select in selects),
            open_[0].eq(~full & ~next_fill), open_[1].eq(~full & next_fill),
        ]
        for n, place in enumerate(places):
            with m.If(open_[n]):
                m.d.sync += place.eq(given)
        return m
