# amaranth: UnusedElaboratable=no
"""What the SDRAM carries: shares that can be known, and the command's table."""

from __future__ import annotations

import pytest

from hw.sdram.memory import SdramMemory
from hw.sdram.timing import ULX3S_CHIPS
from scripts.experiments.sdram_speed import PATTERNS, main, measure
from sim.runner import emit_verilog
from sim.sdram.bench import SdramBench


def test_one_burst_at_a_time_leaves_the_bus_idle():
    bench = SdramBench(emit_verilog(SdramMemory(ULX3S_CHIPS, 2, 60), None), 2, 60)
    bench.start()
    lists = PATTERNS["a long read"]
    alone, under_way = measure(bench, lists(), under_way=1), measure(bench, lists())
    # 23 cycles to the first beat of an open row, 15 beats of eight more, one to ask again: 128 words in that time
    assert 0.87 < alone.share <= 128 / 144 < 0.965 < under_way.share
    assert 23 <= alone.latency < 25 < under_way.latency


def test_a_clock_that_no_chip_has_is_refused(capsys):
    with pytest.raises(Exception, match="an SDRAM runs at 20 to 143 MHz here, not at 200"):
        main(["--clock-mhz", "200"])
