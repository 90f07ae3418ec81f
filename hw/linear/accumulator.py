"""Accumulator memory: sums of the tiles so far, added to in place, read by two users who cost the array no cycle."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.ultra_ram import DualPortMemory
from hw.stream.kept import KEPT
from models.machine.build import BuildParameters

__all__ = ["ACCUMULATOR_BITS", "READERS", "READ_LATENCY", "REUSE_DISTANCE", "Accumulator", "word_request"]

ACCUMULATOR_BITS = 24
REUSE_DISTANCE = 4  # a word may be accumulated to in every fourth cycle, not more often
READERS = 2
READ_LATENCY = 5  # from a request's transfer to its sums, where no step is in the way

_BANKS = 2
_MEMORY_STEPS = DualPortMemory.LATENCY


def word_request(build: BuildParameters) -> data.StructLayout:
    """A word and which of its rows."""
    return data.StructLayout({"word": range(build.accumulator_words), "row": range(build.rows)})


class Accumulator(wiring.Component):
    """Words of rows x Q sums of 24 bits, even and odd ones in two banks.

    `step` (valid, word, `overwrite` in the first tile) adds the array's `sums`, which arrive `latency` cycles after
    it, to a word, or writes them; a step may come in every cycle. The same word must not come again within
    REUSE_DISTANCE cycles.

    `requests[n]` -> `words[n]` / `returned[n]`: Q sums of one row, in the order of the requests and without
    backpressure: a reader asks for no more than it can take. Reader 0 has the banks' port on which steps read, reader
    1 the one on which they write, each where no step needs it. Steps go through a tile's words in turn, so a reader
    that does the same waits one cycle for the other bank and then has a word a cycle beside a busy array.
    A read sees every step of `latency` + 1 cycles before its request or earlier, and may see later ones if it waits.

    Widths: sums of one tile signed(sum_bits), words signed(24), wrapping (never, with inputs <= 66,051).
    `idle`: no step is under way; all sums of earlier ones can be read. Golden: `ternary_matmul`.
    """

    def __init__(self, build: BuildParameters, sum_bits: int, latency: int) -> None:
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

    def elaborate(self, platform) -> Module:
        m = Module()
        stages = [self.step]
        for n in range(self._latency + 1):
            stages.append(Signal(self.step.shape(), name=f"step_{n}"))
            m.d.sync += stages[-1].eq(stages[-2])
        m.d.comb += self.idle.eq(~Cat(stage.valid for stage in stages).any())
        reading, writing = stages[self._latency - _MEMORY_STEPS], stages[self._latency + 1]

        # each reader's next word waits until its port of the bank is free
        asked = [Signal(word_request(self._build), name=f"asked_{n}", reset_less=True) for n in range(READERS)]
        asks, goes = Signal(READERS), Signal(READERS)
        for n, (request, step) in enumerate(zip(self.requests, (reading, writing), strict=True)):
            m.d.comb += [
                goes[n].eq(asks[n] & ~(step.valid & (step.word[0] == asked[n].word[0]))),
                request.ready.eq(~asks[n] | goes[n]),
            ]
            m.d.sync += asks[n].eq(request.valid | (asks[n] & ~goes[n]))
            with m.If(request.ready):
                m.d.sync += asked[n].eq(request.payload)

        total = Signal(self._word, reset_less=True)
        fetched = [self._bank(m, bank, reading, writing, total, asked) for bank in range(_BANKS)]
        for row in range(self._build.rows):  # each with its own copy of what all adders are told
            odd, overwrite = (Signal(name=f"{name}_{row}", reset_less=True, attrs=KEPT)
                              for name in ("odd", "overwrite"))
            m.d.sync += [odd.eq(stages[self._latency - 1].word[0]), overwrite.eq(stages[self._latency - 1].overwrite)]
            for output, sums in enumerate(self.sums[row]):
                old = Mux(odd, fetched[1][0][row][output], fetched[0][0][row][output])
                m.d.sync += total[row][output].eq(Mux(overwrite, 0, old) + sums)

        for n in range(READERS):
            self._return(m, n, [of_bank[n] for of_bank in fetched], asked[n], goes[n])
        return m

    def _bank(self, m: Module, bank: int, reading, writing, total, asked) -> list[Signal]:
        """One bank's memory; returns what steps and reader 0 read, and what reader 1 does on the port that writes."""
        m.submodules[f"bank_{bank}"] = memory = DualPortMemory(self._word, self._build.accumulator_words // _BANKS)
        for address, step, request in zip((memory.b_address, memory.a_address), (reading, writing), asked,
                                          strict=True):
            own_step = step.valid & (step.word[0] == bank)
            m.d.comb += address.eq(Mux(own_step, step.word[1:], request.word[1:]))
        m.d.comb += [memory.a_write.eq(writing.valid & (writing.word[0] == bank)), memory.a_data.eq(total)]
        return [memory.b_word, memory.a_word]

    def _return(self, m: Module, n: int, fetched: list[Signal], asked, goes) -> None:
        """From the banks' output registers to a reader: the row, then the bank."""
        tag = data.StructLayout({"valid": 1, "bank": 1, "row": range(self._build.rows)})
        tags = [Signal(tag, name=f"tag_{n}")]
        m.d.comb += [tags[0].valid.eq(goes), tags[0].bank.eq(asked.word[0]), tags[0].row.eq(asked.row)]
        for step in range(_MEMORY_STEPS + 2):
            tags.append(Signal(tag, name=f"tag_{n}_{step}"))
            m.d.sync += tags[-1].eq(tags[-2])
        rows = [Signal(self._row, name=f"row_sums_{bank}_{n}", reset_less=True) for bank in range(_BANKS)]
        m.d.sync += [of_bank.eq(Array(word)[tags[_MEMORY_STEPS].row])
                     for of_bank, word in zip(rows, fetched, strict=True)]
        m.d.sync += self.words[n].eq(Mux(tags[_MEMORY_STEPS + 1].bank, rows[1], rows[0]))
        m.d.comb += self.returned[n].eq(tags[_MEMORY_STEPS + 2].valid)
