# amaranth: UnusedElaboratable=no
"""RoundShift equals golden round_shift."""

from __future__ import annotations

import numpy as np
import pytest

from hw.arith.round_shift import RoundShift
from models.golden.rounding import round_shift
from tests.hw.stream_table import Case, check


def test_equals_golden():
    rng = np.random.default_rng(5)
    shift = rng.integers(0, 64, 2000)
    low = np.minimum(shift, 37)
    ties = rng.choice([0, 1, -1], shift.size) + rng.choice([0, 1], shift.size) * (np.int64(1) << np.maximum(low - 1, 0))
    x = (rng.integers(-(1 << 23), 1 << 23, shift.size) << low) + ties
    y = round_shift(x, shift)
    kept = np.abs(y) < 1 << 24
    x, shift, y = x[kept], shift[kept], y[kept]
    operands = [{"x": x[n], "shift": shift[n], "user": n} for n in range(x.size)]
    results = [{"y": y[n], "user": n} for n in range(x.size)]
    check(RoundShift(62, 25, 11), [Case("ties and others", inputs={"i": operands}, outputs={"o": results})])


def test_widths_are_checked():
    with pytest.raises(ValueError, match="^need 1 < y_width <= x_width <= 64, got 30 and 25$"):
        RoundShift(25, 30)
