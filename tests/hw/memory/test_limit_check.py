# amaranth: UnusedElaboratable=no
"""Limit check: bursts on both sides of each limit, of each place and length in a block, at both ends of the memory."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS
from hw.memory.limit_check import is_inside
from tests.hw.cycle_table import check_cycles

TOP = 1 << ADDRESS_BITS


class Check(wiring.Component):
    """The check, a cycle later."""

    def __init__(self):
        super().__init__({"address": In(ADDRESS_BITS), "length": In(4), "base": In(32), "limit": In(32),
                          "inside": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.sync += self.inside.eq(is_inside(self.address, self.length, self.base, self.limit))
        return m


def is_allowed(address, length, base, limit):
    """Every byte between the limits and in one block, beat by beat."""
    last = address + 16 * length + 15
    return address % 16 == 0 and address >> 8 == last >> 8 and base * 256 <= address and last < limit * 256


def test_every_place():
    rng = np.random.default_rng(1)
    cases = [(256 * 7 + 16 * n, length, 7, 8) for n in range(16) for length in range(16)]
    cases += [(256 * 7 + low, 0, 7, 8) for low in range(16)]
    for base, limit in ((7, 9), (7, 8), (7, 7), (9, 7), (0, 0), (0, 1), (0, 2**32 - 1), (2**32 - 2, 2**32 - 1),
                        (1, 2**31), (2**31, 2**31 + 1)):
        edges = {block for edge in (base, limit, 0, 2**32) for block in (edge - 1, edge, edge + 1)}
        cases += [(block * 256, 15, base, limit) for block in sorted(edges) if 0 <= block < 2**32]
        cases += [(TOP - 16, length, base, limit) for length in (0, 1, 15)]
    for _ in range(300):
        base = int(rng.integers(2**32))
        block = base ^ (1 << int(rng.integers(32))) * int(rng.integers(2))
        limit = base + 1 ^ (1 << int(rng.integers(32))) * int(rng.integers(2))
        cases.append((block * 256, int(rng.integers(16)), base, limit & 0xFFFFFFFF))
    allowed = [int(is_allowed(*case)) for case in cases]
    assert 100 < sum(allowed) < len(cases) - 100
    columns = [[*column, 0] for column in zip(*cases, strict=True)]
    check_cycles(Check(), inputs=dict(zip(("address", "length", "base", "limit"), columns, strict=True)),
                 outputs={"inside": [0, *allowed]})
