"""One user's access to the accumulator memory: a range of outputs of one row, some at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.linear.accumulator import ACCUMULATOR_BITS, READ_LATENCY, word_request
from hw.stream.queue import Queue
from models.machine.build import BuildParameters

__all__ = ["READ_REQUEST", "AccumulatorReader", "sum_word"]

READ_REQUEST = data.StructLayout({"accumulator": 16, "count": 16, "row": 8})


def sum_word(lanes: int) -> data.StructLayout:
    """Sums of consecutive outputs."""
    return data.StructLayout({"values": data.ArrayLayout(signed(ACCUMULATOR_BITS), lanes), "last": 1})


class AccumulatorReader(wiring.Component):
    """request {accumulator, count, row} -> `count` sums of that row, from slot 0 of word `accumulator` on,
    build.lanes a transfer.

    Row r is row r % M of batch r // M. `count` is at least 1; `last` marks the last transfer, which is whole: what is
    behind `count` in it are the sums of further outputs. Words are asked for ahead, as many as fit the buffer, which
    covers READ_LATENCY: a transfer a cycle where the memory gives a word every Q / lanes cycles. The next request is
    taken when the last transfer of this one has gone. Backpressure reaches no further than the buffer.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        self._outputs = build.outputs_per_step
        self._parts = self._outputs // build.lanes
        self._depth = -(-(READ_LATENCY + 4) // self._parts) + 1
        super().__init__({
            "request": In(stream.Signature(READ_REQUEST)),
            "o": Out(stream.Signature(sum_word(build.lanes))),
            "asks": Out(stream.Signature(word_request(build))),
            "words": In(data.ArrayLayout(signed(ACCUMULATOR_BITS), self._outputs)),
            "returned": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build, outputs = self._build, self._outputs
        row_bits, batch_bits = exact_log2(build.rows), exact_log2(build.row_batches)
        busy = Signal()
        to_ask, to_send, last = Signal(signed(17)), Signal(16), Signal()
        row = Signal(row_bits, reset_less=True)
        word, batch = Signal(range(build.batch_words)), Signal(batch_bits)
        part = Signal(range(self._parts))
        room = Signal(range(self._depth + 1), init=self._depth)  # words that may still be asked for

        parts = data.ArrayLayout(self.o.p["values"].shape(), self._parts)
        m.submodules.buffer = buffer = Queue(parts, self._depth)
        m.d.comb += [Value.cast(buffer.i.p).eq(Value.cast(self.words)), buffer.i.valid.eq(self.returned)]

        m.d.comb += [
            self.request.ready.eq(~busy),
            self.asks.valid.eq(busy & (to_ask > 0) & (room != 0)),
            self.asks.p.word.eq(Cat(word, batch)), self.asks.p.row.eq(row),
            self.o.valid.eq(buffer.o.valid),
            Value.cast(self.o.p["values"]).eq(Value.cast(buffer.o.p[part])),
            self.o.p.last.eq(last),
        ]
        asked, freed = self.asks.valid & self.asks.ready, buffer.o.ready
        m.d.sync += room.eq(room + freed - asked)
        with m.If(asked):
            m.d.sync += [word.eq(word + 1), to_ask.eq(to_ask - outputs)]

        with m.If(self.o.valid & self.o.ready):
            m.d.comb += buffer.o.ready.eq(last | (part == self._parts - 1))
            m.d.sync += [to_send.eq(to_send - 1), last.eq(to_send == 2), part.eq(Mux(freed, 0, part + 1))]
            with m.If(self.o.p.last):
                m.d.sync += busy.eq(0)

        with m.If(self.request.valid & self.request.ready):
            request = self.request.payload
            transfers = (request.count + (build.lanes - 1)) >> exact_log2(build.lanes)
            m.d.sync += [
                busy.eq(1), row.eq(request.row[:row_bits]),
                batch.eq(request.row[row_bits:row_bits + batch_bits]), word.eq(request.accumulator),
                to_ask.eq(request.count), to_send.eq(transfers), last.eq(transfers == 1), part.eq(0),
            ]
        return m
