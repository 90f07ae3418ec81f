"""The chunks of keys in a beat, and the scales of the key that ends in it."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from hw.attention.query_key_dot import key_beat
from hw.stream.kept import KEPT
from models.machine.cache import BLOCK_TOKENS

__all__ = ["KeyChunks"]


class KeyChunks(wiring.Component):
    """Number the chunks of each beat of keys: beats hold `parts` chunks of `chunk_bits`, keys `chunk_last` + 1 of them.

    `begin` comes before a job's first beat; `header` takes the beat as one of the scales of a block; `valid` as one of
    keys. `keys`: the beat with its chunks' numbers; `ends`: the key of `token` ends in it, whose `key_scale` and
    `value_scale`, memory words, are there two cycles later. A beat a cycle. sliced: they are no whole beats of the
    memory, so that a block's scales lie in small memories.
    """

    def __init__(self, *, chunk_bits: int, parts: int, chunks: int, sliced: bool = False) -> None:
        self._parts, self._chunks, self._sliced = parts, chunks, sliced
        super().__init__({
            "chunk_last": In(range(chunks)),
            "token": In(range(BLOCK_TOKENS)),
            "bank": In(1),
            "beat": In(chunk_bits * parts),
            "begin": In(1),
            "header": In(1),
            "valid": In(1),
            "keys": Out(key_beat(chunk_bits, parts, chunks)),
            "ends": Out(1),
            "key_scale": Out(32),
            "value_scale": Out(32),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        parts, keys, chunk_last = self._parts, self.keys, self.chunk_last
        numbers = [Signal(range(self._chunks), name=f"number_{part}", init=part) for part in range(parts)]
        ends = [Signal(name=f"ends_{part}", reset_less=True) for part in range(parts)]  # number == chunk_last
        following = Array(range(parts, self._chunks + parts))[numbers[0]]  # a table, as a carry chain is another level
        if parts == 1:
            after = [Mux(ends[0], 0, following)]
        else:  # the key that ends in a beat's first chunk has an odd number of them
            after = [Mux(ends[0], 1, Mux(ends[1], 0, following)),
                     Mux(ends[0], 2, Mux(ends[1], 1, Mux(following == chunk_last, 0, following + 1)))]
        m.d.comb += [self.ends.eq(Cat(ends).any()), keys.data.eq(self.beat), keys.bank.eq(self.bank)]
        for part, number in enumerate(numbers):
            m.d.comb += [keys.parts[part].chunk.eq(number), keys.parts[part].first.eq(number == 0),
                         keys.parts[part].last.eq(ends[part])]
            with m.If(self.valid):
                m.d.sync += [number.eq(after[part]), ends[part].eq(after[part] == chunk_last)]
            with m.If(self.begin):
                m.d.sync += [number.eq(part), ends[part].eq(chunk_last == part)]

        index = Signal(ceil_log2(BLOCK_TOKENS), reset_less=True)
        m.d.sync += index.eq(self.token)
        (self._small_scales if self._sliced else self._scales)(m, index)
        return m

    def _scales(self, m: Module, index: Signal) -> None:
        """A block's scales in registers: few and wide beats bring them."""
        words = data.ArrayLayout(32, 2 * BLOCK_TOKENS)  # scales of keys, then of values
        header = Signal(words, reset_less=True)
        # a cycle late, by registers; the first key's scales are read no earlier
        beat, bits = Signal(len(self.beat), reset_less=True), header.as_value()
        m.d.sync += beat.eq(self.beat)
        for low in range(0, len(bits), len(beat)):
            later = Signal(name=f"header_{low // len(beat)}", reset_less=True, attrs=KEPT)
            m.d.sync += later.eq(self.header)
            with m.If(later):
                m.d.sync += bits[low:low + len(beat)].eq(Cat(bits, beat)[low + len(beat):low + 2 * len(beat)])
        m.d.sync += [
            self.key_scale.eq(header[index]),
            self.value_scale.eq(data.View(data.ArrayLayout(32, BLOCK_TOKENS),
                                          header.as_value()[32 * BLOCK_TOKENS:])[index]),
        ]

    def _small_scales(self, m: Module, index: Signal) -> None:
        """Keys' scales in one memory, values' in another, as many words wide as a slice."""
        word_bits = exact_log2(len(self.beat) // 32)
        number = Signal(1 + len(index) - word_bits)  # of the slice in its header
        with m.If(self.header):
            m.d.sync += number.eq(number + 1)
        for half, (name, scale) in enumerate((("key_scales", self.key_scale), ("value_scales", self.value_scale))):
            m.submodules[name] = memory = Memory(shape=len(self.beat), depth=BLOCK_TOKENS >> word_bits, init=[],
                                                 attrs={"ram_style": "distributed"})
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [write.addr.eq(number[:-1]), write.data.eq(self.beat),
                         write.en.eq(self.header & (number[-1] == half)), read.addr.eq(index[word_bits:])]
            m.d.sync += scale.eq(read.data.word_select(index[:word_bits], 32) if word_bits else read.data)
