"""WeightedSum and SlicedSum against NumPy: exact sums of weights times values, passes one after another."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.sliced_sum import SlicedSum
from hw.attention.weight_memory import WeightMemory
from hw.attention.weighted_sum import WeightedSum
from models.machine.kv_format import kv_format
from sim.packing import Packing
from sim.testbench import generator, parameters, start

WEIGHT_MAX = (1 << 24) - 1


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def exact_sums(dut, stall):
    """Random and extreme weights and values; a pass begins while the sums of the one before are read."""
    given = parameters()
    slices, parts = given["unit"].get("slices", 1), given["unit"].get("parts", 1)
    unit = SlicedSum(**given["unit"]) if slices > 1 else WeightedSum(**given["unit"])
    sums, values_in, weights_in = (Packing.of(port.shape()) for port in (unit.sums, unit.values, unit.weights))
    for port in (dut.valid, dut.first, dut.last, dut.values, dut.weights, dut.pair, dut.step):
        port.value = 0
    if slices > 1:
        dut.slice.value = 0
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    limit = 1 << (unit.kv_bits - 1)
    late: list[int] = [0] * WeightMemory.READ_LATENCY
    expected: list[np.ndarray] = []
    finished = [0]

    async def reader():
        """After each pass' end all its sums, pair by pair, an index a cycle."""
        while True:
            await RisingEdge(dut.clk)
            if not dut.done.value:
                continue
            indices = [(pair, step) for pair in range(unit.pairs) for step in range(unit.steps)]
            assert expected, "a pass ends that nobody asked for"
            want, got = expected.pop(0), []
            for n in range(len(indices) + unit.READ_LATENCY):
                pair, step = indices[min(n, len(indices) - 1)]
                dut.pair.value, dut.step.value = pair, step
                await RisingEdge(dut.clk)
                if n >= unit.READ_LATENCY:
                    got.append(sums.unpack(int(dut.sums.value)))
            flat = np.array(got).reshape(unit.pairs, unit.steps * unit.sum_lanes)
            assert (flat == want).all(), (flat - want)
            finished[0] += 1

    cocotb.start_soon(reader())
    for tokens, extreme in given["passes"]:
        # a pass may begin while the one before is read, but not end
        for _ in range(max(0, unit.pairs * unit.steps + 4 - tokens)):
            late.append(0)
            dut.weights.value = late.pop(0)
            await RisingEdge(dut.clk)
        values = rng.integers(-limit, limit, (tokens, parts, unit.lanes))
        weights = rng.integers(0, WEIGHT_MAX + 1, (tokens, parts, unit.pairs))
        if extreme:
            values[:], weights[:] = -limit, WEIGHT_MAX
        expected.append(np.einsum("tkp,tkc->pc", weights, values))
        stored = kv_format(unit.kv_bits).stored(values)
        beats = stored.reshape(tokens * slices, parts, -1)
        for n, beat in enumerate(beats):
            while rng.random() < stall:
                dut.valid.value = 0
                late.append(0)
                dut.weights.value = late.pop(0)
                await RisingEdge(dut.clk)
            chunks = [int.from_bytes(chunk.tobytes(), "little") for chunk in beat]
            dut.valid.value, dut.first.value, dut.last.value = 1, int(n < slices), int(n == len(beats) - 1)
            if slices > 1:
                dut.slice.value = n % slices
            dut.values.value = values_in.pack(chunks)
            late.append(weights_in.pack(weights[n // slices].tolist()))
            dut.weights.value = late.pop(0)
            await RisingEdge(dut.clk)
        dut.valid.value = 0
    for _ in range(unit.pairs * unit.steps + 20):
        late.append(0)
        dut.weights.value = late.pop(0)
        await RisingEdge(dut.clk)
    assert finished[0] == len(given["passes"])
