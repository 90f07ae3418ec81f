"""Queries and their scales, written by the vector engine before an ATTEND."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.scalar import SCALAR
from models.machine.build import LANES

__all__ = ["QUERY", "QUERY_SCALE", "QueryMemory"]

QUERY = data.StructLayout({"row": 8, "head": 8, "index": 16, "values": data.ArrayLayout(signed(16), LANES)})
QUERY_SCALE = data.StructLayout({"row": 8, "head": 8, "scale": SCALAR})


class QueryMemory(wiring.Component):
    """int16 queries of `rows` rows and `heads` heads, read `lanes` elements at a time, and a scale each.

    Both input streams are always ready. A query word has LANES elements, `index` the first of them, a multiple of
    LANES. Writes to a head, row or index outside the memory are undefined. `word` holds elements chunk * lanes ..
    + lanes - 1 of the head one cycle after the address; `scale` follows its own address by one cycle too. Elements
    never written read as zero.

    Parameters
    ----------
    lanes: elements a word, a power of two from LANES. dim_max: elements a head.
    """

    def __init__(self, *, rows: int, heads: int, dim_max: int, lanes: int):
        if lanes < LANES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two from {LANES}, got {lanes}")
        self.rows, self.heads, self.lanes = rows, heads, lanes
        self.chunks = -(-dim_max // lanes)
        super().__init__({
            "i_query": In(stream.Signature(QUERY)),
            "i_query_scale": In(stream.Signature(QUERY_SCALE)),
            "row": In(range(rows)),
            "head": In(range(heads)),
            "chunk": In(range(self.chunks)),
            "word": Out(data.ArrayLayout(signed(16), lanes)),
            "scale_row": In(range(rows)),
            "scale_head": In(range(heads)),
            "scale": Out(SCALAR),
        })

    def elaborate(self, platform):
        m = Module()
        chunk_bits, head_bits = ceil_log2(self.chunks), ceil_log2(self.heads)
        lane_bits = ceil_log2(self.lanes)
        heads = self.rows << head_bits

        m.submodules.queries = queries = Memory(
            shape=data.ArrayLayout(signed(16), self.lanes), depth=heads << chunk_bits, init=[])
        write, read = queries.write_port(granularity=LANES), queries.read_port()
        query = self.i_query.payload
        m.d.comb += [
            self.i_query.ready.eq(1),
            write.addr.eq(Cat(
                query.index[lane_bits:lane_bits + chunk_bits], query.head[:head_bits], query.row)),
            write.en.eq(self.i_query.valid << query.index[ceil_log2(LANES):lane_bits]),
            *(write.data[lane].eq(query.values[lane % LANES]) for lane in range(self.lanes)),
            read.addr.eq(Cat(self.chunk[:chunk_bits], self.head[:head_bits], self.row)),
            self.word.eq(read.data),
        ]

        m.submodules.scales = scales = Memory(shape=SCALAR, depth=heads, init=[])
        write, read = scales.write_port(), scales.read_port()
        scale = self.i_query_scale.payload
        m.d.comb += [
            self.i_query_scale.ready.eq(1),
            write.addr.eq(Cat(scale.head[:head_bits], scale.row)),
            write.en.eq(self.i_query_scale.valid),
            write.data.eq(scale.scale),
            read.addr.eq(Cat(self.scale_head[:head_bits], self.scale_row)),
            self.scale.eq(read.data),
        ]
        return m
