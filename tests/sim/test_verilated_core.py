"""The Verilated core and its AXI memory: right data whatever stalls, and every broken rule reported."""

import time

import numpy as np
import pytest

from host.devices.waves import Waves
from models.errors import OptionError
from sim.runner import emit_verilog
from sim.verilated_core import CoreError, VerilatedCore
from tests.sim.copy_core import BEAT, FAULTS, IDENTITY, CopyCore
from tests.sim.waves_file import read_waves

START, DONE, ERROR, SOURCE, TARGET, BEATS, FAULT = 0x04, 0x08, 0x0C, 0x10, 0x18, 0x20, 0x24
HIGH_BASE = 0x8_4000_0000  # more than 32 bits


def copy(core, source, target, beats, ports=1, max_cycles=100_000):
    """Program every port of the mask `ports` with one copy and wait for the interrupt; return its cycles."""
    for register, value in ((SOURCE, source), (TARGET, target)):
        core.write_register(register, value)
        core.write_register(register + 4, value >> 32)
    core.write_register(BEATS, beats)
    core.write_register(START, ports)
    return core.run_until_irq(max_cycles)


def noise(size, seed=3):
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


@pytest.fixture(scope="module")
def one_port():
    return emit_verilog(CopyCore(1))


def test_registers_answer(one_port):
    with VerilatedCore(one_port, 1) as core:
        for stall in (0.0, 0.7):
            core.configure(stall_probability=stall)
            assert core.read_register(0) == IDENTITY
            core.write_register(BEATS, 0xFFFF_1234)
            assert core.read_register(BEATS) == 0x1234
            with pytest.raises(CoreError, match="write of register 0x40 was refused with response 2"):
                core.write_register(0x40, 0)
            with pytest.raises(CoreError, match="read of register 0x44 was refused"):
                core.read_register(0x44)


@pytest.mark.parametrize("stall, reorder, latency", [(0, 0, 0), (0, 0, 40), (0.3, 0, 5), (0.8, 0.5, 20), (0.1, 0.9, 3)])
@pytest.mark.parametrize("source, target, beats", [(0, 0x2000, 1), (0x0F50, 0x2010, 100), (0x10, 0x2010, 255)])
def test_data_arrive_whole(one_port, stall, reorder, latency, source, target, beats):
    with VerilatedCore(one_port, 1, memory=0x4000, base=HIGH_BASE) as core:
        core.configure(latency=latency, stall_probability=stall, reorder_probability=reorder, seed=beats)
        core.memory[:] = before = noise(0x4000)
        cycles = copy(core, HIGH_BASE + source, HIGH_BASE + target, beats)
        before[target : target + beats * BEAT] = before[source : source + beats * BEAT]
        np.testing.assert_array_equal(core.memory, before)
        assert core.read_register(ERROR) == 0 and core.protocol_errors() == []
        assert core.bytes_read == core.bytes_written == (beats * BEAT,)
        assert cycles >= beats + latency


