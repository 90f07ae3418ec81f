"""One user's access to the accumulator memory: a range of outputs of one row, element by element."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.linear.accumulator import ACCUMULATOR_BITS, READ_LATENCY, word_request
from models.machine.build import BuildParameters

__all__ = ["READ_REQUEST", "SUM_ELEMENT", "AccumulatorReader"]

READ_REQUEST = data.StructLayout({"accumulator": 16, "count": 16, "row": 8})
SUM_ELEMENT = data.StructLayout({"value": signed(ACCUMULATOR_BITS), "last": 1})


class AccumulatorReader(wiring.Component):
    """request {accumulator, count, row} -> `count` sums of that row, from slot 0 of word `accumulator` on.

    Row r is row r % M of batch r // M. `count` is at least 1; `last` marks the last sum. Words are asked for ahead,
    as many as fit the buffer, which covers READ_LATENCY: one sum a cycle where the memory gives a word every Q
    cycles. The next request is taken when the last sum of this one has gone. Backpressure reaches no further than
    the buffer.
    """

    def __init__(self, build: BuildParameters):
        self._build = build
        self._outputs = build.outputs_per_step
        self._depth = -(-(READ_LATENCY + 4) // self._outputs) + 1
        super().__init__({
            "request": In(stream.Signature(READ_REQUEST)),
            "o": Out(stream.Signature(SUM_ELEMENT)),
            "asks": Out(stream.Signature(word_request(build))),
            "words": In(data.ArrayLayout(signed(ACCUMULATOR_BITS), self._outputs)),
            "returned": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        build, outputs = self._build, self._outputs
        row_bits, batch_bits = exact_log2(build.rows), exact_log2(build.row_batches)
        busy = Signal()
        to_ask, to_send = Signal(signed(17)), Signal(16)
        row = Signal(row_bits, reset_less=True)
        word, batch = Signal(range(build.batch_words)), Signal(batch_bits)
        slot = Signal(range(outputs))
        room = Signal(range(self._depth + 1), init=self._depth)  # words that may still be asked for

        m.submodules.buffer = buffer = SyncFIFO(width=outputs * ACCUMULATOR_BITS, depth=self._depth)
        m.d.comb += [buffer.w_data.eq(self.words), buffer.w_en.eq(self.returned)]
        sums = data.View(self.words.shape(), buffer.r_data)

        m.d.comb += [
            self.request.ready.eq(~busy),
            self.asks.valid.eq(busy & (to_ask > 0) & (room != 0)),
            self.asks.p.word.eq(Cat(word, batch)), self.asks.p.row.eq(row),
            self.o.valid.eq(buffer.r_rdy),
            self.o.p.value.eq(sums[slot]),
            self.o.p.last.eq(to_send == 1),
        ]
        asked, freed = self.asks.valid & self.asks.ready, buffer.r_en
        m.d.sync += room.eq(room + freed - asked)
        with m.If(asked):
            m.d.sync += [word.eq(word + 1), to_ask.eq(to_ask - outputs)]

        with m.If(self.o.valid & self.o.ready):
            m.d.comb += buffer.r_en.eq(self.o.p.last | (slot == outputs - 1))
            m.d.sync += [to_send.eq(to_send - 1), slot.eq(Mux(buffer.r_en, 0, slot + 1))]
            with m.If(self.o.p.last):
                m.d.sync += busy.eq(0)

        with m.If(self.request.valid & self.request.ready):
            request = self.request.payload
            m.d.sync += [
                busy.eq(1), row.eq(request.row[:row_bits]),
                batch.eq(request.row[row_bits:row_bits + batch_bits]), word.eq(request.accumulator),
                to_ask.eq(request.count), to_send.eq(request.count), slot.eq(0),
            ]
        return m
