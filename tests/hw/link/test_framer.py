# amaranth: UnusedElaboratable=no
"""Framer against frames made with zlib."""

from __future__ import annotations

import random

import pytest

from hw.link.framer import Framer
from tests.hw.link.frames import framed
from tests.hw.link.simulated import run


def line_of(bodies: list[bytes], stall: float) -> bytes:
    """What the framer makes of them. stall: probability that either side rests in a cycle."""
    unit, rng, line = Framer(), random.Random(1), bytearray()
    given = [(byte, n == len(body) - 1) for body in bodies for n, byte in enumerate(body)]
    size, cycles = sum(map(len, map(framed, bodies))), 0

    async def bench(ctx) -> None:
        nonlocal cycles
        left, offered, held = list(given), False, None
        while len(line) < size + 1 and cycles < 20 * size:
            offered = bool(left) and (offered or rng.random() >= stall)
            byte, last = left[0] if offered else (0x7E, 1)
            ready = rng.random() >= stall
            for port, value in ((unit.i.valid, offered), (unit.i.payload.byte, byte), (unit.i.payload.last, last),
                                (unit.o.ready, ready)):
                ctx.set(port, value)
            valid, now = ctx.get(unit.o.valid), ctx.get(unit.o.payload)
            assert held is None or (valid and now == held)  # offered until it is taken
            held = now if valid and not ready else None
            if valid and ready:
                line.append(now)
            if offered and ctx.get(unit.i.ready):
                left.pop(0)
                offered = False
            cycles += 1
            if not left and not valid:
                break
            await ctx.tick()

    run(unit, bench)
    assert stall or cycles == size + 1  # a byte a cycle
    return bytes(line)


@pytest.mark.parametrize("stall", [0, 0.4])
def test_bodies_are_framed(stall):
    rng = random.Random(2)
    bodies = [b"a", bytes(range(256)), *(bytes(rng.choices([0x7D, 0x7E, 0x5D, 0x5E, 0], k=40)) for _ in range(4))]
    bodies += [rng.randbytes(rng.randint(1, 8)) for _ in range(60)]  # the FCS of some has flags and escapes, too
    line = b"".join(map(framed, bodies))
    assert line.count(0x7D) > 30
    assert line_of(bodies, stall) == line
