"""A whole board in Verilog behind the host's driver: ids, logits and caches are the emulator's."""

from __future__ import annotations

import random

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.link.upload import PAGE, header_of
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import BuildError, DeviceError
from models.synth import synthetic_model
from sim.soc.filled_memory import filled_memory
from sim.soc.verilated_board import VerilatedBoard, simulated_board
from tests.sim.soc.boards import BUILD, TINY, opened

RTL = pytest.mark.slow  # the first build of the whole chip's Verilog takes a minute

@pytest.fixture(scope="module")
def board():
    with simulated_board(BUILD) as simulated:
        yield simulated
        assert simulated.findings == {}  # no rule of the SDRAM chip was broken


def check_equal(model, device, ids):
    """Ids and logits behind each token, and the caches."""
    expected, found = Session(model, EmulatorDevice(BUILD)), Session(model, device)
    for token in ids:
        a, b = expected.decode(token), found.decode(token)
        assert a.ids.tolist() == b.ids.tolist() and a.logits.tolist() == b.logits.tolist()
    for layer in range(model.config.layers):
        cached = found.cache(layer)
        for name, values in expected.cache(layer).items():
            assert np.array_equal(values, cached[name]), (layer, name)
    return found


@RTL
def test_an_upload_and_tokens_through_the_whole_chain(board):
    board.memory[:] = 0xA5
    model = synthetic_model(TINY, seed=1)
    device = opened(board)
    check_equal(model, device, [3, 32, 0])
    assert device.uploaded > 0 and device.client.repeats == 0
    assert board.counters().runs == 3 and board.counters().broken == 0
    uploaded = board.memory[:device.buffer.array.size].copy()

    again = opened(board)
    check_equal(model, again, [7])
    assert again.uploaded < device.uploaded  # pages that runs have written to as well

    # what `filled_memory` says of such a board
    filled = filled_memory(model, BUILD)
    header = filled[-PAGE:][:len(header_of(uploaded))]
    assert np.array_equal(header, board.memory[-PAGE:][:header.size])
    constant = filled[:uploaded.size] != 0
    assert np.array_equal(filled[:uploaded.size][constant], uploaded[constant])


@RTL
def test_a_board_filled_before_needs_no_upload(board):
    model = synthetic_model(TINY, seed=2)
    board.memory[:] = filled_memory(model, BUILD)
    device = opened(board)
    check_equal(model, device, [1, 2])
    assert device.uploaded == 0


@RTL
def test_a_core_at_rest_changes_no_cycle(monkeypatch):
    model = synthetic_model(TINY, seed=6)
    counted = []
    for rests in (True, False):
        with simulated_board(BUILD, filled_memory(model, BUILD)) as simulated:
            simulated.let_core_rest(rests)
            monkeypatch.setattr("host.link.session.random.SystemRandom", lambda: random.Random(1))
            session = Session(model, opened(simulated))
            tops = [session.decode(token) for token in (4, 5)]
            counted.append((simulated.counters(), session.counters.cycles, [top.logits.tolist() for top in tops]))
    assert counted[0] == counted[1]


@RTL
def test_the_link_resets_the_core_in_the_midst_of_a_run(board):
    """At many cycles, writes under way or not: memory around is as it was, and the next run right."""
    model = synthetic_model(TINY, seed=7)
    board.memory[:] = filled_memory(model, BUILD)
    device = opened(board)
    device.wait_ms = 5
    expected, found = Session(model, EmulatorDevice(BUILD)), Session(model, device)
    expected.decode(1), found.decode(1)
    cycles = found.counters.cycles
    other = board.memory[device.buffer.array.size:].copy()
    for at in range(100, cycles, cycles // 4):
        wait = device.wait

        def reset(progress=None, at=at, wait=wait):
            board.run_to_start(2_000_000)  # behind a program that is sent anew
            board.pass_time(at)
            assert board.running
            device.client.reset_core()
            wait(progress)

        device.wait = reset
        with pytest.raises(DeviceError, match="was reset in the midst of a run"):
            found.decode(2)
        device.wait = wait
        found.recover()
    assert found.decode(2).logits.tolist() == expected.decode(2).logits.tolist()
    assert np.array_equal(board.memory[device.buffer.array.size:], other)


@RTL
def test_an_idle_board_takes_no_time(board):
    device = opened(board)
    board.run(1_000_000)
    assert board.idle and board.run(1_000_000) == 0
    before, now = board.counters().cycles, device.client.transport.now()
    device.client.transport.pause(5.0)
    assert board.counters().cycles == before and device.client.transport.now() == pytest.approx(now + 5.0)


def test_what_cannot_be_simulated_so():
    with pytest.raises(BuildError, match="board kv260 has no serial line: its device is rtl"):
        simulated_board(BUILDS["kv260"])
    with pytest.raises(ValueError, match="the memory must be a vector of 33554432 uint8"):
        VerilatedBoard("", clock_mhz=60, baud=3_000_000, memory=np.zeros(4, np.uint8))
