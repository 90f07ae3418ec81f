"""Waiting for a UIO device, with the kernel's side simulated."""

import os
from time import monotonic

import pytest

from host.board.interrupt import UioInterrupt
from tests.host.board.simulated_uio import SimulatedUio


def test_a_high_line_fires_once_it_is_armed():
    interrupt = UioInterrupt(SimulatedUio(lambda: True).path)
    assert not interrupt.wait(0.02)
    for _ in range(3):
        interrupt.arm()
        assert interrupt.wait(5)
        assert not interrupt.wait(0.02)  # masked until it is armed again
    interrupt.close()


def test_waiting_ends():
    interrupt = UioInterrupt(SimulatedUio(lambda: False).path)
    interrupt.arm()
    start = monotonic()
    assert not interrupt.wait(0.05) and monotonic() - start < 5


def test_closing_twice_closes_one_file():
    interrupt = UioInterrupt(SimulatedUio(lambda: True).path)
    interrupt.close()
    other = os.open(os.devnull, os.O_RDONLY)
    interrupt.close()
    os.fstat(other)
    os.close(other)


def test_no_file_is_an_error():
    with pytest.raises(OSError, match="/dev/none"):
        UioInterrupt("/dev/none")
