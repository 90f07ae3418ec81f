"""One user's access to the accumulator memory: a range of outputs of one row, element by element."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.linear.accumulator import ACCUMULATOR_BITS
from models.machine.build import LANES, BuildParameters

__all__ = ["READ_REQUEST", "SUM_WORD", "AccumulatorReader"]

READ_REQUEST = data.StructLayout({"accumulator": 16, "count": 16, "row": 8})
SUM_WORD = data.StructLayout({"values": data.ArrayLayout(signed(ACCUMULATOR_BITS), LANES), "last": 1})


class AccumulatorReader(wiring.Component):
    """request {accumulator, count, row} -> `count` sums of that row, from slot 0 of word `accumulator` on.

    `count` is at least 1; `last` marks the last sum. Words are asked for ahead, as many as fit the buffer,
    which covers `read_latency`: one sum a cycle where the memory gives a word every Q cycles. The next
    request is taken when the last sum of this one has gone. Backpressure reaches no further than the buffer.
    """

    def __init__(self, build: BuildParameters, read_latency: int):
        self._build = build
        outputs = build.outputs_per_step
        self._depth = -(-(read_latency + 4) // outputs) + 1
        word = data.ArrayLayout(signed(ACCUMULATOR_BITS), outputs)
        super().__init__({
            "request": In(stream.Signature(READ_REQUEST)),
            "o": Out(stream.Signature(SUM_ELEMENT)),
            "address": Out(stream.Signature(Shape.cast(range(build.accumulator_words)))),
            "words": In(data.ArrayLayout(word, build.rows)),
            "returned": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        build = self._build
        outputs = build.outputs_per_step
        busy, row = Signal(), Signal(range(build.rows))
        to_ask, to_send = Signal(signed(17)), Signal(16)
        slot = Signal(range(outputs))
        room = Signal(range(self._depth + 1), init=self._depth)  # words that may still be asked for

        m.submodules.buffer = buffer = SyncFIFO(width=outputs * ACCUMULATOR_BITS, depth=self._depth)
        m.d.comb += [buffer.w_data.eq(self.words[row]), buffer.w_en.eq(self.returned)]
        word = data.View(data.ArrayLayout(signed(ACCUMULATOR_BITS), outputs), buffer.r_data)

        m.d.comb += [
            self.request.ready.eq(~busy),
            self.address.valid.eq(busy & (to_ask > 0) & (room != 0)),
            self.o.valid.eq(buffer.r_rdy),
            self.o.p.value.eq(word[slot]),
            self.o.p.last.eq(to_send == 1),
        ]
        asked, freed = self.address.valid & self.address.ready, buffer.r_en
        m.d.sync += room.eq(room + freed - asked)
        with m.If(asked):
            m.d.sync += [self.address.payload.eq(self.address.payload + 1), to_ask.eq(to_ask - outputs)]

        with m.If(self.o.valid & self.o.ready):
            m.d.comb += buffer.r_en.eq(self.o.p.last | (slot == outputs - 1))
            m.d.sync += [to_send.eq(to_send - 1), slot.eq(Mux(buffer.r_en, 0, slot + 1))]
            with m.If(self.o.p.last):
                m.d.sync += busy.eq(0)

        with m.If(self.request.valid & self.request.ready):
            request = self.request.payload
            m.d.sync += [
                busy.eq(1), row.eq(request.row), self.address.payload.eq(request.accumulator),
                to_ask.eq(request.count), to_send.eq(request.count), slot.eq(0),
            ]
        return m
