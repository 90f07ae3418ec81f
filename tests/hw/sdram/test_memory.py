# amaranth: UnusedElaboratable=no
"""The SDRAM controller before the chip's model: every byte, every rule of the chip, its speed and its refresh."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hw.sdram.memory import SdramMemory
from hw.sdram.timing import ULX3S_CHIPS
from sim.runner import emit_verilog
from sim.sdram.bench import MasterList, SdramBench
from tests.hw.sdram.traffic import DECERR, expect, random_list

BLOCK = 256
NONE = MasterList.reads(np.arange(0))
BURST_WORDS = BLOCK // 2
CLOCKS = 60, 100, 133
SHIFTED = (100,)  # the chip's clock comes half a cycle later there, so words come a cycle sooner


@cache
def verilog(clock_mhz: int, data_cycles: int | None = None) -> str:
    return emit_verilog(SdramMemory(ULX3S_CHIPS, 2, clock_mhz, data_cycles=data_cycles), None)


def started(clock_mhz: int = 60) -> SdramBench:
    shifted = clock_mhz in SHIFTED
    bench = SdramBench(verilog(clock_mhz, 1 if shifted else None), 2, clock_mhz, shifted=shifted)
    bench.start()
    return bench


def noise(bench: SdramBench, seed: int) -> np.ndarray:
    bench.memory[:] = np.random.default_rng(seed).integers(0, 256, bench.memory.size, dtype=np.uint8)
    return bench.memory.copy()


@pytest.mark.parametrize("clock_mhz", CLOCKS)
def test_random_traffic_of_two_masters(clock_mhz):
    bench = started(clock_mhz)
    expected, rng = noise(bench, 1), np.random.default_rng(clock_mhz)
    for pause, under_way in ((0, 8), (0.05, 8), (0.5, 40), (0.9, 20)):
        lists = [random_list(rng, 300, first=number, step=2) for number in range(2)]
        wanted = [expect(given, expected) for given in lists]
        bench.run(lists, pause=pause, under_way=under_way, seed=rng.integers(1 << 30))
        for given, (data, responses) in zip(lists, wanted, strict=True):
            np.testing.assert_array_equal(given.bursts["response"], responses)
            refused = np.repeat(responses == DECERR, given.bursts["beats"].astype(int))
            np.testing.assert_array_equal(given.data[~refused], data[~refused])
    np.testing.assert_array_equal(bench.memory, expected)
    assert not bench.findings


@pytest.mark.parametrize("clock_mhz", [60, 100])
def test_long_reads_fill_the_bus(clock_mhz):
    bench, cycles = started(clock_mhz), ULX3S_CHIPS.cycles(clock_mhz)
    content = noise(bench, 2)
    reads = MasterList.reads(np.arange(1000) * BLOCK)
    bench.run([reads, NONE])
    np.testing.assert_array_equal(reads.data.ravel(), content[:reads.data.size])
    taken = int(reads.bursts["done"][-1] - reads.bursts["sent"][0])
    refresh = (cycles.rp + cycles.rfc + cycles.rcd + 2) / cycles.refresh
    share = 1000 * BURST_WORDS / taken
    assert share >= 0.9 * (1 - refresh)
    # and what it does now, to be seen where it gets slower: gaps at refreshes alone
    assert share >= 0.965
    assert bench.counts.activates <= 250 + 2 * bench.counts.refreshes and not bench.findings


def test_the_first_beat_comes_as_soon_as_is_said():
    """24 cycles from the address where the bank has no row open, 23 where it is this one, 26 where it is another."""
    bench = started()
    for address, latency in ((0, 24), (256, 23), (4096, 26)):
        reads = MasterList.reads(np.array([address]))
        bench.run([reads, NONE])
        assert int((reads.bursts["first"] - reads.bursts["sent"])[0]) == latency, address


def test_masters_take_turns():
    """Two that ask for all they can get share it, whatever they do."""
    bench = started()
    lists = [MasterList.reads(np.arange(200) * BLOCK), MasterList.reads((1 << 20) + np.arange(200) * BLOCK)]
    lists[1].bursts["write"] = 1
    bench.run(lists)
    ends = [int(given.bursts["done"][-1]) for given in lists]
    begin = int(min(given.bursts["sent"][0] for given in lists))
    assert abs(ends[0] - ends[1]) < 0.02 * (ends[0] - begin) and not bench.findings


def test_a_master_that_takes_nothing_holds_up_no_other():
    bench = started()
    slow, fast = MasterList.reads(np.arange(30) * BLOCK), MasterList.reads((1 << 20) + np.arange(300) * BLOCK)
    bench.run([slow, fast], pause=0.97)
    assert not bench.findings


def test_refresh_keeps_its_rate_under_load():
    bench, cycles = started(), ULX3S_CHIPS.cycles(60)
    before, begin = bench.counts.refreshes, bench.cycle
    rng = np.random.default_rng(3)
    bench.run([MasterList.reads(rng.integers(0, 1 << 17, 2000) * BLOCK) for _ in range(2)])
    refreshes, taken = bench.counts.refreshes - before, bench.cycle - begin
    assert abs(refreshes - taken / cycles.refresh) <= 1 and taken > 500_000 and not bench.findings


@pytest.mark.slow  # each row twice: 8 million cycles
@pytest.mark.parametrize("busy", [False, True])
def test_no_row_waits_longer_than_64_ms(busy):
    bench, cycles = started(), ULX3S_CHIPS.cycles(60)
    content, rng, begin = noise(bench, 4), np.random.default_rng(4), bench.cycle
    while bench.cycle - begin < 130e-3 * 60e6:
        if not busy:
            bench.idle(100_000)
            continue
        reads = MasterList.reads(rng.integers(0, 1 << 17, 1000) * BLOCK)
        bench.run([reads, MasterList.reads(rng.integers(0, 1 << 17, 1000) * BLOCK)])
        places = reads.bursts["address"][:, None] + np.arange(BLOCK, dtype=np.uint64)
        np.testing.assert_array_equal(reads.data.reshape(-1, BLOCK), content[places])
    bench.check_rows()
    assert not bench.findings and abs(bench.counts.refreshes - 8 - (bench.cycle - begin) / cycles.refresh) <= 2


def test_parameters():
    with pytest.raises(ValueError, match="masters must be 1 to 4, got 5"):
        SdramMemory(ULX3S_CHIPS, 5, 60)
    with pytest.raises(ValueError, match="data_cycles must be 1 to 6, got 0"):
        SdramMemory(ULX3S_CHIPS, 1, 60, data_cycles=0)
    with pytest.raises(ValueError, match="an SDRAM runs at 20 to 143 MHz here, not at 250"):
        SdramMemory(ULX3S_CHIPS, 1, 250)
