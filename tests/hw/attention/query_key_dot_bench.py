"""QueryKeyDot against NumPy: exact dot products of a job's queries with each key."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.attention.query_key_dot import QueryKeyDot
from models.machine.kv_format import kv_format
from sim.packing import Packing
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def exact_dots(dut, stall):
    """Keys of all lengths in whole beats, extremes among them, with and without bubbles, banks in turn."""
    given = parameters()
    unit = QueryKeyDot(**given["unit"])
    beat_packing, write_packing = Packing.of(unit.i.shape()), Packing.of(unit.write.shape())
    out = Packing.of(unit.dots.shape())
    dut.valid.value = dut.i.value = dut.write_valid.value = dut.write.value = 0
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    limit = 1 << (unit.kv_bits - 1)
    for bank, (tokens, chunks, extreme) in enumerate(given["keys"]):
        keys = rng.integers(-limit, limit, (tokens, chunks * unit.lanes))
        queries = rng.integers(-(1 << 15), 1 << 15, (unit.pairs, chunks * unit.lanes))
        if extreme:
            keys[:], queries[:] = -limit, -(1 << 15)
        for index in range(chunks * unit.lanes // unit.word):
            values = queries[:, index * unit.word:(index + 1) * unit.word]
            dut.write_valid.value = 1
            dut.write.value = write_packing.pack({"bank": bank % 2, "index": index, "values": values.tolist()})
            await RisingEdge(dut.clk)
        dut.write_valid.value = 0

        kv = kv_format(unit.kv_bits)
        stored, size = kv.stored(keys).tobytes(), kv.bytes_of(unit.lanes)
        pieces = [int.from_bytes(stored[low:low + size], "little") for low in range(0, len(stored), size)]
        numbers = [n % chunks for n in range(len(pieces))]
        while len(pieces) % unit.parts:  # behind the last key: another's first chunk, of no use
            pieces.append(0)
            numbers.append(0)
        got, due = [], []
        for low in range(0, len(pieces), unit.parts):
            while rng.random() < stall:
                dut.valid.value = 0
                await _step(dut, due, got, out)
            parts = [{"chunk": n, "first": n == 0, "last": n == chunks - 1} for n in numbers[low:low + unit.parts]]
            ends = any(part["last"] for part in parts)
            dut.valid.value = 1
            dut.i.value = beat_packing.pack({"data": pieces[low:low + unit.parts], "parts": parts, "bank": bank % 2})
            if ends:
                due.append(unit.latency)
            await _step(dut, due, got, out)
        dut.valid.value = 0
        while due:
            await _step(dut, due, got, out)
        assert got == (keys @ queries.T).tolist(), (tokens, chunks, extreme)
        await ClockCycles(dut.clk, 2)


async def _step(dut, due: list[int], got: list[list[int]], out: Packing) -> None:
    """A cycle; the dot products that are due at its end."""
    await RisingEdge(dut.clk)
    due[:] = [cycles - 1 for cycles in due]
    if due and due[0] < 0:
        got.append(out.unpack(int(dut.dots.value)))
        due.pop(0)
