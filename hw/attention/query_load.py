"""Brings a job's queries to the dot products' lanes, while the job before is at work."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arith.scalar import SCALAR, from_word
from hw.arith.scalar_product import scalar_product_steps
from hw.attention.jobs import JOB, pair_head, pair_row, pairs_last
from hw.attention.query_key_dot import query_word
from hw.attention.query_memory import QueryMemory
from hw.command import field_shapes
from hw.stream.pipeline import Pipeline
from models.machine.build import QUERY_WORD
from models.machine.descriptor import Opcode

__all__ = ["QueryLoad"]

_ANSWER = 1 + QueryMemory.LATENCY  # the address is a register


class QueryLoad(wiring.Component):
    """Reads the queries of a job's pairs from `QueryMemory` and writes them into the lanes' other bank.

    Jobs alternate between the banks, the first takes bank 0. A load begins when its bank is free: both are at
    first, and each pulse on `bank_free` gives the older one back. A job goes on to `o` when its queries are written;
    its `units` {q_scale * score_constant of each pair} follow within six cycles more, and stay until the bank is
    loaded again. `write` goes to `QueryKeyDot`. Golden: `mul(q_scale[h], score_constant)` of `attention`.

    Cycles of a load: pairs * ceil(dim / word) + 6, with `word` elements of a query at a time.
    """

    def __init__(self, *, pairs: int, rows: int, heads: int, words: int, word: int = QUERY_WORD) -> None:
        self._pairs, self._words, self._element_bits = pairs, words, exact_log2(word)
        super().__init__({
            **{name: In(shape) for name, shape in field_shapes(Opcode.ATTEND, "dim", "score_constant").items()},
            "bank_free": In(1),
            "i": In(stream.Signature(JOB)),
            "o": Out(stream.Signature(JOB)),
            "row": Out(range(rows)),
            "head": Out(range(heads)),
            "index": Out(range(words)),
            "word": In(query_word(pairs, words, word)["values"].shape.elem_shape),
            "scale": In(SCALAR),
            "write_valid": Out(1),
            "write": Out(query_word(pairs, words, word)),
            "units": Out(data.ArrayLayout(data.ArrayLayout(SCALAR, pairs), 2)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        job = Signal(JOB, reset_less=True)
        free, bank = Signal(2, init=2), Signal()
        pair, index = Signal(range(self._pairs)), Signal(range(self._words))
        last_pair = Signal(range(self._pairs), reset_less=True)
        rest = Signal(range(_ANSWER + 1))
        # whether the index is the last, known a step ahead
        last_index, before_last = Signal.like(index, reset_less=True), Signal.like(index, reset_less=True)
        one_index, index_last = Signal(reset_less=True), Signal(reset_less=True)
        ready, begin = Signal(init=1), Signal()  # idle, and a bank is free
        tag_layout = data.StructLayout({"valid": 1, "pair": pair.shape(), "index": index.shape(), "write": 1})
        tag = Signal(tag_layout)

        m.d.sync += [
            free.eq(free + self.bank_free - begin),
            last_index.eq((self.dim - 1) >> self._element_bits), before_last.eq(last_index - 1),
            one_index.eq(last_index == 0),
        ]
        m.d.comb += [self.i.ready.eq(ready), begin.eq(self.i.valid & ready), self.o.payload.eq(job),
                     tag.pair.eq(pair), tag.index.eq(index), tag.write.eq(pair == last_pair)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [job.eq(self.i.p), pair.eq(0), index.eq(0), index_last.eq(one_index),
                             ready.eq((free != 0) | self.bank_free)]
                with m.If(begin):
                    m.d.sync += ready.eq(0)
                    m.next = "SHAPE"
            with m.State("SHAPE"):
                m.d.sync += last_pair.eq(pairs_last(job))
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += tag.valid.eq(1)
                m.d.sync += [pair.eq(pair + 1), rest.eq(_ANSWER)]
                with m.If(tag.write):
                    m.d.sync += [pair.eq(0), index.eq(index + 1), index_last.eq(index == before_last)]
                    with m.If(index_last):
                        m.next = "REST"
            with m.State("REST"):
                m.d.sync += rest.eq(rest - 1)
                with m.If(rest == 0):
                    m.next = "GO ON"
            with m.State("GO ON"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [bank.eq(~bank), ready.eq((free != 0) | self.bank_free)]
                    m.next = "IDLE"

        # the address, and what it was when the answer is there
        with m.Switch(pair):
            for number in range(self._pairs):
                with m.Case(number):
                    m.d.sync += [self.row.eq(job.row + pair_row(job, number)),
                                 self.head.eq(job.head + pair_head(job, number))]
        m.d.sync += self.index.eq(index)
        for n in range(_ANSWER):
            before, tag = tag, Signal(tag_layout, name=f"tag_{n}")
            m.d.sync += tag.eq(before)
        of_pair = Signal(self._pairs)  # whose word it is, one-hot
        m.d.sync += of_pair.eq(before.valid << before.pair)

        # all pairs' words at once
        earlier = Signal(data.ArrayLayout(self.write.values[0].shape(), self._pairs), reset_less=True)
        for number in range(self._pairs):
            with m.If(of_pair[number]):
                m.d.sync += earlier[number].eq(self.word)
        m.d.comb += [
            self.write_valid.eq(tag.valid & tag.write), self.write.bank.eq(bank), self.write.index.eq(tag.index),
            self.write.values.eq(earlier),
        ]
        with m.Switch(tag.pair):
            for number in range(self._pairs):
                with m.Case(number):
                    m.d.comb += self.write.values[number].eq(self.word)

        self._elaborate_units(m, platform, tag, bank)
        return m

    def _elaborate_units(self, m: Module, platform, tag, bank) -> None:
        constant = Signal(SCALAR)
        mantissa, exponent = from_word(self.score_constant)
        m.d.comb += [constant.m.eq(mantissa), constant.e.eq(exponent)]
        layout = data.StructLayout({"unit": SCALAR, "pair": range(self._pairs), "bank": 1})
        given, product = stream.Signature(0).create(), stream.Signature(layout).create()
        m.d.comb += [given.valid.eq(tag.valid & (tag.index == 0)), product.ready.eq(1)]
        p = Pipeline(m, given, product, platform)
        scale, pair, bank = p.step(self.scale, tag.pair, bank)
        unit, pair, bank = scalar_product_steps(p, data.View(SCALAR, scale), constant, pair, bank)
        p.finish(unit=unit, pair=pair, bank=bank)
        with m.If(product.valid):
            m.d.sync += self.units[product.p.bank][product.p.pair].eq(product.p.unit)
