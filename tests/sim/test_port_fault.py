"""Faults that are planted in the simulated memory: each has its effect where it was planted, and only there."""

import numpy as np
import pytest

from hw.stream.reset_tree import SHORTEST_RESET
from sim.port_fault import Channel, PortFault, Wrong
from sim.runner import emit_verilog
from sim.verilated_core import CoreError, VerilatedCore
from tests.sim.copy_core import BEAT, CopyCore
from tests.sim.test_verilated_core import BEATS, ERROR, START, copy, noise

HELD = 1000
TARGET = 0x8000
SIZE = 64


@pytest.fixture
def core():
    with VerilatedCore(emit_verilog(CopyCore(1)), 1, memory=noise(0x10000)) as core:
        yield core
        assert core.protocol_errors() == []


def copied(core):
    """Whether each of the beats copied is right."""
    rows = core.memory.reshape(-1, BEAT)
    return (rows[:SIZE] == rows[TARGET // BEAT:][:SIZE]).all(axis=1)


@pytest.mark.parametrize("wrong", [Wrong.SLVERR, Wrong.DECERR])
def test_one_beat_has_a_wrong_response_and_garbage(wrong, core):
    core.plant(fault := PortFault(0, Channel.R, wrong, after=37))
    assert not core.acted(fault)
    copy(core, 0, TARGET, SIZE)
    assert core.read_register(ERROR) == 1 and core.acted(fault)
    assert np.flatnonzero(~copied(core)).tolist() == [37]


def test_one_write_is_refused_and_not_done(core):
    core.plant(fault := PortFault(0, Channel.B, Wrong.SLVERR, after=2))
    copy(core, 0, TARGET, SIZE)
    assert core.read_register(ERROR) == 1 and core.acted(fault)
    assert np.flatnonzero(~copied(core)).tolist() == list(range(32, 48))


@pytest.mark.parametrize("channel, after", [(Channel.AR, 2), (Channel.R, 20), (Channel.AW, 2), (Channel.W, 20),
                                            (Channel.B, 1)])
def test_a_channel_stands_still_for_a_while(channel, after, core):
    free = copy(core, 0, TARGET, SIZE)
    core.plant(fault := PortFault(0, channel, Wrong.HOLD, after, HELD))
    held = copy(core, 0, TARGET, SIZE)
    assert free + HELD - 64 < held <= free + HELD + 2 and core.acted(fault)
    assert copied(core).all() and core.read_register(ERROR) == 0


@pytest.mark.parametrize("channel", Channel)
def test_a_channel_stands_still_until_faults_are_cleared(channel, core):
    core.plant(PortFault(0, channel, Wrong.HOLD, 1))
    with pytest.raises(CoreError, match="no interrupt within 50000 cycles"):
        copy(core, 0, TARGET, SIZE, max_cycles=50_000)
    core.clear_faults()
    core.run_until_irq(2000)
    assert copied(core).all()


def test_what_the_core_does_not_use_does_not_act(core):
    core.plant(fault := PortFault(0, Channel.B, Wrong.SLVERR, after=100))
    copy(core, 0, TARGET, SIZE)
    assert not core.acted(fault) and core.read_register(ERROR) == 0


def test_the_memory_answers_a_core_that_was_reset(core):
    """One that has no more under way than it remembers; the answers come after the reset."""
    core.configure(latency=200)
    core.write_register(BEATS, SIZE)
    core.write_register(START, 1)
    core.run(60)
    taken = core.bytes_read
    core.reset_alone(SHORTEST_RESET)
    core.run(1000)
    assert core.bytes_read > taken == (0,)
    assert core.read_register(BEATS) == 0


def test_what_makes_no_sense_is_refused(core):
    with pytest.raises(ValueError, match="AW has no response"):
        PortFault(0, Channel.AW, Wrong.SLVERR)
    with pytest.raises(ValueError, match="from 0"):
        PortFault(0, Channel.R, Wrong.SLVERR, after=-1)
    with pytest.raises(ValueError, match="no port 1"):
        core.plant(PortFault(1, Channel.R, Wrong.SLVERR))
