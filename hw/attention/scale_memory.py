"""The scales of one head's keys or values, kept on chip while the rows they belong to stream by."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.machine.build import PORT_BYTES

__all__ = ["WORDS_PER_BEAT", "ScaleMemory"]

WORDS_PER_BEAT = PORT_BYTES // 4
_NO_EXPONENT = -128


class ScaleMemory(wiring.Component):
    """Memory words of up to `context_max` tokens, four a beat, token 0 first, and their largest exponent.

    A pulse on `start` begins a new list of `tokens` scales; `i` is always ready and takes
    ceil(tokens / 4) beats; words past the last token are stored and never count. `word` belongs to the
    `token` of two enabled cycles before (`enable` moves the read's two registers). `largest` is the greatest
    exponent among the nonzero scales of the list, -128 where there is none; it is final
    `LARGEST_LATENCY` cycles after the last beat. Golden: `top` of `attention`, docs/numerics.md §7.
    """

    READ_LATENCY = 2
    LARGEST_LATENCY = 4

    def __init__(self, *, context_max: int):
        self._beats = -(-context_max // WORDS_PER_BEAT)
        super().__init__({
            "start": In(1),
            "tokens": In(range(context_max + 1)),
            "i": In(stream.Signature(PORT_BYTES * 8)),
            "token": In(range(context_max)),
            "enable": In(1, init=1),
            "word": Out(32),
            "largest": Out(signed(8), init=_NO_EXPONENT),
        })

    def elaborate(self, platform):
        m = Module()
        words = data.ArrayLayout(32, WORDS_PER_BEAT)
        m.submodules.memory = memory = Memory(shape=words, depth=self._beats, init=[])
        write, read = memory.write_port(), memory.read_port()
        beat = Signal(range(self._beats + 1))
        with m.If(self.start):
            m.d.sync += beat.eq(0)
        with m.Elif(self.i.valid):
            m.d.sync += beat.eq(beat + 1)
        m.d.comb += [self.i.ready.eq(1), write.addr.eq(beat), write.en.eq(self.i.valid),
                     write.data.eq(self.i.payload)]

        select = Signal(2, reset_less=True)
        m.d.comb += [read.addr.eq(self.token >> 2), read.en.eq(self.enable)]
        with m.If(self.enable):
            m.d.sync += [select.eq(self.token), self.word.eq(read.data[select])]

        self._elaborate_largest(m, data.View(words, self.i.payload), beat)
        return m

    def _elaborate_largest(self, m: Module, words: data.View, beat: Signal) -> None:
        """Exponents of the four words, pairwise maxima, maximum of the beat, running maximum."""
        level = []
        for index in range(WORDS_PER_BEAT):
            word, exponent = words[index], Signal(signed(8), reset_less=True)
            level.append(exponent)
            counts = (Cat(Const(index, 2), beat) < self.tokens) & word[:24].any()
            m.d.sync += exponent.eq(Mux(counts, word[24:32].as_signed(), _NO_EXPONENT))
        while len(level) > 1:
            pairs, level = list(zip(level[::2], level[1::2], strict=True)), []
            for a, b in pairs:
                larger = Signal(signed(8), reset_less=True)
                m.d.sync += larger.eq(Mux(a > b, a, b))
                level.append(larger)

        new, restart = Signal(self.LARGEST_LATENCY - 1), Signal(self.LARGEST_LATENCY - 1)
        m.d.sync += [new.eq(Cat(self.i.valid, new)), restart.eq(Cat(self.start, restart))]
        with m.If(restart[-1]):
            m.d.sync += self.largest.eq(_NO_EXPONENT)
        with m.Elif(new[-1] & (level[0] > self.largest)):
            m.d.sync += self.largest.eq(level[0])
