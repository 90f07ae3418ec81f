# amaranth: UnusedElaboratable=no
"""UART receiver on lines that are right, off, noisy or cut."""

from __future__ import annotations

import numpy as np
import pytest

from hw.link.uart_receiver import UartReceiver
from tests.hw.link.simulated import watch

BAUD = 3_000_000


def samples(data: bytes, cycles: float, *, rate: float = 1.0, phase: float = 0.0, stop: int = 1) -> list[int]:
    """The line in each cycle. phase: of the first edge, in cycles. Idle at both ends."""
    bits = [1, 1] + [bit for byte in data for bit in (0, *(byte >> n & 1 for n in range(8)), stop)] + [1] * 3
    return [bits[min(int((n - phase) * rate / cycles), len(bits) - 1)] if n >= phase else 1
            for n in range(int(len(bits) * cycles / rate + phase))]


def received(line: list[int], cycles: float) -> list[tuple[int, int]]:
    """Bytes and whether they were broken."""
    seen = watch(UartReceiver(cycles * BAUD / 1e6, BAUD), ({"rx": bit} for bit in [1, 1, 1, 1, *line]),
                 ("valid", "byte", "broken"))
    return [(now["byte"], now["broken"]) for now in seen if now["valid"]]


@pytest.mark.parametrize("cycles, rate, phase", [
    (20, 1, 0.4), (20, 0.97, 0.9), (20, 1.03, 0.1), (20.83, 1.02, 0.5), (20.83, 0.98, 0.5), (8, 0.98, 0.9),
    (8, 1.02, 0.0), (4, 1, 0.5)])
def test_bytes_arrive_whatever_the_phase_and_a_rate_that_is_off(cycles, rate, phase):
    data = bytes(np.random.default_rng(1).integers(0, 256, 12).tolist()) + b"\x00\xff\x55\xaa"
    assert received(samples(data, cycles, rate=rate, phase=phase), cycles) == [(byte, 0) for byte in data]


def test_a_rate_that_is_too_far_off_is_no_byte_or_a_broken_one():
    assert (0xAA, 0) not in received(samples(b"\xaa", 20, rate=1.12), 20)


def test_spikes_of_a_cycle_are_nothing():
    line = samples(b"\x5a\x00\xff", 20)
    for place in range(7, len(line), 9):
        line[place] ^= 1
    assert received(line, 20) == [(0x5A, 0), (0, 0), (0xFF, 0)]


def test_a_start_bit_that_is_over_at_its_middle_is_none():
    assert received([1] * 30 + [0] * 7 + [1] * 300 + samples(b"a", 20), 20) == [(0x61, 0)]


def test_a_byte_without_stop_bit_is_broken_and_the_next_whole():
    line = samples(b"\x41", 20, stop=0) + [1] * 20 + samples(b"\x42", 20)
    assert received(line, 20) == [(0x41, 1), (0x42, 0)]


def test_a_line_held_low_is_one_broken_byte():
    assert received([0] * 2000 + [1] * 20 + samples(b"x", 20), 20) == [(0, 1), (0x78, 0)]
