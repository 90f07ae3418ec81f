"""The scores of a job over all tokens with the value scales they meet, and the maxima of both."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import from_word
from hw.attention.score_scale import SCORE_BITS

__all__ = ["ScoreMemory", "token_scores"]

_NO_EXPONENT = -128


def token_scores(pairs: int) -> data.StructLayout:
    """A token's scores, by pair, and the scale of its value, a memory word."""
    return data.StructLayout({"scores": data.ArrayLayout(signed(SCORE_BITS), pairs), "value_scale": 32})


class ScoreMemory(wiring.Component):
    """Stores a token's scores and its value scale, a token a cycle, in order from token 0 on.

    i: {scores, value_scale, token, counts, last}; always ready. `counts` has a bit a pair: the pair attends to the
    token. With the token marked `last`, `complete` pulses `LATENCY` cycles later: from then on and until the next
    job's last token, `maximum` is each pair's largest score and `largest` the greatest exponent among its nonzero
    value scales, -128 where there is none. `word` belongs to the `address` of READ_LATENCY cycles before.
    Golden: `score.max()` and `top` of `attention`, docs/numerics.md §7.
    """

    LATENCY = 3
    READ_LATENCY = 2

    def __init__(self, *, pairs: int, context_max: int) -> None:
        self._pairs, self._context = pairs, context_max
        scores = token_scores(pairs)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "scores": scores["scores"].shape, "value_scale": 32, "token": range(context_max),
                "counts": pairs, "last": 1}))),
            "complete": Out(1),
            "address": In(range(context_max)),
            "word": Out(scores),
            "maximum": Out(data.ArrayLayout(signed(SCORE_BITS), pairs)),
            "largest": Out(data.ArrayLayout(signed(8), pairs)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.scores = scores = Memory(shape=self.word.shape(), depth=self._context, init=[],
                                          attrs={"ram_style": "block"})  # UltraRAM is for what is wider still
        write, read = scores.write_port(), scores.read_port()
        new = Signal(self.i.p.shape(), reset_less=True)
        valid, complete = Signal(), Signal()
        m.d.sync += [valid.eq(self.i.valid), new.eq(self.i.p), self.word.eq(read.data),
                     complete.eq(valid & new.last), self.complete.eq(complete)]
        m.d.comb += [
            self.i.ready.eq(1),
            write.addr.eq(new.token), write.en.eq(valid),
            write.data.scores.eq(new.scores), write.data.value_scale.eq(new.value_scale),
            read.addr.eq(self.address),
        ]

        mantissa, exponent = from_word(new.value_scale)
        scaled = Signal(reset_less=True)  # of the token in `new`
        m.d.sync += scaled.eq(self.i.p.value_scale[:len(mantissa)].any())
        for pair in range(self._pairs):
            best = Signal(signed(SCORE_BITS), name=f"best_{pair}", reset_less=True)
            top = Signal(signed(8), name=f"top_{pair}", reset_less=True)
            score, first = new.scores[pair], new.token == 0
            counts = new.counts[pair]
            with m.If(valid & counts & (first | (score > best))):
                m.d.sync += best.eq(score)
            with m.If(valid & first):
                m.d.sync += top.eq(Mux(counts & scaled, exponent, _NO_EXPONENT))
            with m.Elif(valid & counts & scaled & (exponent > top)):
                m.d.sync += top.eq(exponent)
            with m.If(complete):
                m.d.sync += [self.maximum[pair].eq(best), self.largest[pair].eq(top)]
        return m
