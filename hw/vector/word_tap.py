"""The tap on words of channels, with its parameters out of their memory."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.vector.channel_memories import READ_LATENCY, channel_read, tap_word
from hw.vector.tap import TAP_PRODUCT, TAP_SETTINGS, Tap

__all__ = ["WordTap", "WordTapPort", "tap_products", "tapped_word"]


def tap_products(lanes: int) -> data.ArrayLayout:
    """x * gain of a word's channels."""
    return data.ArrayLayout(TAP_PRODUCT, lanes)


def tapped_word(lanes: int) -> data.StructLayout:
    """A row's channels before or behind the tap."""
    return data.StructLayout({"x": data.ArrayLayout(signed(40), lanes), "last": 1})


class WordTapPort(wiring.Signature):
    """A user's side of a WordTap: settings and words go out, results come back; flipped, the unit's side."""

    def __init__(self, lanes: int) -> None:
        super().__init__({"settings": Out(TAP_SETTINGS),
                          "words": Out(stream.Signature(tapped_word(lanes), always_ready=True)),
                          "results": In(stream.Signature(tapped_word(lanes), always_ready=True))})


class WordTap(wiring.Component):
    """`Tap` on `lanes` channels a cycle, `LATENCY` cycles later; no backpressure.

    Words are those of a whole row, channel 0 first and the last one marked: their parameters are read in step.
    `settings` hold still while words are inside. `products` are those of the word that entered PRODUCT_LATENCY cycles
    before.
    """

    LATENCY = READ_LATENCY + Tap.LATENCY
    PRODUCT_LATENCY = READ_LATENCY + Tap.PRODUCT_LATENCY

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__({
            "settings": In(TAP_SETTINGS),
            "i": In(stream.Signature(tapped_word(lanes), always_ready=True)),
            "o": Out(stream.Signature(tapped_word(lanes), always_ready=True)),
            "memory": Out(channel_read(tap_word(lanes))),
            "products": Out(tap_products(lanes)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        index = Signal(16)
        m.d.comb += self.memory.index.eq(index)
        with m.If(self.i.valid):
            m.d.sync += index.eq(Mux(self.i.p.last, 0, index + 1))
        valid, word = self.i.valid, self.i.p
        for _ in range(READ_LATENCY):
            later_valid, later = Signal(), Signal(self.i.p.shape(), reset_less=True)
            m.d.sync += [later_valid.eq(valid), later.eq(word)]
            valid, word = later_valid, later

        for n in range(self._lanes):
            m.submodules[f"lane_{n}"] = lane = Tap(0 if n else 1)
            m.d.comb += [
                lane.settings.eq(self.settings), lane.i.valid.eq(valid), lane.i.p.x.eq(word.x[n]),
                lane.i.p.parameters.eq(self.memory.word[n]), lane.o.ready.eq(1), self.o.p.x[n].eq(lane.o.p.y),
                self.products[n].eq(lane.product),
            ]
            if n == 0:
                m.d.comb += [lane.i.p.user.eq(word.last), self.o.valid.eq(lane.o.valid),
                             self.o.p.last.eq(lane.o.p.user)]
        return m
