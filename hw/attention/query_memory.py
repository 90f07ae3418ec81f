"""Queries and their scales, written by the vector engine before an ATTEND."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from hw.arith.scalar import SCALAR
from models.machine.build import LANES

__all__ = ["QUERY", "QUERY_SCALE", "QueryMemory"]

_WORD = 16  # elements of a read
_WORD_BITS, _LANE_BITS = exact_log2(_WORD), exact_log2(LANES)

QUERY = data.StructLayout({"row": 8, "head": 8, "index": 16, "values": data.ArrayLayout(signed(16), LANES)})
QUERY_SCALE = data.StructLayout({"row": 8, "head": 8, "scale": SCALAR})


class QueryMemory(wiring.Component):
    """int16 queries of `rows` rows and `heads` heads, LANES written and sixteen read at a time, and a scale each.

    `i_query`: elements index .. index + LANES - 1 of a head, index a multiple of LANES. Both input streams are always
    ready. Writes to a head, row or index outside the memory are undefined. `word` holds elements
    16 * index .. + 15 of the head, and `scale` the head's scale, `LATENCY` cycles after `row`, `head` and `index`.
    Elements never written read as zero.
    """

    LATENCY = 2
    WORD = _WORD

    def __init__(self, *, rows: int, heads: int, dim_max: int):
        self.rows, self.heads = rows, heads
        self.words = -(-dim_max // _WORD)
        super().__init__({
            "i_query": In(stream.Signature(QUERY)),
            "i_query_scale": In(stream.Signature(QUERY_SCALE)),
            "row": In(range(rows)),
            "head": In(range(heads)),
            "index": In(range(self.words)),
            "word": Out(data.ArrayLayout(signed(16), _WORD)),
            "scale": Out(SCALAR),
        })

    def elaborate(self, platform):
        m = Module()
        word_bits, head_bits, row_bits = ceil_log2(self.words), ceil_log2(self.heads), ceil_log2(self.rows)
        heads = self.rows << head_bits
        address = Cat(self.head[:head_bits], self.row[:row_bits])

        parts = data.ArrayLayout(QUERY["values"].shape, _WORD // LANES)  # written one at a time
        m.submodules.queries = queries = Memory(shape=parts, depth=heads << word_bits, init=[])
        write, read = queries.write_port(granularity=1), queries.read_port()
        query = self.i_query.p
        m.d.comb += [
            self.i_query.ready.eq(1),
            write.addr.eq(Cat(
                query.index[_WORD_BITS:_WORD_BITS + word_bits], query.head[:head_bits], query.row[:row_bits])),
            write.en.eq(self.i_query.valid << query.index[_LANE_BITS:_WORD_BITS]),
            *(write.data[part].eq(query.values) for part in range(_WORD // LANES)),
            read.addr.eq(Cat(self.index[:word_bits], address)),
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
