"""The scores of one group over all tokens, and their exact maxima."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.attention.score_scale import SCORE_BITS

__all__ = ["ScoreMemory"]


class ScoreMemory(wiring.Component):
    """Stores scores in order of arrival, token by token and head by head within a token.

    `start` empties the memory; `i` is always ready. `complete` rises with the score marked `last`
    stored and stays until the next `start`; then `count` is the number of scores and `maximum` that of
    head `maximum_head`, combinational. `score` belongs to the `address` of one enabled cycle before.
    Holds group_max * context_max scores; any group and token count whose product fits may be used.
    """

    def __init__(self, *, group_max: int, context_max: int):
        self._group_max, self._depth = group_max, group_max * context_max
        head = range(group_max)
        super().__init__({
            "start": In(1),
            "group_last": In(head),
            "i": In(stream.Signature(data.StructLayout({
                "score": signed(SCORE_BITS), "head": head, "last": 1}))),
            "complete": Out(1),
            "count": Out(range(self._depth + 1)),
            "address": In(range(self._depth)),
            "enable": In(1, init=1),
            "score": Out(signed(SCORE_BITS)),
            "maximum_head": In(head),
            "maximum": Out(signed(SCORE_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.scores = scores = Memory(shape=signed(SCORE_BITS), depth=self._depth, init=[])
        write, read = scores.write_port(), scores.read_port()
        m.submodules.maxima = maxima = Memory(shape=signed(SCORE_BITS), depth=self._group_max, init=[])
        write_maximum, read_maximum = maxima.write_port(), maxima.read_port(domain="comb")

        first = Signal()  # token 0: its scores are the first maxima
        score = self.i.p.score
        larger = score > read_maximum.data
        m.d.comb += [
            self.i.ready.eq(1),
            write.addr.eq(self.count), write.data.eq(score), write.en.eq(self.i.valid),
            read.addr.eq(self.address), read.en.eq(self.enable), self.score.eq(read.data),
            read_maximum.addr.eq(Mux(self.complete, self.maximum_head, self.i.p.head)),
            self.maximum.eq(read_maximum.data),
            write_maximum.addr.eq(self.i.p.head), write_maximum.data.eq(score),
            write_maximum.en.eq(self.i.valid & (first | larger)),
        ]
        with m.If(self.start):
            m.d.sync += [self.count.eq(0), self.complete.eq(0), first.eq(1)]
        with m.Elif(self.i.valid):
            m.d.sync += [self.count.eq(self.count + 1), self.complete.eq(self.i.p.last)]
            with m.If(self.i.p.head == self.group_last):
                m.d.sync += first.eq(0)
        return m
