"""Weighted sums of the values, while the values stream by."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.attention.query_key_dot import ROW_BEAT
from hw.attention.softmax import WEIGHT_BITS
from models.machine.build import PORT_BYTES

__all__ = ["WeightedSum"]


class WeightedSum(wiring.Component):
    """sum[head][channel] = sum over tokens of weight[token][head] * value[token][channel], exact.

    A beat of `i_values` holds lanes = 128 / kv_bits channels, LSB first; a row is `beats_last` + 1
    beats, a group `group_last` + 1 heads. `i_weights` gives a weight for each head with the first beat
    of a row. Each beat is used once per head, so the unit takes a beat every `group_last` + 1 cycles,
    when the weights are there.

    `start` begins new sums with the next row. `done` pulses when the beat marked `last` is in the sums.
    From then to the next row, `sums` are those of channels chunk * lanes .. + lanes - 1 of the head,
    combinational. Golden: `w @ v` of `attention`.

    Widths: weights unsigned(24), sums signed(24 + kv_bits + log2 context_max), which hold any tokens.
    """

    def __init__(self, *, kv_bits: int, dim_max: int, group_max: int, context_max: int):
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits must be 8 or 16, got {kv_bits}")
        self.kv_bits = kv_bits
        self.lanes = PORT_BYTES * 8 // kv_bits
        self.sum_bits = WEIGHT_BITS + kv_bits + ceil_log2(context_max)
        self._group_max, self._chunks = group_max, -(-dim_max // self.lanes)
        head, chunk = range(group_max), range(self._chunks)
        super().__init__({
            "start": In(1),
            "group_last": In(head),
            "beats_last": In(chunk),
            "i_values": In(stream.Signature(ROW_BEAT)),
            "i_weights": In(stream.Signature(data.StructLayout({"weight": WEIGHT_BITS}))),
            "done": Out(1),
            "head": In(head),
            "chunk": In(chunk),
            "sums": Out(data.ArrayLayout(signed(self.sum_bits), self.lanes)),
        })

    def elaborate(self, platform):
        m = Module()
        head, chunk = Signal(range(self._group_max)), Signal(range(self._chunks))
        chunk_bits = ceil_log2(self._chunks)

        # weights of the row, kept for its later beats
        m.submodules.held = held = Memory(shape=WEIGHT_BITS, depth=self._group_max, init=[])
        hold, recall = held.write_port(), held.read_port(domain="comb")
        row_start, row_end, group_end = chunk == 0, chunk == self.beats_last, head == self.group_last
        use = self.i_values.valid & (~row_start | self.i_weights.valid)
        m.d.comb += [
            self.i_weights.ready.eq(self.i_values.valid & row_start),
            self.i_values.ready.eq(use & group_end),
            hold.addr.eq(head), hold.data.eq(self.i_weights.p.weight), hold.en.eq(use & row_start),
            recall.addr.eq(head),
        ]
        first_row = Signal()
        with m.If(self.start):
            m.d.sync += first_row.eq(1)
        with m.If(use):
            m.d.sync += head.eq(Mux(group_end, 0, head + 1))
            with m.If(group_end):
                m.d.sync += chunk.eq(Mux(row_end, 0, chunk + 1))
                with m.If(row_end):
                    m.d.sync += first_row.eq(0)

        # operands, products, sums
        address = Cat(chunk[:chunk_bits], head)
        tag_layout = data.StructLayout({"address": len(address), "first": 1, "last": 1})
        tags = [Signal(tag_layout, name=f"tag_{n}", reset_less=True) for n in range(2)]
        valid = Signal(2)
        weight = Signal(WEIGHT_BITS, reset_less=True)
        values = Signal(data.ArrayLayout(signed(self.kv_bits), self.lanes), reset_less=True)
        products = Signal(data.ArrayLayout(signed(WEIGHT_BITS + self.kv_bits), self.lanes), reset_less=True)
        m.d.sync += [
            valid.eq(Cat(use, valid)),
            tags[0].address.eq(address),
            tags[0].first.eq(first_row),
            tags[0].last.eq(self.i_values.p.last & group_end),
            tags[1].eq(tags[0]),
            weight.eq(Mux(row_start, self.i_weights.p.weight, recall.data)),
            values.eq(self.i_values.p.data),
            *(products[lane].eq(weight * values[lane]) for lane in range(self.lanes)),
        ]

        m.submodules.accumulators = accumulators = Memory(
            shape=self.sums.shape(), depth=self._group_max << chunk_bits, init=[])
        write, read = accumulators.write_port(), accumulators.read_port(domain="comb")
        tag = tags[1]
        m.d.comb += [
            read.addr.eq(Mux(valid[1], tag.address, Cat(self.chunk[:chunk_bits], self.head))),
            self.sums.eq(read.data),
            write.addr.eq(tag.address), write.en.eq(valid[1]),
            *(write.data[lane].eq(Mux(tag.first, 0, read.data[lane]) + products[lane])
              for lane in range(self.lanes)),
        ]
        m.d.sync += self.done.eq(valid[1] & tag.last)
        return m
