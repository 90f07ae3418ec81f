"""Accumulator memory: sums of the tiles so far, added to in place, read by two users who cost the array no cycle."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.memory.ram_style import ram_attributes
from models.machine.build import BuildParameters

__all__ = ["ACCUMULATOR_BITS", "READERS", "READ_LATENCY", "REUSE_DISTANCE", "Accumulator", "word_request"]

ACCUMULATOR_BITS = 24
REUSE_DISTANCE = 4  # a word may be accumulated to in every fourth cycle, not more often
READERS = 2
READ_LATENCY = 5  # from a request's transfer to its sums, where no step is in the way

_BANKS = 2
_MEMORY_STEPS = 2  # memory and output register


def word_request(build: BuildParameters) -> data.StructLayout:
    """A word and which of its rows."""
    return data.StructLayout({"word": range(build.accumulator_words), "row": range(build.rows)})


class Accumulator(wiring.Component):
    """Words of rows x Q sums of 24 bits, even and odd ones in two banks.

    `step` (valid, word, `overwrite` in the first tile) adds the array's `sums`, which arrive `latency` cycles after
    it, to a word, or writes them; a step may come in every cycle. The same word must not come again within
    REUSE_DISTANCE cycles.

    `requests[n]` -> `words[n]` / `returned[n]`: Q sums of one row, in the order of the requests and without
    backpressure: a reader asks for no more than it can take. A bank's port for reading is a step's where one needs
    it. Steps go through a tile's words in turn, so a reader that does the same waits one cycle for the other bank
    and then has a word a cycle, as long as the other reader leaves it that bank: between them they have a word a
    cycle beside a busy array, and two beside an idle one. A read sees the steps REUSE_DISTANCE cycles before it.

    Widths: sums of one tile signed(sum_bits), words signed(24), wrapping (never, with inputs <= 66,051).
    `idle`: no step is under way; all sums of earlier ones can be read. Golden: `ternary_matmul`.
    """

    def __init__(self, build: BuildParameters, sum_bits: int, latency: int):
        if latency < _MEMORY_STEPS:
            raise ValueError(f"sums must take at least {_MEMORY_STEPS} cycles, got {latency}")
        if build.accumulator_words % _BANKS:
            raise ValueError(f"accumulator_words must be even, got {build.accumulator_words}")
        self._build, self._latency = build, latency
        self._row = data.ArrayLayout(signed(ACCUMULATOR_BITS), build.outputs_per_step)
        self._word = data.ArrayLayout(self._row, build.rows)
        sums = data.ArrayLayout(data.ArrayLayout(signed(sum_bits), build.outputs_per_step), build.rows)
        super().__init__({
            "step": In(data.StructLayout({"valid": 1, "word": range(build.accumulator_words), "overwrite": 1})),
            "sums": In(sums),
            "idle": Out(1),
            "requests": In(stream.Signature(word_request(build))).array(READERS),
            "words": Out(self._row).array(READERS),
            "returned": Out(READERS),
        })

    def elaborate(self, platform):
        m = Module()
        stages = [self.step]
        for n in range(self._latency + 1):
            stages.append(Signal(self.step.shape(), name=f"step_{n}"))
            m.d.sync += stages[-1].eq(stages[-2])
        m.d.comb += self.idle.eq(~Cat(stage.valid for stage in stages).any())
        reading, adding, writing = (stages[self._latency - _MEMORY_STEPS], stages[self._latency],
                                    stages[self._latency + 1])

        # each reader's next word waits until its bank is free
        asked = [Signal(word_request(self._build), name=f"asked_{n}", reset_less=True) for n in range(READERS)]
        asks, goes, turn = Signal(READERS), Signal(READERS), Signal()
        free = [~(reading.valid & (reading.word[0] == bank)) for bank in range(_BANKS)]
        meet = Signal()  # both want the same bank
        m.d.comb += meet.eq(asks.all() & (asked[0].word[0] == asked[1].word[0]))
        for n, request in enumerate(self.requests):
            m.d.comb += [
                goes[n].eq(asks[n] & Mux(asked[n].word[0], free[1], free[0]) & ~(meet & (turn != n))),
                request.ready.eq(~asks[n] | goes[n]),
            ]
            m.d.sync += asks[n].eq(request.valid | (asks[n] & ~goes[n]))
            with m.If(request.ready):
                m.d.sync += asked[n].eq(request.payload)
        with m.If(meet & goes.any()):
            m.d.sync += turn.eq(~turn)

        fetched = []
        total = Signal(self._word, reset_less=True)
        for bank in range(_BANKS):
            fetched.append(self._bank(m, bank, reading, writing, total, asked, goes))
        old = Signal(self._word)
        m.d.comb += old.eq(Mux(adding.word[0], fetched[1], fetched[0]))
        for sum_before, sum_after, sums in zip(_flat(old), _flat(total), _flat(self.sums), strict=True):
            m.d.sync += sum_after.eq(Mux(adding.overwrite, 0, sum_before) + sums)

        self._return(m, fetched, asked, goes)
        return m

    def _bank(self, m: Module, bank: int, reading, writing, total, asked, goes):
        """One bank's memory; returns its output register."""
        depth = self._build.accumulator_words // _BANKS
        m.submodules[f"bank_{bank}"] = memory = Memory(shape=self._word, depth=depth, init=[],
                                                       attrs=ram_attributes(depth))
        read, write = memory.read_port(), memory.write_port()
        own_step = reading.valid & (reading.word[0] == bank)
        second = goes[1] & (asked[1].word[0] == bank)
        m.d.comb += [
            read.addr.eq(Mux(own_step, reading.word[1:], Mux(second, asked[1].word[1:], asked[0].word[1:]))),
            write.en.eq(writing.valid & (writing.word[0] == bank)),
            write.addr.eq(writing.word[1:]),
            write.data.eq(total),
        ]
        fetched = Signal(self._word, name=f"fetched_{bank}", reset_less=True)
        m.d.sync += fetched.eq(read.data)
        return fetched

    def _return(self, m: Module, fetched, asked, goes) -> None:
        """From the banks' output registers to the readers: the row, then the bank."""
        tag = data.StructLayout({"valid": 1, "bank": 1, "row": range(self._build.rows)})
        tags = []
        for n in range(READERS):
            stage = Signal(tag, name=f"tag_{n}")
            m.d.comb += [stage.valid.eq(goes[n]), stage.bank.eq(asked[n].word[0]), stage.row.eq(asked[n].row)]
            steps = [stage]
            for step in range(_MEMORY_STEPS + 2):
                steps.append(Signal(tag, name=f"tag_{n}_{step}"))
                m.d.sync += steps[-1].eq(steps[-2])
            tags.append(steps)
        rows = []
        for bank, word in enumerate(fetched):
            second = tags[1][_MEMORY_STEPS].valid & (tags[1][_MEMORY_STEPS].bank == bank)
            row = Signal(range(self._build.rows), name=f"row_{bank}")
            m.d.comb += row.eq(Mux(second, tags[1][_MEMORY_STEPS].row, tags[0][_MEMORY_STEPS].row))
            rows.append(Signal(self._row, name=f"row_sums_{bank}", reset_less=True))
            m.d.sync += rows[-1].eq(Array(word)[row])
        for n in range(READERS):
            m.d.sync += self.words[n].eq(Mux(tags[n][_MEMORY_STEPS + 1].bank, rows[1], rows[0]))
            m.d.comb += self.returned[n].eq(tags[n][_MEMORY_STEPS + 2].valid)


def _flat(rows: data.View) -> list:
    return [value for row in rows for value in row]
