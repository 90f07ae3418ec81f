"""Queries and their scales, written by the vector engine before an ATTEND."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from hw.arith.scalar import SCALAR
from models.machine.build import QUERY_WORD

__all__ = ["QUERY_SCALE", "QueryMemory", "query_part"]

_WORD_BITS = exact_log2(QUERY_WORD)

QUERY_SCALE = data.StructLayout({"row": 8, "head": 8, "scale": SCALAR})


def query_part(lanes: int) -> data.StructLayout:
    """Elements index .. index + lanes - 1 of a head's query, index a multiple of lanes."""
    return data.StructLayout({"row": 8, "head": 8, "index": 16, "values": data.ArrayLayout(signed(16), lanes)})


class QueryMemory(wiring.Component):
    """int16 queries of `rows` rows and `heads` heads, `lanes` written and `word` read at a time, and a scale each.

    `i_query`: `query_part`. Both input streams are always ready. Writes to a head, row or index outside the memory are
    undefined. `word` holds the head's elements from index times their number on, and `scale` the head's scale,
    `LATENCY` cycles after `row`, `head` and `index`. Elements never written read as zero.

    A row has `places` times 16 elements (a power of two), where heads times sixteens of a head, each taken up to a
    power of two, must find room. Where the most heads and the longest do not at once, the high bits of a sixteen's
    number share address bits with those of the head's: one of them is 0.
    """

    LATENCY = 2

    def __init__(self, *, rows: int, heads: int, dim_max: int, places: int, lanes: int, word: int = QUERY_WORD) -> None:
        self.rows, self.heads, self._lanes, self.elements = rows, heads, lanes, word
        self._head_bits, self._word_bits = ceil_log2(heads), ceil_log2(-(-dim_max // QUERY_WORD))
        self._part_bits = _WORD_BITS - exact_log2(word)  # words of a sixteen
        self._shared = self._head_bits + self._word_bits - exact_log2(places)
        if not 0 <= self._shared <= min(self._head_bits, self._word_bits):
            raise ValueError(f"{places} places do not suit {heads} heads of {-(-dim_max // QUERY_WORD)} words")
        super().__init__({
            "i_query": In(stream.Signature(query_part(lanes))),
            "i_query_scale": In(stream.Signature(QUERY_SCALE)),
            "row": In(range(rows)),
            "head": In(range(heads)),
            "index": In(range(-(-dim_max // word))),
            "word": Out(data.ArrayLayout(signed(16), word)),
            "scale": Out(SCALAR),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        head_bits, row_bits = self._head_bits, ceil_log2(self.rows)
        heads = self.rows << head_bits
        address = Cat(self.head[:head_bits], self.row[:row_bits])

        count, word_bits, lane_bits = self.elements // self._lanes, exact_log2(self.elements), exact_log2(self._lanes)
        parts = data.ArrayLayout(self.i_query.p["values"].shape(), count)  # written one at a time
        m.submodules.queries = queries = Memory(
            shape=parts, depth=heads << self._word_bits - self._shared + self._part_bits, init=[])
        write, read = queries.write_port(granularity=1), queries.read_port()
        query = self.i_query.p
        m.d.comb += [
            self.i_query.ready.eq(1),
            write.addr.eq(Cat(self._place(query.head, query.index[word_bits:]), query.row[:row_bits])),
            write.en.eq(self.i_query.valid << query.index[lane_bits:word_bits]),
            *(write.data[part].eq(query["values"]) for part in range(count)),
            read.addr.eq(Cat(self._place(self.head, self.index), self.row[:row_bits])),
        ]
        m.d.sync += self.word.eq(read.data)

        m.submodules.scales = scales = Memory(shape=SCALAR, depth=heads, init=[])
        write, read = scales.write_port(), scales.read_port()
        scale = self.i_query_scale.p
        m.d.comb += [
            self.i_query_scale.ready.eq(1),
            write.addr.eq(Cat(scale.head[:head_bits], scale.row[:row_bits])),
            write.en.eq(self.i_query_scale.valid),
            write.data.eq(scale.scale),
            read.addr.eq(address),
        ]
        m.d.sync += self.scale.eq(read.data)
        return m

    def _place(self, head: Value, word: Value) -> Value:
        """Number of a head's word in its row: the word's bits, then the head's, the highest of both shared."""
        own = self._part_bits + self._word_bits - self._shared
        high = list(head[:self._head_bits])
        for n in range(self._shared):
            high[-1 - n] |= word[own + n]
        return Cat(word[:own], *high)
