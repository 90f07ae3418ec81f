"""Interpolation against fractions."""

from fractions import Fraction
from math import floor

import numpy as np

from models.golden.interpolation import interpolate


def test_between_entries_it_is_the_line_rounded_halves_upwards():
    table = np.array([0, 10, -7, -7, 4000])
    z = np.arange(4 << 3)
    for at, found in zip(z.tolist(), interpolate(table, z, 3).tolist(), strict=True):
        segment, rest = divmod(Fraction(at, 8), 1)
        line = int(table[segment]) + (int(table[segment + 1]) - int(table[segment])) * rest
        assert found == floor(line + Fraction(1, 2))
