# amaranth: UnusedElaboratable=no
"""ScaleRound equals golden scale_round."""

from __future__ import annotations

import numpy as np
import pytest

from hw.arith.scale_round import ScaleRound
from models.golden.scalar import scale_round
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.stream_table import Case, check


def _operands(x_width: int, bits: int, count: int):
    """x, scalar, fraction: every kind of shift, ties and extremes of x among them."""
    rng = np.random.default_rng([x_width, bits])
    limit = (1 << (x_width - 1)) - 1
    x = rng.integers(-limit, limit + 1, count) >> rng.integers(0, x_width, count)
    x[:4] = limit, -limit, 0, 1
    wide, near = random_scalars(rng, count), random_scalars(rng, count, -45, 45)
    usual = np.arange(count) % 4 > 0
    a = near._replace(m=np.where(usual, near.m, wide.m), e=np.where(usual, near.e, wide.e))
    a = a._replace(m=np.where(np.arange(count) % 5, a.m, 1 << 23))  # powers of two give ties
    return x, a, rng.integers(-30, 31, count)


@pytest.mark.parametrize(("x_width", "bits"), [
    (40, 16), (17, 40), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((40, 40), (24, 32)))])
def test_equals_golden(x_width, bits):
    x, a, fraction = _operands(x_width, bits, 1000)
    y = scale_round(x, a, fraction=fraction, bits=bits)
    operands = [{"x": x[n], "a": as_fields(a[n]), "fraction": fraction[n], "user": n & 4095} for n in range(x.size)]
    results = [{"y": y[n], "user": n & 4095} for n in range(x.size)]
    check(ScaleRound(x_width, bits, 12), [Case("all shifts", inputs={"i": operands}, outputs={"o": results})])


@pytest.mark.parametrize(("x_width", "bits", "message"), [
    (41, 16, "x_width must be 2 to 40, got 41"), (8, 41, "bits must be 2 to 40, got 41")])
def test_widths_are_checked(x_width, bits, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ScaleRound(x_width, bits)
