"""Dot products of the queries of one group with each key, while the keys stream by."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from models.machine.build import PORT_BYTES

__all__ = ["ROW_BEAT", "QueryKeyDot"]

ROW_BEAT = data.StructLayout({"data": PORT_BYTES * 8, "last": 1})  # last: the last beat of a head's last row


class QueryKeyDot(wiring.Component):
    """dot[token][head] = sum over a key's elements of key * query, exact, for all heads of a group.

    A beat holds lanes = 128 / kv_bits elements of one key, LSB first; a key is `beats_last` + 1 beats, a
    group `group_last` + 1 heads. Each beat is used once per head, in order of the heads, so the unit
    takes a beat every `group_last` + 1 cycles and gives the heads' dot products of a token one after
    another with the key's last beat, `latency` cycles after each use. Elements of a key past the head's
    size count unless they are zero.

    `chunk` and `head` address the queries; `queries` answers one cycle later (`QueryMemory`). The
    output is always taken: there is no backpressure behind the input, and bubbles at the input pass
    through. Golden: `k @ q[h]` of `attention`.

    Widths: kv_bits x 16 bit products, sums signed(kv_bits + 16 + log2 dim_max).
    o: {dot, head, last}; `last` marks the last head of the beat marked `last`.
    """

    def __init__(self, *, kv_bits: int, dim_max: int, group_max: int):
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits must be 8 or 16, got {kv_bits}")
        self.kv_bits = kv_bits
        self.lanes = PORT_BYTES * 8 // kv_bits
        self.dot_bits = kv_bits + 16 + ceil_log2(dim_max)
        self.group_max = group_max
        self.latency = 5 + ceil_log2(self.lanes)
        chunks = -(-dim_max // self.lanes)
        head = range(group_max)
        super().__init__({
            "group_last": In(head),
            "beats_last": In(range(chunks)),
            "i": In(stream.Signature(ROW_BEAT)),
            "head": Out(head),
            "chunk": Out(range(chunks)),
            "queries": In(data.ArrayLayout(signed(16), self.lanes)),
            "o": Out(stream.Signature(data.StructLayout({
                "dot": signed(self.dot_bits), "head": head, "last": 1}))),
        })

    def elaborate(self, platform):
        m = Module()
        group_end = self.head == self.group_last
        key_end = self.chunk == self.beats_last
        m.d.comb += self.i.ready.eq(group_end)
        with m.If(self.i.valid):
            m.d.sync += self.head.eq(Mux(group_end, 0, self.head + 1))
            with m.If(group_end):
                m.d.sync += self.chunk.eq(Mux(key_end, 0, self.chunk + 1))

        tag_layout = data.StructLayout({"head": self.head.shape(), "first": 1, "emit": 1, "last": 1})
        tag = Signal(tag_layout)
        m.d.comb += [tag.head.eq(self.head), tag.first.eq(self.chunk == 0), tag.emit.eq(key_end),
                     tag.last.eq(self.i.p.last & group_end)]
        valid = self.i.valid

        def stage(*values: Value) -> list[Signal]:
            """One register level; tag and valid bit go along."""
            nonlocal tag, valid
            registers = [Signal(value.shape(), reset_less=True) for value in values]
            next_tag, next_valid = Signal(tag_layout, reset_less=True), Signal()
            m.d.sync += [next_tag.eq(tag), next_valid.eq(valid),
                         *(register.eq(value) for register, value in zip(registers, values, strict=True))]
            tag, valid = next_tag, next_valid
            return registers

        (beat,) = stage(self.i.p.data)
        keys = data.View(data.ArrayLayout(signed(self.kv_bits), self.lanes), beat)
        operands = stage(*(keys[lane] for lane in range(self.lanes)),
                         *(self.queries[lane] for lane in range(self.lanes)))
        sums = stage(*(k * q for k, q in zip(operands[:self.lanes], operands[self.lanes:], strict=True)))
        while len(sums) > 1:
            sums = stage(*(a + b for a, b in zip(sums[::2], sums[1::2], strict=True)))

        m.submodules.partial = partial = Memory(shape=signed(self.dot_bits), depth=self.group_max, init=[])
        write, read = partial.write_port(), partial.read_port(domain="comb")
        total = Signal(signed(self.dot_bits))
        m.d.comb += [
            read.addr.eq(tag.head),
            total.eq(Mux(tag.first, 0, read.data) + sums[0]),
            write.addr.eq(tag.head), write.data.eq(total), write.en.eq(valid),
        ]
        valid = valid & tag.emit
        dot, = stage(total)
        m.d.comb += [self.o.valid.eq(valid), self.o.p.dot.eq(dot), self.o.p.head.eq(tag.head),
                     self.o.p.last.eq(tag.last)]
        return m
