"""Accumulator memory: sums of the tiles so far, added to in place, read by two users."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.machine.build import BuildParameters

__all__ = ["ACCUMULATOR_BITS", "READERS", "REUSE_DISTANCE", "Accumulator"]

ACCUMULATOR_BITS = 24
REUSE_DISTANCE = 4  # a word may be accumulated to in every fourth cycle, not more often
READERS = 2

_READ_STEPS = 2  # memory and output register


class Accumulator(wiring.Component):
    """Words of rows x Q sums of 24 bits. Every cycle is one slot: of a step, or of a reader.

    A step in slot s (`step`: valid, word, `overwrite` in the first tile) adds the array's `sums`, which arrive
    `latency` cycles after it, to a word, or writes them. The same word must not come again within
    REUSE_DISTANCE cycles. While `reserved` is high the slot belongs to a reader and `step.valid` must be low.

    `requests[n]`: a word's address; taken when its slot is reserved, at most every second slot, readers in
    turn. `words[n]` / `returned[n]`: the word, all rows, `read_latency` cycles after the transfer; no
    backpressure: a reader asks for no more than it can take. A read sees the steps REUSE_DISTANCE slots before it.

    Widths: sums of one tile signed(sum_bits), words signed(24), wrapping (never, with inputs <= 66,051).
    `idle`: no step is under way; all sums of earlier ones can be read. Golden: `ternary_matmul`.
    """

    def __init__(self, build: BuildParameters, sum_bits: int, latency: int):
        if latency < _READ_STEPS:
            raise ValueError(f"sums must take at least {_READ_STEPS} cycles, got {latency}")
        self._build, self._latency = build, latency
        self._delay = latency - _READ_STEPS
        self.read_latency = self._delay + _READ_STEPS + 1
        self._address = range(build.accumulator_words)
        self._word = data.ArrayLayout(data.ArrayLayout(signed(ACCUMULATOR_BITS), build.outputs_per_step), build.rows)
        sums = data.ArrayLayout(data.ArrayLayout(signed(sum_bits), build.outputs_per_step), build.rows)
        step = data.StructLayout({"valid": 1, "word": self._address, "overwrite": 1})
        super().__init__({
            "step": In(step),
            "sums": In(sums),
            "reserved": Out(1),
            "idle": Out(1),
            "requests": In(stream.Signature(Shape.cast(self._address))).array(READERS),
            "words": Out(self._word),
            "returned": Out(READERS),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._word, depth=self._build.accumulator_words, init=[])
        read, write = memory.read_port(), memory.write_port()
        slot = data.StructLayout({"step": 1, "overwrite": 1, "readers": READERS, "word": self._address})

        # the next slot: one reader that asks, in turn, unless this slot is a reader's already
        readers, address, turn = Signal(READERS), Signal(self._address, reset_less=True), Signal()
        asks = Cat(request.valid for request in self.requests)
        grant = Signal(READERS)
        m.d.comb += grant.eq(Mux(self.reserved, 0, Mux(turn, Cat(asks[0] & ~asks[1], asks[1]),
                                                       Cat(asks[0], asks[1] & ~asks[0]))))
        m.d.sync += [readers.eq(grant), address.eq(Mux(grant[0], self.requests[0].payload, self.requests[1].payload))]
        with m.If(grant.any()):
            m.d.sync += turn.eq(grant[0])
        m.d.comb += self.reserved.eq(readers.any())
        m.d.comb += [request.ready.eq(grant[n]) for n, request in enumerate(self.requests)]

        issued = Signal(slot)
        m.d.comb += [
            issued.step.eq(self.step.valid), issued.overwrite.eq(self.step.overwrite), issued.readers.eq(readers),
            issued.word.eq(Mux(self.reserved, address, self.step.word)),
        ]
        stages = [issued]
        for n in range(self._latency + 1):
            stages.append(Signal(slot, name=f"slot_{n}"))
            m.d.sync += stages[-1].eq(stages[-2])
        m.d.comb += self.idle.eq(~Cat(stage.step for stage in stages).any())

        fetched = Signal(self._word, reset_less=True)
        m.d.comb += read.addr.eq(stages[self._delay].word)
        m.d.sync += fetched.eq(read.data)
        now = stages[self._latency]
        m.d.comb += [self.words.eq(fetched), self.returned.eq(now.readers)]

        total = Signal(self._word, reset_less=True)
        for old, new, sums in zip(_flat(fetched), _flat(total), _flat(self.sums), strict=True):
            m.d.sync += new.eq(Mux(now.overwrite, 0, old) + sums)
        m.d.comb += [write.en.eq(stages[self._latency + 1].step), write.addr.eq(stages[self._latency + 1].word),
                     write.data.eq(total)]
        return m


def _flat(rows: data.View) -> list:
    return [value for row in rows for value in row]
