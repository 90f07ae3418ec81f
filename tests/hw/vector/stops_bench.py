"""VectorEngine where a pass is cut: rows to memory, and the inputs that come back by LOAD."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from hw.arith.scalar import SCALAR
from models.golden.scalar import Scalar, constant, from_word, shift, to_word
from models.machine.build import CHANNEL_UNIT
from models.machine.descriptor import LoadTarget, NormSource, Opcode, StoreSource
from sim.packing import Packing
from sim.testbench import parameters
from tests.hw.vector.surroundings import FRACTION_BITS, LOADED_ROW, Surroundings, check_equal, rows_of

ADDRESS, STEPS = 0x98_7654_3270, 0x12_3456_78F0
GROUP = 24


def _bytes_at(address: int, content: bytes) -> dict[int, int]:
    return {address + n: byte for n, byte in enumerate(content)}


async def _store(bench: Surroundings, source: StoreSource, values: np.ndarray, steps: Scalar | None, *,
                 accumulator: int = 0) -> None:
    """STORE of all rows, and that it wrote `values` [rows, count] and the words of `steps` and nothing else."""
    count, expected = values.shape[1], {}
    bench.memory.clear()
    for first, rows in bench.parts():
        place = {"address": ADDRESS + first * count * 4, "steps": STEPS + first * 16}
        cycles = await bench.run(Opcode.STORE, source=source, count=count, rows=rows, first_row=first,
                                 accumulator=accumulator, group_channels=GROUP, **place)
        assert bench.stall or cycles <= rows * (count / bench.lanes + 30) + 40, f"{cycles} cycles"
    expected |= _bytes_at(ADDRESS, values.astype("<i4").tobytes())
    if steps is not None:
        for row in range(bench.rows):
            expected |= _bytes_at(STEPS + row * 16, int(to_word(steps[row])).to_bytes(4, "little"))
    assert bench.memory == expected, f"{source.name}: memory differs"
    assert not bench.taken("o_linear")


async def _load_steps(bench: Surroundings) -> None:
    """A step for every row; beside their words lies noise."""
    words = np.array([int(to_word(constant(10.0 ** float(e)))) for e in bench.rng.uniform(-6, 2, bench.rows)])
    beats = bench.rng.integers(1 << 32, size=(bench.rows, 4))
    beats[:, 0] = words
    await bench.load(LoadTarget.STEP, beats.astype("<u4"))
    await ClockCycles(bench.dut.clk, 3)
    bench.unit = from_word(words)
    bench.check_units()


@cocotb.test()
async def stores(dut):
    """Every source, with the unit that a LOAD and that a NORM left; the residual stream outlasts a reset."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, dim, wide = bench.rng, bench.rows, given["hidden"], given["ffn"]
    await bench.begin()
    h = rng.integers(-(1 << 31) + 1, 1 << 31, (rows, dim))
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await _load_steps(bench)
    await _store(bench, StoreSource.RESIDUAL, h, None)
    await _store(bench, StoreSource.SUMS, bench.slice(9, wide), bench.unit, accumulator=9)

    bench.attention = rng.integers(-(1 << 24), (1 << 24) + 1, (rows, dim))
    bench.exponents = [int(e) for e in rng.integers(-40, -20, rows)]
    exponents = shift(rows_of(constant(1), rows), np.array(bench.exponents))
    await _store(bench, StoreSource.ATTENTION, bench.attention, exponents)
    await bench.norm(NormSource.ATTENTION, bench.attention, exponents, group_channels=GROUP)
    await _store(bench, StoreSource.SUMS, bench.slice(3, CHANNEL_UNIT), bench.unit, accumulator=3)
    await bench.norm(NormSource.RESIDUAL, h, rows_of(constant(2.0**-FRACTION_BITS), rows), unit_exponent=-FRACTION_BITS)

    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    await _store(bench, StoreSource.RESIDUAL, h, None)
    await _load_steps(bench)
    h = await bench.residual(h, 4, int(to_word(constant(5.1e-3))), None)
    await _store(bench, StoreSource.RESIDUAL, h, None)


@cocotb.test()
async def inputs(dut):
    """Inputs and steps by LOAD, alone and while norms send theirs: nothing is lost, what is loaded counts nowhere."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, dim, wide = bench.rng, bench.rows, given["hidden"], given["ffn"]
    await bench.begin()
    h = rng.integers(-(1 << 20), 1 << 20, (rows, dim))
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    expected = {"o_linear": [], "o_head": []}

    async def load_inputs(row: int) -> None:
        for target, port, limit in ((LoadTarget.INPUT, "o_linear", 127), (LoadTarget.HEAD_INPUT, "o_head", 32767)):
            x = rng.integers(-limit, limit + 1, wide)
            x[:7] = 0
            expected[port] += [{"row": LOADED_ROW + row, "index": n, "values": x[n:n + bench.lanes].tolist()}
                               for n in range(0, wide, bench.lanes)]
            await bench.load(target, x.astype("<i2"), LOADED_ROW + row)

    for row in range(3):
        await load_inputs(row)
    await ClockCycles(dut.clk, 3)
    bench.taken("o_linear")
    assert not any(bench.counts.values())

    async def load_many_inputs() -> None:
        for row in range(rows * 4):
            await load_inputs(3 + row)

    async def load_many_steps() -> None:
        """Of a row that no norm has, more than a norm takes: it ends when they are through."""
        word = int(to_word(constant(3)))
        for _ in range(40):
            await bench.loads.send({"target": LoadTarget.STEP, "row": rows, "index": 0, "data": word ^ n}
                                   for n in reversed(range(16)))

    scale = rows_of(constant(2.0**-FRACTION_BITS), rows)
    for load in (load_many_inputs, load_many_steps):
        for levels in (127, 32767):
            loading = cocotb.start_soon(load())
            await bench.norm(NormSource.RESIDUAL, h, scale, levels=levels, unit_exponent=-FRACTION_BITS)
            await loading
            await ClockCycles(dut.clk, 3)
            bench.taken("o_linear")
    for port, words in expected.items():
        check_equal(bench.loaded[port], words)
    bench.check_units()
    held = int(dut.unit.value) >> rows * Packing.of(SCALAR).width
    assert held & (1 << Packing.of(SCALAR).width) - 1 == Packing.of(SCALAR).pack(
        {"m": int(constant(3).m), "e": int(constant(3).e)})
    await _load_steps(bench)
