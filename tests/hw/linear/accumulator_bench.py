"""Accumulator memory against a list of each word's sums: steps by turns and at random, two readers beside them."""

from __future__ import annotations

import cocotb
import numpy as np
from amaranth.hdl import signed
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.linear.accumulator import ACCUMULATOR_BITS, READ_LATENCY, READERS, REUSE_DISTANCE, word_request
from models.machine.build import BuildParameters
from sim.packing import Packing
from sim.testbench import generator, parameters, start


class Surroundings:
    """The array and both readers. `values[word]`: its sums after each step, with the step's cycle."""

    def __init__(self, dut) -> None:
        given = parameters()
        build = BuildParameters(**given["build"])
        self.dut, self.words = dut, build.accumulator_words
        self.latency, self.sum_bits = given["latency"], given["sum_bits"]
        self.shape = (build.rows, build.outputs_per_step)
        self.random = generator("accumulator")
        row = data.ArrayLayout(signed(ACCUMULATOR_BITS), build.outputs_per_step)
        sums = data.ArrayLayout(data.ArrayLayout(signed(self.sum_bits), build.outputs_per_step), build.rows)
        step = data.StructLayout({"valid": 1, "word": range(self.words), "overwrite": 1})
        self.step_packing, self.sums_packing, self.row_packing, self.request_packing = (
            Packing.of(shape) for shape in (step, sums, row, word_request(build)))
        self.cycle, self.last_step = 0, -100
        self.values = {word: [(-100, np.zeros(self.shape, int))] for word in range(self.words)}
        self.due = {}  # the array's sums by the cycle they arrive in
        self.wanted = [[] for _ in range(READERS)]  # words and rows to ask for
        self.under_way = [[] for _ in range(READERS)]  # (cycle of the transfer, word, row)
        self.waited = [[] for _ in range(READERS)]  # cycles from the transfer to the sums
        self.returns = [[] for _ in range(READERS)]  # their cycles
        self.shown = [False] * READERS

    async def begin(self) -> None:
        """Reset, and a first step to every word, whose content would be unknown."""
        self.dut.step.value = 0
        for n in range(READERS):
            getattr(self.dut, f"requests__{n}__valid").value = 0
        await start(self.dut)
        for word in range(self.words):
            await self.next(word, overwrite=True)

    def _sums(self) -> np.ndarray:
        limit = 1 << self.sum_bits - 1
        return np.array([[self.random.choice([-limit, limit - 1, self.random.randrange(-limit, limit)])
                          for _ in range(self.shape[1])] for _ in range(self.shape[0])])

    async def next(self, word: int | None = None, overwrite: bool = False, ask: float = 1.0) -> None:
        """One cycle, in which a step to `word` begins; readers that want a word ask with probability `ask`."""
        dut = self.dut
        if word is None:
            dut.step.value = self.step_packing.pack({"valid": 0, "word": self.random.randrange(self.words),
                                                     "overwrite": self.random.randrange(2)})
        else:
            dut.step.value = self.step_packing.pack({"valid": 1, "word": word, "overwrite": int(overwrite)})
            sums = self._sums()
            self.due[self.cycle + self.latency] = sums
            before = 0 if overwrite else self.values[word][-1][1]
            self.values[word].append((self.cycle, before + sums))
            self.last_step = self.cycle
        dut.sums.value = self.sums_packing.pack(self.due.pop(self.cycle, self._sums()))
        for n in range(READERS):
            self.shown[n] = bool(self.wanted[n]) and (self.shown[n] or self.random.random() < ask)
            getattr(dut, f"requests__{n}__valid").value = self.shown[n]
            if self.shown[n]:
                asked, row = self.wanted[n][0]
                getattr(dut, f"requests__{n}__payload").value = self.request_packing.pack({"word": asked, "row": row})
        await RisingEdge(dut.clk)
        self._check()
        self.cycle += 1

    def _check(self) -> None:
        quiet = self.cycle - self.last_step
        if dut_idle := bool(self.dut.idle.value):
            assert quiet > self.latency + 1, "idle while a step is under way"
        assert dut_idle or quiet <= self.latency + 4, "not idle long after the last step"
        for n in range(READERS):
            if int(self.dut.returned.value) >> n & 1:
                assert self.under_way[n], f"reader {n} got sums it did not ask for"
                asked, word, row = self.under_way[n].pop(0)
                got = self.row_packing.unpack(int(getattr(self.dut, f"words__{n}").value))
                # what was written before the request, or by a step on the way beside it
                seen = asked - self.latency - 1
                before = [values for at, values in self.values[word] if at <= seen][-1:]
                beside = [values for at, values in self.values[word] if at > seen]
                assert got in [values[row].tolist() for values in before + beside], (
                    f"reader {n}, word {word}, row {row}: {got}")
                self.waited[n].append(self.cycle - asked)
                self.returns[n].append(self.cycle)
            if self.shown[n] and getattr(self.dut, f"requests__{n}__ready").value:
                self.under_way[n].append((self.cycle, *self.wanted[n].pop(0)))
                self.shown[n] = False

    async def read_all(self) -> None:
        """Every row of every word by both readers, once no step is under way."""
        while not self.dut.idle.value or any(self.wanted) or any(self.under_way):
            await self.next()
        every = [(word, row) for word in range(self.words) for row in range(self.shape[0])]
        for n in range(READERS):
            self.wanted[n] = self.random.sample(every, len(every))
            self.waited[n].clear()
        for _ in range(len(every) + READ_LATENCY + 2):
            await self.next()
        for n in range(READERS):
            assert not self.under_way[n] and not self.wanted[n], f"reader {n} lacks sums"
            assert set(self.waited[n]) == {READ_LATENCY}


@cocotb.test()
async def tiles_in_turn(dut):
    """Tiles of all lengths from REUSE_DISTANCE on, a step a cycle, overwriting in the first; readers at random."""
    around = Surroundings(dut)
    await around.begin()
    await around.read_all()
    for words in (REUSE_DISTANCE, 5, 8, around.words):
        base = around.random.randrange(around.words - words + 1)
        for tile in range(4):
            for word in range(base, base + words):
                for n in range(READERS):
                    if around.random.random() < 0.5:
                        around.wanted[n].append((around.random.randrange(around.words),
                                                 around.random.randrange(around.shape[0])))
                await around.next(word, overwrite=tile == 0, ask=0.7)
        await around.read_all()


@cocotb.test()
async def steps_at_random(dut):
    """Words in any order that keep their distance, with gaps."""
    around = Surroundings(dut)
    await around.begin()
    recent: list[int | None] = []
    for _ in range(400):
        word = around.random.choice([w for w in range(around.words) if w not in recent[-REUSE_DISTANCE + 1:]])
        word = word if around.random.random() < 0.7 else None
        recent.append(word)
        if around.random.random() < 0.3:
            around.wanted[around.random.randrange(READERS)].append(
                (around.random.randrange(around.words), around.random.randrange(around.shape[0])))
        await around.next(word, overwrite=around.random.random() < 0.2)
    await around.read_all()


@cocotb.test()
async def readers_keep_pace(dut):
    """Readers that go through the words in turn have one a cycle beside an array that takes a step in each."""
    around = Surroundings(dut)
    await around.begin()
    for n in range(READERS):
        around.wanted[n] = [(word % around.words, 0) for word in range(n, n + 2 * around.words)]
        around.returns[n].clear()
    for word in range(3 * around.words):
        await around.next(word % around.words)
    for n in range(READERS):
        assert len(around.returns[n]) == 2 * around.words
        assert around.returns[n][-1] - around.returns[n][1] == 2 * around.words - 2
