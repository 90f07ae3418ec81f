"""Requests in order, each executed once; and what cannot be healed has its name."""

from __future__ import annotations

import zlib

import pytest

from host.link.client import Client
from host.link.failures import BoardResetError, LinkError, NoAnswerError, RefusedError
from host.link.frames import frame_of
from host.link.session import PATIENCE_VARIABLE
from models.errors import DeviceError, OptionError
from models.machine.link import Operation
from models.machine.registers import IDENTITY
from tests.host.link.modelled_line import TO_BOARD, TO_HOST, Harm, ModelledLine
from tests.host.link.opened import new_board


@pytest.fixture
def board():
    return new_board()


@pytest.fixture
def client(board):
    return Client(ModelledLine(board))


def harm(client, way, byte, **what):
    """Planted that many bytes from now on."""
    line = client.transport
    line.harms.append(Harm(way, line.passed[way] + byte, **what))


def lost(data):
    return b""


def test_what_a_board_is_asked_for(client, board):
    assert client.greeting.memory_bytes == 1 << 20 and client.greeting.clock_khz == 60_000
    assert client.read_registers(0, 1) == [IDENTITY]
    client.write_registers(0x14, [0x40, 0, 7])
    assert client.read_registers(0x14, 3) == [0x40, 0, 7]
    data = bytes(range(256)) * 20
    client.write_memory(4096, data)
    assert client.read_memory(4096, len(data)) == data
    client.fill_memory(4096, 1 << 16, b"0123456789abcdef")
    assert client.read_memory(8192, 32) == b"0123456789abcdef" * 2
    assert client.check_memory(0, 1 << 20) == zlib.crc32(board.memory)
    client.reset_core()
    assert client.read_registers(0x14, 3) == [0, 0, 0]
    assert client.repeats == 0 and board.dropped == 0


def test_a_long_transfer_keeps_the_line_full(client):
    line = client.transport
    start = line.now()
    client.write_memory(0, bytes(200 * 1024))
    client.settle()
    assert client.repeats == 0 and client.trips == 1
    assert line.now() - start < 1.05 * 200 * 1060 * 10 / 3e6


