"""WeightedSum against NumPy: exact sums of weights times values."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from hw.attention.query_key_dot import ROW_BEAT
from hw.attention.weighted_sum import WeightedSum
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start

WEIGHT_MAX = (1 << 24) - 1


def _beats(values: np.ndarray, lanes: int, kv_bits: int) -> list[int]:
    """Tokens x channels as beats, channels ascending from the least significant bits."""
    mask = (1 << kv_bits) - 1
    return [sum((int(v) & mask) << (kv_bits * lane) for lane, v in enumerate(row[low:low + lanes]))
            for row in values for low in range(0, len(row), lanes)]


@cocotb.test()
async def exact_sums(dut):
    """Random and extreme weights and values, several groups one after another."""
    given = parameters()
    unit = WeightedSum(**given["unit"])
    packing = Packing.of(unit.sums.shape())
    values_in = StreamSource(dut, "i_values", ROW_BEAT, stall=given["stall"])
    weights_in = StreamSource(dut, "i_weights", stall=given["stall"])
    for port in (dut.start, dut.group_last, dut.beats_last, dut.head, dut.chunk):
        port.value = 0
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    limit = 1 << (unit.kv_bits - 1)
    for tokens, heads, beats, extreme in given["groups"]:
        values = rng.integers(-limit, limit, (tokens, beats * unit.lanes))
        weights = rng.integers(0, WEIGHT_MAX + 1, (tokens, heads))
        if extreme:
            values[:] = np.where(np.arange(beats * unit.lanes) % 2, -limit, limit - 1)
            weights[:] = WEIGHT_MAX
        dut.group_last.value, dut.beats_last.value, dut.start.value = heads - 1, beats - 1, 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        weights_in.send_nowait(*weights.reshape(-1))
        sent = _beats(values, unit.lanes, unit.kv_bits)
        values_in.send_nowait(*({"data": beat, "last": n == len(sent) - 1} for n, beat in enumerate(sent)))
        await RisingEdge(dut.done)
        await RisingEdge(dut.clk)
        for head in range(heads):
            for chunk in range(beats):
                dut.head.value, dut.chunk.value = head, chunk
                await ReadOnly()
                await RisingEdge(dut.clk)
                got = packing.unpack(int(dut.sums.value))
                expected = weights[:, head] @ values[:, chunk * unit.lanes:(chunk + 1) * unit.lanes]
                assert got == expected.tolist(), (tokens, heads, beats, head, chunk)
        await ClockCycles(dut.clk, 3)
        assert not dut.done.value
