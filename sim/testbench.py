"""What every cocotb bench begins with: its parameters, a seeded generator, clock and reset.

The test that calls `sim.runner.run_bench` gives the parameters; the bench runs in the simulator's process.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

from cocotb.clock import Clock
from cocotb.handle import SimHandleBase
from cocotb.triggers import ClockCycles, RisingEdge

__all__ = ["PARAMETERS_VARIABLE", "generator", "parameters", "reset", "seed", "start"]

PARAMETERS_VARIABLE = "TRITLOOM_BENCH_PARAMETERS"  # names a file: the system limits the length of a variable
CLOCK_STEPS = 2  # of simulated time per cycle; its unit is of no meaning here


def parameters() -> dict[str, Any]:
    """What the test passed as ``parameters=``, through JSON: tuples and arrays have become lists."""
    return json.loads(Path(os.environ[PARAMETERS_VARIABLE]).read_text("utf-8"))


def seed() -> int:
    """The run's seed, the same in every test of the bench (``cocotb.RANDOM_SEED`` differs by test)."""
    return int(os.environ["COCOTB_RANDOM_SEED"])


def generator(name: str = "") -> random.Random:
    """A random generator of its own for each name, from the run's seed."""
    return random.Random(f"{seed()}/{name}")


async def start(dut: SimHandleBase, reset_cycles: int = 2) -> None:
    """Start the clock ``clk``, hold ``rst`` for some cycles and return on the rising edge that releases it.

    Inputs hold what they were set to before the call; set those that must not float.
    """
    dut.rst.value = 1
    Clock(dut.clk, CLOCK_STEPS, unit="step", impl="gpi").start()
    await reset(dut, reset_cycles)


async def reset(dut: SimHandleBase, cycles: int = 2) -> None:
    """Hold ``rst`` for some cycles and return on the rising edge that releases it. What memories hold stays."""
    dut.rst.value = 1
    await ClockCycles(dut.clk, cycles, RisingEdge)
    dut.rst.value = 0
