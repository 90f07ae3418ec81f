"""Weight buffer: words in order, given in the order of the plans.

Parameters: ``width``; ``plans``, by name: [outputs, tiles, batches] of matrices one after another, outputs a multiple
of 4.
"""

from __future__ import annotations

from collections import deque

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from hw.linear.weight_buffer import TILE_PLAN, WeightBuffer
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


def _expected(words: list[int], plans: list[list[int]]) -> list[int]:
    given, first = [], 0
    for outputs, tiles, batches in plans:
        for _ in range(tiles):
            given += words[first:first + outputs // 4] * batches
            first += outputs // 4
    return given


class _Ends:
    """Who fills and who takes, cycle by cycle: words as far as there is room, steps as far as they are available."""

    def __init__(self, dut, words: list[int], stall: float) -> None:
        self.dut, self.words, self.stall, self.random = dut, deque(words), stall, generator(f"ends {stall}")
        self.room = parameters()["depth"]
        self.given: list[int] = []
        self.cycles: list[int] = []
        self._on_the_way: deque[bool] = deque([False] * WeightBuffer.READ_LATENCY)
        self._cycle = 0

    async def run(self, cycles: int) -> None:
        """Go on for some cycles."""
        dut = self.dut
        for _ in range(cycles):
            await FallingEdge(dut.clk)
            dut.take.value = bool(dut.available.value) and self.random.random() >= self.stall
            put = bool(self.words) and self.room > 0 and self.random.random() >= self.stall
            dut.i__valid.value = put
            dut.i__payload.value = self.words.popleft() if put else self.random.getrandbits(8)
            self.room -= put
            await RisingEdge(dut.clk)
            if self._on_the_way.popleft():
                self.given.append(int(dut.o.value))
                self.cycles.append(self._cycle)
            self._on_the_way.append(bool(dut.take.value))
            self.room += bool(dut.freed.value)
            self._cycle += 1


@cocotb.test()
@cocotb.parametrize(plans=["once", "again"], stall=[0.0, 0.4])
async def words_as_planned(dut, plans, stall):
    given = parameters()
    random, plans = generator("words"), given["plans"][plans]
    planner = StreamSource(dut, "plan", TILE_PLAN, stall=stall)
    dut.take.value = dut.i__valid.value = 0
    await start(dut)
    count = sum(outputs // 4 * tiles for outputs, tiles, _ in plans)
    words = [random.getrandbits(given["width"]) for _ in range(count)]
    ends = _Ends(dut, words, stall)
    await ends.run(60)
    assert not ends.given, "words without a plan"
    planner.send_nowait(*({"outputs": n, "tiles": tiles, "batches": batches} for n, tiles, batches in plans))
    expected = _expected(words, plans)
    await ends.run(int(len(expected) / (1 - stall) * 1.5) + 200)
    assert ends.given == expected and ends.room == given["depth"]
    if stall == 0:
        assert ends.cycles[-1] - ends.cycles[0] < len(expected) + len(plans), "more than a cycle lost for a plan"
