"""The closed loop against rational arithmetic: rows beside each other, both signs, all ranges, when it acts."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from models.golden.closed_loop import ClosedLoop, closed_loop
from models.golden.scalar import from_int
from models.golden.tap import Tap, tap
from models.machine.descriptor import Loop
from tests.models.golden.oracle import clip, scale, truncate

RNG = np.random.default_rng(1)


def random_loop(dim: int, exponent: int, acts: Loop, setpoint: int) -> ClosedLoop:
    direction, gain = RNG.integers(-32768, 32768, (2, dim)).astype(np.int16)
    return ClosedLoop.of(direction, gain, exponent, setpoint, acts)


def expected(h: np.ndarray, loop: ClosedLoop) -> list[list[int]]:
    """In Python's integers and fractions."""
    rows = []
    for row in h.tolist():
        error = loop.setpoint - sum(a * b for a, b in zip(row, loop.gain.tolist(), strict=True))
        if not error or (loop.acts == Loop.BELOW and error < 0) or (loop.acts == Loop.ABOVE and error > 0):
            rows.append(row)
            continue
        factor = truncate(Fraction(abs(error))) * Fraction(2) ** loop.add_exponent
        sign = 1 if error > 0 else -1
        rows.append([clip(x + scale(sign * k, factor, 40), 32) for x, k in zip(row, loop.add.tolist(), strict=True)])
    return rows


@pytest.mark.parametrize("acts", [Loop.ALWAYS, Loop.BELOW, Loop.ABOVE])
@pytest.mark.parametrize("size, exponent, setpoint", [(2**31, -44, 2**50), (2**31, -60, -(2**60) + 1), (2000, -30, 7),
                                                      (3, -20, 0), (2**31, -30, 2**60 - 1), (2**20, -64, 2**40)])
def test_it_equals_rational_arithmetic(acts, size, exponent, setpoint):
    h = RNG.integers(-size + 1, size, (9, 24))
    loop = random_loop(24, exponent, acts, setpoint)
    assert closed_loop(h, loop).tolist() == expected(h, loop)


def test_the_dot_product_is_exact_at_its_widest():
    """All channels at their largest, the setpoint one unit of one channel below: a float sum would lose that."""
    loop = ClosedLoop.of(np.full(2**14, -32768), np.full(2**14, 1), -15, -(2**14) * 32768 * (2**31 - 1) - 32768)
    h = np.full((1, 2**14), 2**31 - 1)
    assert (closed_loop(h, loop) - h).tolist() == [[-1] * 2**14]


def test_it_changes_no_bit_at_the_setpoint_or_without_gains():
    h = RNG.integers(-2**30, 2**30, (1, 16))
    loop = random_loop(16, -40, Loop.ALWAYS, 12345)
    reached = replace(loop, setpoint=int(h[0] @ loop.gain.astype(np.int64)))
    assert (closed_loop(h, reached) == h).all() and (closed_loop(h, loop) != h).any()
    assert (closed_loop(h, replace(loop, add=np.zeros(16, np.int16))) == h).all()


def test_a_tap_with_the_row_s_factor_does_the_second_half():
    """What the fabric relies on: gains in the place of what a tap adds, scaled by the distance."""
    h = RNG.integers(-2**31 + 1, 2**31, (1, 32))
    loop = random_loop(32, -44, Loop.ALWAYS, 2**49)
    error = loop.setpoint - int(h[0] @ loop.gain.astype(np.int64))
    add = loop.add.astype(np.int64) * (1 if error > 0 else -1)
    neutral = {"gain": np.full(32, 8192), "clip": np.full(32, 65535), "threshold": np.zeros(32)}
    row = from_int(np.array([abs(error)]))
    assert (tap(h, Tap(add=add, add_exponent=-44, **neutral), row, bits=32) == closed_loop(h, loop)).all()
