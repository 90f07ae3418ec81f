"""Whole tokens through the device `serial`, on a modelled board: the emulator's, in few round trips."""

from __future__ import annotations

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.link.upload import PAGE
from host.pipeline.host_steps import HostSteps
from host.pipeline.placement import place
from host.pipeline.site import Point
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.runtime import Session
from models.errors import DeviceError
from models.machine.registers import Control, register
from models.synth import synthetic_model
from tests.host.link.board_model import BoardModel
from tests.host.link.modelled_line import TO_BOARD, Harm
from tests.host.link.opened import BUILD, CLOCK_MHZ, TINY, WORD, new_board, opened

SHARED = 2 * PAGE
"""Pages with both constants and what runs write, before and behind the weights."""


@pytest.fixture
def board():
    return new_board()


@pytest.fixture(scope="module")
def model():
    return synthetic_model(TINY, seed=3)


def test_a_session_gives_the_emulators_tokens(board, model):
    expected, found = Session(model, EmulatorDevice(BUILD)), Session(model, opened(board))
    a, b = expected.prefill([7, 60, 0, 13, 22]), found.prefill([7, 60, 0, 13, 22])
    for token in range(8):
        assert np.array_equal(a.ids, b.ids) and np.array_equal(a.logits, b.logits)
        if token % 3 == 2:  # a large read in between: what is read ahead must not be what was read before
            for name, cached in expected.cache(1).items():
                assert np.array_equal(found.cache(1)[name], cached)
        a, b = expected.decode(int(a.ids[0])), found.decode(int(b.ids[0]))
    assert found.saturations == expected.saturations


def test_a_token_takes_two_round_trips_and_few_bytes(board, model):
    session = Session(model, opened(board))
    session.decode(7)  # its descriptors go over the line once
    client, line = session.device.client, session.device.client.transport
    before = client.trips, line.written, line.received
    for token in (5, 6, 7):
        session.decode(token)
    trips, sent, received = (now - then for now, then in zip((client.trips, line.written, line.received), before,
                                                            strict=True))
    assert trips == 3 * 2
    assert sent < 3 * (TINY.hidden_size * 4 + 160) and received < 3 * (BUILD.top_k * 8 + 160)
    assert client.repeats == board.dropped == board.damaged == 0


def test_a_profile_costs_no_round_trip_more(board, model):
    session = Session(model, opened(board))
    session.profile()
    session.decode(1)
    session.decode(2)
    before = session.device.client.trips
    session.decode(3)
    assert session.device.client.trips - before == 2


def test_scores_and_stops_equal_the_emulators(board, model):
    points = [Point(0, "o"), Point(1, "down"), Point(1, "ffn_norm")]
    steps = [HostSteps(model, looks={point: [lambda *_: None] for point in points}) for _ in range(2)]
    found = Session(model, opened(board), host_steps=steps[0])
    expected = Session(model, EmulatorDevice(BUILD), host_steps=steps[1])
    ids = list(range(9, 20))
    assert np.array_equal(found.score(ids), expected.score(ids))
    assert found.device.client.repeats == 0


def test_other_taps_reach_the_board(board, model):
    random = np.random.default_rng(2)
    stage = DifferenceOfMeans({"vectors": random.standard_normal((TINY.layers, TINY.hidden_size))})
    weak, strong = (place([stage.with_strength(strength)], model).taps for strength in (0.5, 3))
    both = [Session(model, device, taps=weak) for device in (opened(board), EmulatorDevice(BUILD))]
    for session in both:
        session.decode(3)
        session.set_taps(strong)
    found, expected = (session.decode(4) for session in both)
    assert np.array_equal(found.logits, expected.logits)


def test_a_next_process_finds_the_model_on_the_board(board, model):
    first = Session(model, opened(board))
    first.decode(3)
    assert first.device.uploaded > 30_000
    again = Session(model, opened(board))  # the first was killed: it closed nothing
    assert again.device.uploaded <= SHARED
    assert np.array_equal(again.decode(3).logits, Session(model, EmulatorDevice(BUILD)).decode(3).logits)


def test_a_run_that_another_process_left_is_ended(board, model):
    left = Session(model, opened(board))
    left.device.client.write_registers(register("CONTROL").offset, [Control.START])
    left.device.client.settle()
    assert board.core.ends is not None
    found, expected = Session(model, opened(board)), Session(model, EmulatorDevice(BUILD))
    assert found.prefill([5, 6]).ids.tolist() == expected.prefill([5, 6]).ids.tolist()


