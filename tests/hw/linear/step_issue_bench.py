"""Step issue against loops over tiles, batches and outputs: where each step goes, and when at the earliest."""

from __future__ import annotations

import cocotb
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.linear.accumulator import REUSE_DISTANCE
from models.machine.build import BuildParameters
from sim.packing import Packing
from sim.testbench import generator, parameters, start


def _steps(build, command) -> list[tuple]:
    """(step or None where its outputs are padding, whether a tile and batch ends with it), in order."""
    words = command["outputs"] // build.outputs_per_step
    padding = command["padding"] // build.outputs_per_step
    found = []
    for tile in range(command["tiles"]):
        for batch in range(command["first_batch"], command["first_batch"] + command["batches"]):
            for word in range(words):
                step = (build.batch_words * batch + command["base"] + word, int(tile == 0))
                found.append((step if word < words - padding else None, word == words - 1))
    return found


@cocotb.test()
@cocotb.parametrize(ready=[1.0, 0.6])
async def commands_in_turn(dut, ready):
    """Free, no cycle is lost but those a word needs before it comes again."""
    build, random = BuildParameters(**parameters()["build"]), generator(f"ready {ready}")
    packing = Packing.of(data.StructLayout({"valid": 1, "word": range(build.accumulator_words), "overwrite": 1}))
    dut.start.value = dut.available.value = dut.tables_ready.value = 0
    await start(dut)
    for n, command in enumerate(parameters()["commands"]):
        assert dut.done.value
        for name, value in command.items():
            getattr(dut, name).value = value
        dut.start.value, dut.available.value = 1, 0
        await RisingEdge(dut.clk)
        dut.start.value = 0
        for name, value in command.items():
            getattr(dut, name).value = random.randint(0, value)  # taken with the start
        last_use: dict[int, int] = {}
        cycle = lost = 0
        words = command["outputs"] // build.outputs_per_step
        for at, (expected, ends) in enumerate(_steps(build, command)):
            while True:
                dut.available.value, tables = random.random() < ready, random.random() < ready
                dut.tables_ready.value = tables
                await RisingEdge(dut.clk)
                cycle += 1
                step = packing.unpack(int(dut.step.value))
                if dut.take.value:
                    break
                assert not step["valid"] and not dut.release.value
                lost += 1
                assert cycle < 5000, f"command {n}: step {at} does not come"
            assert dut.available.value and dut.tables_ready.value
            assert not dut.done.value and bool(dut.release.value) == ends, f"command {n}, step {at}"
            got = (step["word"], step["overwrite"]) if step["valid"] else None
            assert got == expected, f"command {n}, step {at}: {got}, not {expected}"
            if got is not None:
                since = cycle - last_use.get(got[0], -100)
                assert since >= REUSE_DISTANCE, f"command {n}: word {got[0]} again after {since} cycles"
                last_use[got[0]] = cycle
        dut.available.value = 0
        if ready == 1.0:
            tiles = command["tiles"] * command["batches"]
            assert lost == (0 if words >= REUSE_DISTANCE else (tiles - 1) * (REUSE_DISTANCE - 1)), f"command {n}"
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
