"""Keys or values of a few tokens, held on chip until those of a head can leave together."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.scalar import SCALAR, to_word
from hw.vector.norm_quant import quantised_word

__all__ = ["BEAT_BYTES", "SCALES_A_BEAT", "KVStage", "scale_beats"]

BEAT_BYTES = 16
SCALES_A_BEAT = BEAT_BYTES // 4


def scale_beats(rows: int) -> int:
    """Beats that the scales of `rows` tokens in a row touch, at most."""
    return (rows + 2 * SCALES_A_BEAT - 2) // SCALES_A_BEAT


class KVStage(wiring.Component):
    """`rows` rows of heads as beats of memory, little-endian, first channel lowest, and their scales as memory words.

    A pulse on `begin` starts row `row`; then come its heads' values on `i`, each head's last word marked, and a scale a
    head on `i_scale`, both always taken. `within`: the place of the row's scale in its beat and of the beat
    among those that the rows' scales take. Beats of a row are numbered through its heads, a head's last one
    perhaps half filled; `beats` is their number in a head and `tail` the strobe of its last one, from the first
    head's end on. `READ_LATENCY` cycles after `read_row` and `read_beat`, `beat` is theirs; after `read_scales` and
    `read_head`, `scales` are that head's. What was not written is undefined.
    """

    READ_LATENCY = 2

    def __init__(self, *, kv_bits: int, rows: int, heads: int, beats: int, lanes: int) -> None:
        """rows: a power of two. heads and beats: of a row, at most."""
        self._kv_bits, self._rows, self._heads, self._beats, self._lanes = kv_bits, rows, heads, beats, lanes
        self._scale_beats = scale_beats(rows)
        super().__init__({
            "begin": In(1),
            "row": In(range(rows)),
            "within": In(range(rows + SCALES_A_BEAT - 1)),
            "i": In(stream.Signature(quantised_word(lanes), always_ready=True)),
            "i_scale": In(stream.Signature(SCALAR, always_ready=True)),
            "beats": Out(range(beats + 1)),
            "tail": Out(BEAT_BYTES),
            "read_row": In(range(rows)),
            "read_beat": In(range(beats)),
            "beat": Out(BEAT_BYTES * 8),
            "read_scales": In(range(self._scale_beats)),
            "read_head": In(range(heads)),
            "scales": Out(BEAT_BYTES * 8),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        beat_bits, head_bits = ceil_log2(self._beats), ceil_log2(self._heads)
        words = BEAT_BYTES * 8 // (self._lanes * self._kv_bits)  # of a beat
        i = self.i
        beat, word = Signal(range(self._beats)), Signal(range(words))
        of_head = Signal(range(self._beats))
        beat_ends = i.p.last | (word == words - 1)
        m.submodules.values = values = Memory(
            shape=data.ArrayLayout(self._lanes * self._kv_bits, words), depth=self._rows << beat_bits, init=[],
            attrs={"ram_style": "block"})
        write, read = values.write_port(granularity=1), values.read_port()
        m.d.comb += [
            write.addr.eq(Cat(beat[:beat_bits], self.row)), write.en.eq(i.valid << word),
            *(write.data[n].eq(Cat(value[:self._kv_bits] for value in i.p.values)) for n in range(words)),
            read.addr.eq(Cat(self.read_beat[:beat_bits], self.read_row)),
        ]
        m.d.sync += self.beat.eq(read.data)
        with m.If(i.valid):
            m.d.sync += word.eq(Mux(beat_ends, 0, word + 1))
            with m.If(beat_ends):
                m.d.sync += [beat.eq(beat + 1), of_head.eq(of_head + 1)]
            with m.If(i.p.last):
                m.d.sync += [of_head.eq(0), self.beats.eq(of_head + 1)]
                for n in range(words):
                    with m.If(word == n):
                        m.d.sync += self.tail.eq((1 << (n + 1) * BEAT_BYTES // words) - 1)

        head, scale, scale_there = Signal(range(self._heads)), Signal(32, reset_less=True), Signal()
        m.d.sync += [scale.eq(to_word(self.i_scale.p)), scale_there.eq(self.i_scale.valid)]
        m.submodules.scales = scales = Memory(
            shape=data.ArrayLayout(32, SCALES_A_BEAT), depth=self._scale_beats << head_bits, init=[],
            attrs={"ram_style": "distributed"})
        write, read = scales.write_port(granularity=1), scales.read_port()
        m.d.comb += [
            write.addr.eq(Cat(head[:head_bits], self.within[2:])), write.en.eq(scale_there << self.within[:2]),
            *(write.data[n].eq(scale) for n in range(SCALES_A_BEAT)),
            read.addr.eq(Cat(self.read_head[:head_bits], self.read_scales)),
        ]
        m.d.sync += self.scales.eq(read.data)
        with m.If(scale_there):
            m.d.sync += head.eq(head + 1)
        with m.If(self.begin):
            m.d.sync += [beat.eq(0), word.eq(0), of_head.eq(0), head.eq(0)]
        return m
