"""Query load: the words written for each job, its units, when a bank may be loaded, and the cycles it takes."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.arith.scalar import SCALAR
from hw.attention.jobs import JOB
from hw.attention.query_key_dot import query_word
from hw.attention.query_memory import QueryMemory
from models.golden.scalar import Scalar, from_word, mul
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

UNIT_CYCLES = 6


class Queries:
    """The memory of queries and their scales, LATENCY cycles from address to answer."""

    def __init__(self, dut, queries: np.ndarray, scales: Scalar, unit: dict) -> None:
        self.dut, self.queries, self.scales, self.size = dut, queries, scales, unit["word"]
        self.word = Packing.of(query_word(unit["pairs"], unit["words"], unit["word"])["values"].shape.elem_shape)
        cocotb.start_soon(self._answer())

    async def _answer(self) -> None:
        dut, scalar, answers = self.dut, Packing.of(SCALAR), []
        while True:
            await RisingEdge(dut.clk)
            at = int(dut.row.value), int(dut.head.value)
            index = int(dut.index.value) * self.size
            elements = np.zeros(self.size, int)  # of a word behind the last
            elements[:self.queries[at][index:].size] = self.queries[at][index:index + self.size]
            answers.append((self.word.pack(elements),
                            scalar.pack({"m": self.scales.m[at], "e": self.scales.e[at]})))
            if len(answers) == QueryMemory.LATENCY:
                dut.word.value, dut.scale.value = answers.pop(0)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def jobs_in_turn(dut, stall):
    """Both banks at once, then each as the user gives it back."""
    given = parameters()
    unit, dim = given["unit"], given["dim"]
    pairs_max, size = unit["pairs"], unit["word"]
    queries = np.array(given["queries"])
    scales = Scalar(np.array(given["scales"]["m"]), np.array(given["scales"]["e"]))
    constant = from_word(np.int64(given["score_constant"]))
    source, sink = StreamSource(dut, "i", JOB, stall=stall), StreamSink(dut, "o", JOB, stall=stall)
    write, scalar = Packing.of(query_word(pairs_max, unit["words"], size)), Packing.of(SCALAR)
    dut.bank_free.value, dut.dim.value, dut.score_constant.value = 0, dim, given["score_constant"]
    Queries(dut, queries, scales, unit)
    writes: list[tuple[int, dict]] = []
    taken: list[int] = []
    cycle = 0

    async def step() -> None:
        nonlocal cycle
        await RisingEdge(dut.clk)
        cycle += 1
        if dut.write_valid.value:
            writes.append((cycle, write.unpack(int(dut.write.value))))
        if dut.i__valid.value and dut.i__ready.value:
            taken.append(cycle)

    await start(dut)
    for _ in range(6):
        await step()
    source.send_nowait(*given["jobs"])
    for n, job in enumerate(given["jobs"]):
        if n >= 2:  # both banks are in use: nothing is loaded
            for _ in range(30):
                await step()
            assert not writes and len(taken) == n, f"job {n} is loaded into a bank in use"
            dut.bank_free.value = 1
            await step()
            dut.bank_free.value = 0
        waited = 0
        while not (came := sink.receive_nowait()):
            await step()
            waited += 1
            assert waited < 500, f"job {n} does not come"
        assert came == [job]
        heads, rows = job["heads_last"] + 1, job["rows_last"] + 1
        pairs = [(job["row"] + pair // heads, job["head"] + pair % heads) for pair in range(heads * rows)]
        indices = range(-(-dim // size))
        expected = [{"bank": n % 2, "index": index, "values": [
            queries[pair][index * size:(index + 1) * size].tolist() for pair in pairs]}
            for index in indices]
        got = [word | {"values": word["values"][:len(pairs)]} for _, word in writes]
        assert got == expected, f"job {n}: {got}, not {expected}"
        if not stall:
            assert sink.cycles[-1] - taken[n] <= len(pairs) * len(indices) + 6 + 1
        writes.clear()
        for _ in range(UNIT_CYCLES):
            await step()
        units = int(dut.units.value)
        for number, pair in enumerate(pairs):
            product = mul(Scalar(scales.m[pair], scales.e[pair]), constant)
            held = scalar.unpack(units >> (n % 2 * pairs_max + number) * scalar.width & (1 << scalar.width) - 1)
            assert held == {"m": int(product.m), "e": int(product.e)}, f"job {n}, pair {number}: {held}"
