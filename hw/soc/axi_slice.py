"""AXI slice: a port cut by registers on all its channels."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import DATA_BITS, Axi4
from hw.stream.register_slice import RegisterSlice

__all__ = ["AxiSlice"]

_CHANNELS = ("ar", "r", "aw", "w", "b")


class AxiSlice(wiring.Component):
    """From a master at `i` to a slave at `o`, a cycle later each way; every channel passes a transfer a cycle.

    No path leads through it: all its outputs come from registers (`RegisterSlice`).
    """

    def __init__(self, bits: int = DATA_BITS) -> None:
        super().__init__({"i": In(Axi4(bits)), "o": Out(Axi4(bits))})

    def elaborate(self, platform) -> Module:
        m = Module()
        members = Axi4().members
        for channel in _CHANNELS:
            forth = members[f"{channel}valid"].flow == Out
            source, sink = (self.i, self.o) if forth else (self.o, self.i)
            payload = [name for name in members
                       if name.startswith(channel) and name.removeprefix(channel) not in ("valid", "ready")
                       and members[name].flow == (Out if forth else In)]
            given, taken = (Cat(*(getattr(side, name) for name in payload)) for side in (source, sink))
            m.submodules[channel] = cut = RegisterSlice(len(given))
            m.d.comb += [
                cut.i.payload.eq(given), cut.i.valid.eq(getattr(source, f"{channel}valid")),
                getattr(source, f"{channel}ready").eq(cut.i.ready),
                taken.eq(cut.o.payload), getattr(sink, f"{channel}valid").eq(cut.o.valid),
                cut.o.ready.eq(getattr(sink, f"{channel}ready")),
            ]
        return m
