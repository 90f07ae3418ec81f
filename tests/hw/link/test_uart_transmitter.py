# amaranth: UnusedElaboratable=no
"""UART transmitter: the line, cycle by cycle."""

from __future__ import annotations

import pytest

from hw.link.uart_transmitter import UartTransmitter
from tests.hw.link.simulated import run

DATA = b"\x00\xff\x5a\x01"


@pytest.mark.parametrize("cycles, pause", [(20, 0), (20.83, 0), (4, 0), (7.5, 33)])
def test_bytes_leave_with_start_and_stop_bit(cycles, pause):
    unit, line = UartTransmitter(cycles * 1e-3, 1000), []

    async def bench(ctx) -> None:
        data, rest = list(DATA), 0
        for _ in range(int(11 * cycles * len(DATA)) + pause * len(DATA) + 50):
            valid = bool(data) and not rest
            ctx.set(unit.i.valid, valid)
            ctx.set(unit.i.payload, data[0] if valid else 0x55)
            line.append(ctx.get(unit.tx))
            if valid and ctx.get(unit.i.ready):
                data.pop(0)
                rest = pause and int(10 * cycles) + pause
            rest = max(0, rest - 1)
            await ctx.tick()
        assert not data

    run(unit, bench)
    assert line[0] == 1 and line[-1] == 1
    at = 0
    for byte in DATA:
        at = line.index(0, at)
        for n, bit in enumerate((0, *(byte >> n & 1 for n in range(8)), 1)):
            first, last = at + n * cycles + 1.1, at + (n + 1) * cycles - 1.1
            assert line[int(first)] == line[int(last)] == bit, (byte, n)
        at = int(at + 9.5 * cycles)
