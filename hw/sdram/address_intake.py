"""Address intake: one address channel of a master, its bursts judged and placed."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS, ID_BITS, INCREMENT, SIZE_16_BYTES
from hw.sdram.shapes import ANSWER, PLACE, SIZE_BITS, place

__all__ = ["AddressIntake", "PLACED"]

PLACED = data.StructLayout({"answer": ANSWER, "place": PLACE})
_BEAT_BITS, _BLOCK_BITS = 4, 8  # of a byte address: within a beat, within what a burst may not leave


class AddressIntake(wiring.Component):
    """AR or AW in, its signals without the channel's name; what it asks for on `o`, two cycles later.

    A burst is refused if it is not INCR of full beats, leaves its 256 bytes, or lies outside the memory.
    """

    def __init__(self) -> None:
        super().__init__({
            "id": In(ID_BITS), "addr": In(ADDRESS_BITS), "len": In(8), "size": In(3), "burst": In(2),
            "valid": In(1), "ready": Out(1),
            "o": Out(stream.Signature(PLACED)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        names = ("id", "addr", "len", "size", "burst")
        identity, address, length, size, burst = (
            Signal.like(getattr(self, name), name=f"{name}_held", reset_less=True) for name in names)
        held, leaves = Signal(), Signal()
        beats = Signal(5)  # from the start of the 256 bytes, less one
        m.d.comb += [leaves.eq(self.o.valid & self.o.ready), beats.eq(address[_BEAT_BITS:_BLOCK_BITS] + length[:4])]
        with m.If(self.ready):
            m.d.sync += [identity.eq(self.id), address.eq(self.addr), length.eq(self.len), size.eq(self.size),
                         burst.eq(self.burst), held.eq(self.valid), self.ready.eq(~self.valid)]
        with m.Elif(~held | leaves):  # the first: behind a reset
            m.d.sync += [held.eq(0), self.ready.eq(1)]
        answer = self.o.payload.answer
        m.d.sync += [
            self.o.valid.eq(held & ~leaves),
            answer.refused.eq(address[SIZE_BITS:].any() | length[4:].any() | beats[4] | (size != SIZE_16_BYTES)
                              | (burst != INCREMENT)),
        ]
        m.d.comb += [answer.identity.eq(identity), answer.length.eq(length), self.o.payload.place.eq(place(address))]
        return m