def test_a_board_that_was_reset_is_told_until_its_memory_is_written_anew(board, model):
    session, expected = Session(model, opened(board)), Session(model, EmulatorDevice(BUILD))
    session.decode(3)
    board.reset()
    for _ in range(2):
        with pytest.raises(DeviceError, match="was reset: what the model had in its memory is not known any more$"):
            session.decode(4)
    with pytest.raises(DeviceError, match="was reset"):
        session.recover()
    uploaded = session.device.uploaded
    session.device.recover(rewritten=True)
    for act in (lambda: session.decode(4), lambda: session.device.run(0, 1)):
        with pytest.raises(DeviceError, match="the model is not in the board's memory"):
            act()
    session.recover(rewrite=True)
    assert session.device.uploaded <= uploaded + SHARED and session.position == 0  # memory kept the weights
    assert np.array_equal(session.decode(3).logits, expected.decode(3).logits)


def test_a_reset_that_was_not_noticed_yet_is_recovered_from_too(board, model):
    session = Session(model, opened(board))
    board.reset()
    board.memory[:] = 0
    session.recover(rewrite=True)
    assert np.array_equal(session.decode(3).logits, Session(model, EmulatorDevice(BUILD)).decode(3).logits)


def test_no_run_begins_on_half_a_model(board, model):
    session, line = Session(model, opened(board)), None
    line = session.device.client.transport
    board.memory[:] = 0
    line.harms = [Harm(TO_BOARD, line.passed[TO_BOARD] + 20_000, act=lambda: line.interrupt_in(0))]
    with pytest.raises(KeyboardInterrupt):
        session.recover(rewrite=True)
    with pytest.raises(DeviceError, match="the model is not in the board's memory, or only a part of it"):
        session.decode(3)
    session.recover(rewrite=True)
    assert np.array_equal(session.decode(3).logits, Session(model, EmulatorDevice(BUILD)).decode(3).logits)


def test_memory_is_zeroed_where_it_is_not_written_as_a_whole(board):
    device = opened(board)
    buffer = device.allocate(5000)
    assert buffer.array.size == 8192 and buffer.address == 0
    buffer.array[32:64] = 7
    device.flush(buffer, 32, 32)
    buffer.array[:] = 9
    device.invalidate(buffer, 0, 8192)
    assert np.flatnonzero(buffer.array).tolist() == list(range(32, 64))
    assert device.get("LIMIT") == 32 and device.get("BASE") == 0


def test_a_model_that_is_too_large_is_one_line():
    device = opened(new_board(memory_bytes=1 << 16))
    with pytest.raises(DeviceError, match=r"takes 0.1 MiB of memory, the board has 0.1: choose a shorter --context"):
        device.allocate(1 << 16)


@pytest.mark.parametrize("changes, line", [
    ({"word": 0xBAD}, "the board at modelled is build 00000bad, but accel.json describes c0ffee42: load the bitstream"),
    ({"clock_mhz": 80.0}, "the board runs at 80.0 MHz, but its timing was met at 60.0 MHz"),
])
def test_a_bitstream_that_is_not_the_one_described_is_refused(changes, line):
    board = BoardModel(BUILD, **{"word": WORD, "clock_mhz": CLOCK_MHZ, **changes})
    with pytest.raises(DeviceError, match=line):
        opened(board)


def test_an_error_of_the_fabric_is_named_and_the_next_token_is_right(board, model):
    session, expected = Session(model, opened(board)), Session(model, EmulatorDevice(BUILD))
    session.decode(1)
    expected.decode(1)
    item = session.program.get_passes("decode", 1)[0]
    kept = board.memory[item.offset:item.offset + 64].copy()
    board.memory[item.offset] = 255
    with pytest.raises(DeviceError, match="device serial stopped: "):
        session.decode(2)
    board.memory[item.offset:item.offset + 64] = kept
    assert np.array_equal(session.decode(2).logits, expected.decode(2).logits)


def test_a_core_that_was_reset_alone_is_told(board, model):
    session, advance = Session(model, opened(board)), board.core.advance

    def resets(now):
        if board.core.ends is not None and now > board.core.ends - board.core.run_s / 2:
            board.core.reset()
        advance(now)

    board.core.run_s, board.core.advance = 0.5, resets
    with pytest.raises(DeviceError, match="device serial was reset in the midst of a run"):
        session.decode(2)
    board.core.advance = advance
    assert np.array_equal(session.decode(3).logits, Session(model, EmulatorDevice(BUILD)).decode(3).logits)
