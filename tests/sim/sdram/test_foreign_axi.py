# amaranth: UnusedElaboratable=no
"""A second opinion: the SDRAM controller behind cocotbext-axi's masters."""

from __future__ import annotations

from dataclasses import replace

from hw.sdram.memory import SdramMemory
from hw.sdram.timing import ULX3S_CHIPS
from sim.runner import run_bench

POWER_UP_NS = 2_000  # the chip's 200 us are test_memory.py's


def test_foreign_masters_find_what_they_wrote():
    timing = replace(ULX3S_CHIPS, power_up=POWER_UP_NS)
    run_bench(SdramMemory(timing, 2, 62.5), "tests.sim.sdram.foreign_axi_bench", {
        "period": 16_000, "power_up": 1000 * POWER_UP_NS, "accesses": 80, "pause": 0.3}, technology=None)