@pytest.mark.parametrize("ports", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_ports_share_the_memory(ports):
    with VerilatedCore(emit_verilog(CopyCore(ports)), ports, memory=noise(0x8000)) as core:
        core.configure(stall_probability=0.2)
        expected = core.memory[:0x640].copy()
        copy(core, 0, 0x4000, 100, ports=(1 << ports) - 1)
        np.testing.assert_array_equal(core.memory[0x4000:0x4640], expected)
        assert core.bytes_read == core.bytes_written == (1600,) * ports
        copy(core, 0, 0x6000, 3, ports=1 << (ports - 1))
        assert core.bytes_read == (1600,) * (ports - 1) + (1648,)
        assert core.read_register(DONE) == (1 << ports) - 1 and core.protocol_errors() == []


def test_a_slow_port_is_slow_alone():
    with VerilatedCore(emit_verilog(CopyCore(4)), 4) as core:
        core.configure(latency=2)
        core.configure(latency=300, port=1)
        fast, slow = (copy(core, 0, 0x4000, 64, ports=mask) for mask in (1, 2))
        assert slow > fast + 300


def test_the_same_seed_gives_the_same_cycles(one_port):
    def cycles(seed):
        with VerilatedCore(one_port, 1) as core:
            core.configure(stall_probability=0.5, seed=seed)
            return copy(core, 0, 0x4000, 200)

    assert cycles(1) == cycles(1) != cycles(2)


def test_bursts_overtake_each_other(one_port):
    def cycles(reorder):
        with VerilatedCore(one_port, 1) as core:
            core.configure(latency=20, reorder_probability=reorder)
            return copy(core, 0, 0x4000, 200)

    assert cycles(0) != cycles(1)


def test_reset_starts_afresh(one_port):
    with VerilatedCore(one_port, 1) as core:
        core.configure(stall_probability=0.5)
        core.write_register(BEATS, 500)
        core.write_register(START, 1)
        core.run(100)
        core.reset()
        assert not core.irq and core.read_register(BEATS) == 0
        core.memory[:BEAT] = 7
        copy(core, 0, 0x8000, 1)
        assert (core.memory[0x8000 : 0x8000 + BEAT] == 7).all() and core.protocol_errors() == []


def test_addresses_outside_the_memory_are_refused(one_port):
    for source, target in ((0x4000, 0), (0, 0x4000)):
        with VerilatedCore(one_port, 1, memory=0x4000) as core:
            core.memory[:] = before = noise(0x4000)
            copy(core, source, target, 2)
            assert core.read_register(ERROR) == 1
            assert core.protocol_errors() == []
            if target:
                np.testing.assert_array_equal(core.memory, before)


@pytest.mark.parametrize(
    "fault, rule",
    [
        ("long burst", "a burst of more than 16 beats (0x20)"),
        ("crosses 4 KiB", "a burst that crosses 4 KiB (0xf80)"),
        ("early last", "WLAST before the last beat"),
        ("address changes", "the read address changed or fell before its handshake"),
        ("unaligned", "an address not aligned to the beat"),
        ("narrow", "beats narrower or wider than the port (0x4)"),
    ],
)
def test_a_broken_rule_is_reported(one_port, fault, rule):
    with VerilatedCore(one_port, 1) as core:
        core.configure(stall_probability=0.3)
        core.write_register(FAULT, 1 + FAULTS.index(fault))
        copy(core, 0x0F80, 0x4000, 64)
        errors = core.protocol_errors()
        assert any(rule in error and ", m0_axi: " in error for error in errors), errors
        assert core.protocol_errors() == []


def test_a_core_that_never_finishes(one_port):
    with VerilatedCore(one_port, 1) as core:
        seen = []  # nothing was started
        with pytest.raises(CoreError, match="no interrupt within 45000 cycles"):
            core.run_until_irq(45_000, seen.append)
        assert seen == [20_000, 40_000, 45_000]


def test_wrong_uses_are_refused(one_port):
    with pytest.raises(ValueError, match="128 bits, not 64"):
        VerilatedCore(one_port, 1, data_width=64)
    with pytest.raises(ValueError, match="5 ports"):
        VerilatedCore(one_port, 5)
    with pytest.raises(ValueError, match="uint8"):
        VerilatedCore(one_port, 1, memory=np.zeros(16, np.int32))
    with VerilatedCore(one_port, 1) as core:
        with pytest.raises(ValueError, match="probability"):
            core.configure(stall_probability=1.5)
        with pytest.raises(ValueError, match="no port 1"):
            core.configure(port=1)


@pytest.mark.slow  # compiles its own runtime; that a unit's file opens is held by test_runner.py
@pytest.mark.parametrize("first, cycles, scope", [(0, None, ""), (20, 30, "engine0.fifo0")])
def test_waves_have_their_window_and_scope(one_port, tmp_path, first, cycles, scope):
    file = tmp_path / "core.fst"
    with VerilatedCore(one_port, 1, waves=Waves(file, first, cycles, scope), clock_mhz=100.0) as core:
        copy(core, 0, 0x4000, 16)
        ran = core.cycles
    waves = read_waves(file)
    period = 10_000  # ps
    assert waves.begin == max(first * period, period // 2)
    assert waves.end == (ran if cycles is None else first + cycles - 1) * period + period // 2
    signals = set(waves.changes)
    if scope:
        assert signals and all(name.startswith("TOP.top.engine0.fifo0.") for name in signals)
        assert "TOP.top.engine0.fifo0.w_en" in signals
    else:
        assert {"TOP.top.m0_axi_araddr", "TOP.top.engine0.fifo0.w_en", "TOP.top.irq"} <= signals
        rises = [time for time, value in waves.changes["TOP.top.clk"] if value == "1"]
        assert len(rises) == ran and set(np.diff(rises)) == {period}
        assert len([value for _, value in waves.changes["TOP.top.irq"] if value == "1"]) == 1


def test_waves_that_cannot_be(one_port, tmp_path):
    with pytest.raises(OptionError, match="no instance 'engine7'; at its top it has engine0"):
        VerilatedCore(one_port, 1, waves=Waves(tmp_path / "x.fst", scope="engine7"))


def test_speed(one_port):
    """A small core must make far more cycles a second than any Python in the loop could give."""
    with VerilatedCore(one_port, 1) as core:
        core.write_register(BEATS, 20_000)
        core.write_register(SOURCE, 0)
        core.write_register(TARGET, 0x80000)
        core.write_register(START, 1)
        begin = time.process_time()
        core.run(200_000)
        speed = 200_000 / (time.process_time() - begin)
        print(f"{speed:,.0f} cycles/s")
        assert speed > 150_000
