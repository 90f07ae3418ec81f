"""The board's memory behind a core that copies: right data whatever it does, counters that add up, repeatable."""

import numpy as np
import pytest

from sim.memory_counters import LINE_BYTES, DramCounters, PortCounters
from sim.runner import emit_verilog
from sim.verilated_core import VerilatedCore
from tests.sim.copy_core import BEAT, CopyCore
from tests.sim.test_verilated_core import BEATS, HIGH_BASE, SOURCE, START, TARGET, copy, noise

PORTS = 4
EVERY_PORT = (1 << PORTS) - 1


@pytest.fixture(scope="module")
def four_ports():
    return emit_verilog(CopyCore(PORTS))


@pytest.fixture
def core(four_ports):
    with VerilatedCore(four_ports, PORTS, memory=noise(0x20000), base=HIGH_BASE) as core:
        core.configure(memory="kv260")
        yield core
        assert core.protocol_errors() == []


@pytest.mark.parametrize("stall, reorder", [(0, 0), (0.5, 0), (0.2, 0.8)])
@pytest.mark.parametrize("source, target, beats", [(0, 0x10000, 1), (0x0F50, 0x10010, 100), (0x10, 0x12010, 255)])
def test_data_arrive_whole(core, stall, reorder, source, target, beats):
    core.configure(memory="kv260", stall_probability=stall, reorder_probability=reorder, seed=beats)
    expected = core.memory.copy()
    expected[target : target + beats * BEAT] = expected[source : source + beats * BEAT]
    cycles = copy(core, HIGH_BASE + source, HIGH_BASE + target, beats, ports=EVERY_PORT)
    np.testing.assert_array_equal(core.memory, expected)
    assert core.bytes_read == core.bytes_written == (beats * BEAT,) * PORTS
    assert cycles > beats


def test_what_was_written_is_read_back(core):
    """Copies that begin where the last one ended: a write's answer comes only once every later read sees it."""
    first = core.memory[:0x1000].copy()
    for step in range(8):
        copy(core, HIGH_BASE + step * 0x1000, HIGH_BASE + (step + 1) * 0x1000, 256)
        np.testing.assert_array_equal(core.memory[(step + 1) * 0x1000 : (step + 2) * 0x1000], first)


def test_one_beat_takes_both_ways_twice(core):
    """225 ns to the memory and back for the read, as much for the write's answer, two refreshes at worst."""
    times = []
    for seed in range(20):
        core.configure(memory="kv260", seed=seed)
        times.append(copy(core, HIGH_BASE, HIGH_BASE + 0x10000, 1))
    assert 2 * 56 < min(times) < np.median(times) < 147 < max(times) < 2 * 56 + 35 + 2 * 107


def test_counters_add_up(core):
    before, beginning = core.port_counters(), core.cycles
    copy(core, HIGH_BASE, HIGH_BASE + 0x10000, 160, ports=0b0101)
    core.run(50)
    passed = core.cycles - beginning
    counted = [now - then for now, then in zip(core.port_counters(), before, strict=True)]
    for port in (0, 2):
        counters = counted[port]
        assert (counters.read_beats, counters.write_beats, counters.bytes_written) == (160, 160, 160 * BEAT)
        assert counters.read_bursts == 10 and counters.read_held == 0
        assert 56 + 16 <= counters.mean_read_latency <= counters.read_latency_max  # 225 ns, and the beats
        assert 0 < counters.read_waiting and 50 <= counters.read_idle(passed) < passed - 160
    for port in (1, 3):
        assert counted[port] == PortCounters(0, 0, 0, 0, 0, 0, 0, 0, 0) and counted[port].read_idle(passed) == passed
        assert counted[port].mean_read_latency == 0
    dram = core.dram_counters()
    assert dram.lines_read == dram.lines_written == 2 * 160 * BEAT // LINE_BYTES
    assert dram.rows_opened >= 4 and dram.turnarounds >= 2
    assert dram.utilisation(passed) == pytest.approx((80 + 80) * 3.75 / (passed * 4))


def test_a_burst_costs_every_line_that_it_touches(core):
    copy(core, HIGH_BASE + 0x30, HIGH_BASE + 0x10030, 2)
    core.run(500)  # the answer comes before the lines
    assert (core.dram_counters().lines_read, core.dram_counters().lines_written) == (2, 2)


def test_refreshes_come_on_time(core):
    core.run(100 * 1950)
    assert core.dram_counters() == DramCounters(0, 0, 0, 0, 100)


def test_a_slower_core_waits_fewer_cycles(core):
    cycles = {}
    for clock in (100, 250):
        core.configure(memory="kv260", clock_mhz=clock)
        before = core.port_counters()[0]
        copy(core, HIGH_BASE, HIGH_BASE + 0x10000, 64)
        cycles[clock] = (core.port_counters()[0] - before).mean_read_latency
    assert 15 < cycles[100] < cycles[250] - 15


def test_the_same_seed_gives_the_same_cycles(four_ports):
    def cycles(seed):
        with VerilatedCore(four_ports, PORTS) as core:
            core.configure(memory="kv260", seed=seed)
            return [copy(core, 0, 0x4000, 255, ports=EVERY_PORT) for _ in range(4)]

    assert cycles(1) == cycles(1) != cycles(2)


def test_the_memory_may_change_under_way(core):
    """What is under way ends as it began; what comes later takes the new way."""
    core.write_register(SOURCE + 4, HIGH_BASE >> 32)
    core.write_register(SOURCE, HIGH_BASE & 0xFFFFFFFF)
    core.write_register(TARGET + 4, HIGH_BASE >> 32)
    core.write_register(TARGET, HIGH_BASE + 0x10000 & 0xFFFFFFFF)
    core.write_register(BEATS, 255)
    core.write_register(START, EVERY_PORT)
    for memory in ("simple", "kv260", "simple"):
        core.run(60)
        assert not core.irq
        core.configure(memory=memory)
    core.run_until_irq(10_000)
    np.testing.assert_array_equal(core.memory[0x10000:0x10FF0], core.memory[:0xFF0])
    assert core.memory_model == "simple"


def test_reset_forgets_what_is_under_way(core):
    for _ in range(3):
        copy(core, HIGH_BASE, HIGH_BASE + 0x10000, 100)
        core.reset()
    core.run(100)
    assert core.dram_counters().lines_read == 3 * 25 and not core.irq


def test_addresses_outside_the_memory_are_refused(core):
    copy(core, HIGH_BASE + 0x20000, HIGH_BASE, 2)
    assert core.read_register(0x0C) == 1 and core.dram_counters().lines_read == 0


def test_wrong_settings_are_refused(core):
    with pytest.raises(ValueError, match="memory 'fast': there are simple, kv260"):
        core.configure(memory="fast")
    with pytest.raises(ValueError, match="comes from its DDR controller"):
        core.configure(memory="kv260", latency=3)
    with pytest.raises(ValueError, match="at most 32 bursts"):
        core.configure(memory="kv260", outstanding=33)
    with pytest.raises(ValueError, match="a memory of its own"):
        core.configure(memory="kv260", port=1)