@pytest.mark.parametrize("way", [TO_BOARD, TO_HOST])
@pytest.mark.parametrize("byte", [0, 5, 11, 12, 13, 40, 1500])
def test_each_request_is_executed_once(client, board, way, byte):
    harm(client, way, byte, change=lost)
    board.executed.clear()
    for n in range(0, 20 * 1024, 1024):
        client.write_memory(n, bytes((n // 1024 + 1,)) * 1024)
    client.write_registers(0x1C, [5])
    assert client.read_memory(0, 20 * 1024) == b"".join(bytes((n + 1,)) * 1024 for n in range(20))
    writes = [operation for operation in board.executed if operation in (Operation.WRITE_MEMORY,
                                                                         Operation.WRITE_REGISTERS)]
    assert writes == [Operation.WRITE_MEMORY] * 20 + [Operation.WRITE_REGISTERS]
    assert client.transport.done == 1 or way == TO_HOST


def test_a_read_whose_answer_is_lost_keeps_its_place(client):
    """What is sent behind one that is still missing must not take the number of one that is done."""
    client.write_memory(0, b"a" * 16)
    client.settle()
    harm(client, TO_HOST, 1, change=lost)
    start = client.transport.now()
    assert client.read_memory(0, 2048)[:16] == b"a" * 16
    assert client.transport.now() - start < client.patience  # the second one's answer tells
    client.write_memory(0, b"b" * 16)
    assert client.read_memory(0, 16) == b"b" * 16


def test_a_lost_frame_is_sent_again_before_patience_ends(client):
    harm(client, TO_BOARD, 2000, change=lost)
    start = client.transport.now()
    client.write_memory(0, bytes(40 * 1024))
    client.settle()
    assert client.repeats and client.transport.now() - start < client.patience + 40 * 1060 * 10 / 3e6


@pytest.mark.parametrize("session, data", [(1, b"abcd"), (0, b"abc"), (0, b"abcdefgh")])
def test_answers_of_another_session_or_size_are_not_taken(client, session, data):
    sequence = client._after
    head = bytes((sequence, Operation.READ_REGISTERS | 0x80)) + (client.session ^ session).to_bytes(2, "little")
    wrong = frame_of(head + data + bytes(((sequence + 1) % 256, 0)))
    harm(client, TO_HOST, 0, change=lambda right: wrong + right)
    assert client.read_registers(0, 1) == [IDENTITY]
    assert client.transport.done == 1


def test_reads_wait_for_a_place_on_the_board(client, board):
    client.read_memory(0, 64 * 1024)
    assert board.dropped == 0 and client.repeats == 0


def test_waits_end_with_the_interrupt_or_the_time(client, board):
    start = client.transport.now()
    client.wait(50)
    assert 0.05 <= client.transport.now() - start < 0.06
    client.write_registers(0x0C, [1])
    start = client.transport.now()
    client.wait(1000)
    assert client.transport.now() - start < board.core.run_s + 0.01


def test_a_reset_is_told_by_every_call_until_a_new_session(client, board):
    client.read_registers(0, 1)
    board.reset()
    for _ in range(2):
        with pytest.raises(BoardResetError, match="the board at modelled was reset: what the model had"):
            client.read_registers(0, 1)
    client.greet()
    assert client.read_registers(0, 1) == [IDENTITY]


def test_two_hosts_on_a_board_are_told_apart(client, board):
    other = Client(ModelledLine(board))
    with pytest.raises(BoardResetError, match="was greeted by another program"):
        client.write_memory(0, bytes(16))
        client.settle()
    assert other.read_registers(0, 1) == [IDENTITY]


def test_a_session_number_in_use_is_not_taken(board):
    Client(ModelledLine(board), choose=lambda low, high: 7)
    numbers = iter([7, 9, 8, 9])
    client = Client(ModelledLine(board), choose=lambda low, high: next(numbers))
    assert client.session == 8


def test_silence_noise_and_another_version_are_named(board):
    line = ModelledLine(board)
    line.cut = TO_BOARD
    with pytest.raises(NoAnswerError, match="no answer from modelled: is the board's bitstream loaded"):
        Client(line)
    line = ModelledLine(board)
    line.harms = [Harm(TO_HOST, n, change=lambda data: b"hello") for n in range(1000)]
    with pytest.raises(NoAnswerError, match="bytes came, but no frame of a board's"):
        Client(line)
    with pytest.raises(LinkError, match="the board speaks version 2 of the link, this host 1"):
        Client(ModelledLine(new_board(version=2)))


def test_a_line_that_is_cut_is_named_in_bounded_time_and_works_again(client, board):
    line, start = client.transport, client.transport.now()
    line.cut = TO_HOST
    with pytest.raises(NoAnswerError, match="no answer from modelled to READ_REGISTERS of 4 bytes at 0x0, asked 8"):
        client.read_registers(0, 1)
    assert line.now() - start < 15
    line.cut = None
    client.write_memory(0, b"c" * 16)
    assert client.read_memory(0, 16) == b"c" * 16


def test_a_refusal_is_told_and_leaves_the_session_usable(client):
    with pytest.raises(RefusedError, match="the board refuses READ_MEMORY of 16 bytes at 0x100000: BAD_ADDRESS"):
        client.read_memory(1 << 20, 16)
    client.write_memory(0, b"d" * 32)
    assert client.read_memory(0, 32) == b"d" * 32
    assert issubclass(RefusedError, DeviceError)


def test_ctrl_c_at_any_call_loses_nothing(board):
    for calls in range(12):
        client = Client(ModelledLine(board))
        client.transport.interrupt_in(calls)
        with pytest.raises(KeyboardInterrupt):
            for _ in range(8):
                client.read_memory(0, 4096)
        client.write_memory(0, bytes((calls,)) * 4096)
        assert client.read_memory(0, 4096) == bytes((calls,)) * 4096


def test_a_read_that_nobody_waits_for_any_more_may_stay_unanswered(client):
    """Its answer is lost and it is given up: what is written then makes its repeat too late."""
    harm(client, TO_HOST, 0, change=lost)
    client.transport.interrupt_in(1)
    with pytest.raises(KeyboardInterrupt):
        client.read_memory(0, 16)
    client.write_memory(0, b"e" * 16)
    assert client.read_memory(0, 16) == b"e" * 16


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "1e9"])
def test_patience_is_a_number(board, monkeypatch, text):
    monkeypatch.setenv(PATIENCE_VARIABLE, text)
    with pytest.raises(OptionError, match="must be a number of seconds"):
        Client(ModelledLine(board))
